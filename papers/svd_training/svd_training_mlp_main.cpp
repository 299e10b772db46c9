// The prototype of SVD training on LeNet-300-100: as svd_training_main.cpp, a few minutes long.
#include "papers/svd_training/program.h"

int main(int argc, char** argv) {
  return tenon::svd_training::run_program(tenon::svd_training::mlp_study(), argc, argv);
}
