// A stage of training as DeepHoyer has it: the network's optimiser and schedule, a penalty on the parameters, masks that keep
// what was cut at 0.
#pragma once

#include <string>

#include "nn/compress/mask.h"
#include "papers/deephoyer/networks.h"
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
experiment::Stage make_stage(const std::string& name, Network network, const Schedule& schedule,
                             int64_t batch, Module& net, const StageOptions& options = {});

/// MNIST or Fashion-MNIST, 5,000 of whose training images are held out; `reduced` keeps 2,000 / 500 / 1,000 images, for
/// tests.
experiment::ImageProblem load_problem(const std::string& data, bool reduced);

/// What the residual networks are trained on.
struct ImageChoice {
  int64_t train = 0, validation = 5000, test = 0;  ///< numbers of images; 0: all
  int64_t pool = 1;                                ///< means over squares of so many pixels a side
};
/// The published images at paper scale; fewer, of half the extents, else.
ImageChoice image_choice(const std::string& data, experiment::Scale scale);
/// CIFAR-10 or Fashion-MNIST, shifted, mirrored and normalised as the code does: zeros of an eighth of CIFAR's extents around,
/// cropped to the extents.
experiment::ImageProblem load_augmented(const std::string& data, const ImageChoice& choice);

}  // namespace tenon::deephoyer
