// The program of a row: its command line, the run, and what it prints and writes.
#pragma once

#include "papers/trp/arms.h"

namespace tenon::trp {

/// What the command line adds to the shared options. `auto` and 0 leave the choice to data and scale.
struct Settings {
  std::string network = "auto", strided = "auto", nuclear_steps = "cached";
  int64_t epochs = 0, train_images = 0, period = 0, finetune_epochs = 0;
  double finetune_lr = 0;
};

/// The data at a scale: 2 x 2 means of Fashion-MNIST (12,000 images) or CIFAR-10 (10,000, at paper scale all) shifted and
/// mirrored, 1,000 images held out. Throws Error as load_images.
experiment::ImageProblem load_problem(const experiment::Options& options, const Settings& settings);

/// Settings with every choice made. Throws Error if the network needs other images.
Settings resolved(const Settings& settings, const experiment::Options& options);

/// Runs the arms of a row, measures, prints the tables, writes results.json, report.html and the .csv files of the figures.
/// Returns the exit status; prints errors itself.
int run_row(Row row, int argc, char** argv);

}  // namespace tenon::trp
