// A stage of training as DeepHoyer has it: Adam whose rate falls exponentially, a penalty on the parameters, masks that
// keep what was cut at 0.
#pragma once

#include <string>

#include "nn/compress/mask.h"
#include "papers/deephoyer/penalty.h"
#include "papers/experiment/training.h"

namespace tenon::deephoyer {

struct StageOptions {
  double weight_decay = 0;  ///< coupled
  Penalty penalty = {};
  const Masks* masks = nullptr;  ///< must outlive the stage
  /// The result is the epoch of the best validation accuracy (the first of equals) instead of the last one.
  bool keep_best = true;
};

/// The stage of that name for `net`, to which the masks are applied at once. Its lines in the log end with the penalty's
/// measure and with that of Hoyer-Square.
experiment::Stage make_stage(const std::string& name, int64_t epochs, Module& net,
                             const StageOptions& options = {});

/// MNIST or Fashion-MNIST, 5,000 of whose training images are held out; `reduced` keeps 2,000 / 500 / 1,000 images, for
/// tests.
experiment::ImageProblem load_problem(const std::string& data, bool reduced);

}  // namespace tenon::deephoyer
