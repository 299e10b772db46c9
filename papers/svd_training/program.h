// The program that both studies are: command line, training, measurement, page.
#pragma once

#include "papers/svd_training/recipes.h"

namespace tenon::svd_training {

/// Runs the study that the command line describes; returns the exit status of the process.
int run_program(const Study& study, int argc, char** argv);

}  // namespace tenon::svd_training
