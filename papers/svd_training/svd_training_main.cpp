// SVD training of convolutional networks: trains the arms that the command line names, measures what they left, and writes
// the run's folder with results.json, epochs.csv and report.html.
#include "papers/svd_training/program.h"

int main(int argc, char** argv) {
  return tenon::svd_training::run_program(tenon::svd_training::conv_study(), argc, argv);
}
