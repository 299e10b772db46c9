// The program of a family of networks: trains the arms that the command line names, measures what they left, and writes the
// run's folder with results.json and report.html.
#pragma once

#include "papers/deephoyer/networks.h"

namespace tenon::deephoyer {

/// Returns the exit status of the process; prints errors itself.
int run_program(Family family, int argc, char** argv);

}  // namespace tenon::deephoyer
