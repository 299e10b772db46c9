// The row of the workshop paper (NeurIPS-EMC2 2019).
#include "papers/trp/experiment.h"

int main(int argc, char** argv) { return tenon::trp::run_row(tenon::trp::Row::workshop, argc, argv); }
