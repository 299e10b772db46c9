// The row of the conference paper (IJCAI 2020).
#include "papers/trp/experiment.h"

int main(int argc, char** argv) { return tenon::trp::run_row(tenon::trp::Row::ijcai, argc, argv); }
