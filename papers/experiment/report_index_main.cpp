// The program behind `make report`: writes runs/index.html (or the index of another folder, given as the
// argument).
#include <exception>
#include <iostream>

#include "papers/experiment/index.h"

int main(int argc, char** argv) {
  if (argc > 2) {
    std::cerr << "usage: report_index [folder of runs, default: runs]\n";
    return 2;
  }
  try {
    std::cout << tenon::experiment::write_runs_index(argc == 2 ? argv[1] : "runs").string() << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "report_index: " << error.what() << '\n';
    return 1;
  }
}
