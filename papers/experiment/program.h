// The frame of an experiment's main: help and errors go where they belong, Ctrl-C ends a run between two steps.
#pragma once

#include <functional>

#include "papers/experiment/options.h"

namespace tenon::experiment {

/// Parses the command line and calls `run`, whose exit status it returns. --help goes to stdout and returns 0; an option
/// that makes no sense, 2; an Error, with the program's name before it, 1, both to stderr; Interrupted, 130.
int run_program(OptionParser& parser, int argc, const char* const* argv,
                const std::function<int(const Options&)>& run);

}  // namespace tenon::experiment
