// The structural experiments of DeepHoyer on CIFAR's residual networks, and one step of ImageNet's networks (--shapes).
#include "papers/deephoyer/program.h"

int main(int argc, char** argv) {
  return tenon::deephoyer::run_program(tenon::deephoyer::Family::large, argc, argv);
}
