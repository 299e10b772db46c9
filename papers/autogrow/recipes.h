// What is trained: every arm of the experiments, and the schedule that all of them share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "papers/autogrow/growing.h"
#include "papers/experiment/options.h"

namespace tenon::autogrow {

enum class Method {
  grown,  ///< from the seed network, by the policy; then the tail
  clock,  ///< the policy's decisions on the seed network, which never grows: the depths that the clock alone finds
  fixed,     ///< of one depth throughout
  morphism,  ///< the seed network trained to the end, deepened to the found depths at once, trained again
};

/// Which network a fixed one is.
enum class Target { seed, found, uniform };

/// One arm.
struct Recipe {
  std::string arm;    ///< "p-gau"
  std::string label;  ///< in tables and charts
  Family family = Family::basic3;
  Method method = Method::grown;
  // Of what grows.
  Growth growth = Growth::periodic;
  Initialiser initialiser = Initialiser::gaussian;
  int64_t slower = 1;      ///< intervals of so many times K
  double fraction = 1;     ///< of the training images
  bool staircase = false;  ///< the rate falls within every interval; else it is constant, and a tail follows
  bool drops_momentum = false;  ///< at every growth
  // Of what does not.
  Target target = Target::seed;
  int64_t depth = 0;  ///< uniform: of each stage
  bool same_epochs =
      false;  ///< as many at the full rate as `like` grew, then its tail; else the schedule from scratch
  /// The arm whose depths (found) or epochs are taken over; else empty.
  std::string like;
};

/// All arms in the order in which they run: an arm comes after the one that it is like.
const std::vector<Recipe>& recipes();
/// Throws Error if there is none of that name.
const Recipe& recipe_of(std::string_view arm);
/// `arms` with those that they are like, in order.
std::vector<std::string> with_needed(const std::vector<std::string>& arms);

/// What all arms of a run share: SGD with momentum, decay on every parameter.
struct Schedule {
  int64_t batch = 128;
  double lr = 0.1, plain_lr = 0.01, momentum = 0.9, weight_decay = 5e-4;
  int64_t interval = 3, window = 200;  ///< K, J
  int64_t convergent_interval = 200;
  int64_t tau_images = 3;  ///< of the validation images: a gain of fewer stops a stage
  int64_t max_depth = 200, max_epochs = 4000;
  int64_t tail = 200;     ///< epochs; a tenth of the rate from a half, a hundredth from three quarters
  int64_t scratch = 200;  ///< epochs from scratch, likewise
  int64_t width3 = 16, width4 = 64;                ///< of the first of three stages, and of four
  int64_t train = 0, validation = 5000, test = 0;  ///< images; 0: all
};
Schedule schedule_of(experiment::Scale scale);
/// A tenth of `rate` from half of the epochs on, a hundredth from three quarters on.
double staircase(double rate, int64_t epoch, int64_t epochs);

/// AdamInit's training of the new block's last norm.
struct AdamInit {
  double lr = 1e-3, weight_decay = 5e-4;
  int64_t max_epochs = 10;
  double slack = 0.005;  ///< it ends when training accuracy exceeds that before the growth less this
};

/// What the command line knows of the arms.
experiment::ExperimentSpec experiment_spec();

}  // namespace tenon::autogrow
