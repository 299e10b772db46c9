// One step of a network without its images: sizes, memory and time, and no accuracy.
#pragma once

#include "papers/deephoyer/penalty.h"
#include "papers/deephoyer/recipes.h"
#include "papers/experiment/table.h"

namespace tenon::deephoyer {

struct StepFacts {
  int64_t weights = 0, parameters = 0, macs = 0;  ///< MACs of one image
  double loss = 0;                                ///< cross-entropy before the step
  double measure = 0;                             ///< the penalty's, before the step
  double largest_change = 0;                      ///< of a weight, by the penalty's gradient alone
  int64_t peak_bytes = 0;                         ///< of the step, network and optimiser included
  double seconds = 0;
};

/// A step of training on `batch` made-up images of the published extents, under the penalty, with the network's own
/// optimiser at the first rate of its penalty stage.
StepFacts one_step(Network network, const Penalty& penalty, int64_t batch, int64_t seed);

/// One row a network of the large family, each under the penalty of the first such arm: published and counted sizes, memory
/// and seconds of a step of two images.
experiment::Table shapes_table(const std::vector<Network>& networks);

}  // namespace tenon::deephoyer
