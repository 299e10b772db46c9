// The experiments of DeepHoyer on LeNet-300-100 and LeNet-5.
#include "papers/deephoyer/program.h"

int main(int argc, char** argv) {
  return tenon::deephoyer::run_program(tenon::deephoyer::Family::lenet, argc, argv);
}
