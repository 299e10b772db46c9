// Runs one (arm, seed) pair: trains, cuts, finetunes what may be finetuned, and looks at the accuracies.
#pragma once

#include <memory>
#include <ostream>
#include <string>

#include "papers/experiment/images.h"
#include "papers/experiment/run_folder.h"
#include "papers/trp/networks.h"
#include "papers/trp/recipes.h"

namespace tenon::trp {

/// What is shared by all pairs of a run.
struct Plan {
  Row row = Row::ijcai;
  const experiment::ImageProblem* problem = nullptr;
  experiment::RunFolder* folder = nullptr;
  std::string network;  ///< a name that make_network knows
  Schedule schedule;
  bool strided = false;  ///< decompose convolutions with a stride too
  NuclearSteps nuclear_steps = NuclearSteps::cached;
  std::ostream* out = nullptr;    ///< progress
  Device device = Device::cpu();  ///< where networks are trained; what they left is measured on the host
  bool memory = false;            ///< print what holds the memory at the peak of a step
  int timed_runs = 51;            ///< of each forward whose time is told
};

/// How a TRP arm is decomposed in the end. What training left out of the low rank is an update's worth of noise, so values
/// are compared with a threshold: the paper's absolute one, and, since batch norm makes the scale of weights arbitrary, one
/// relative to the largest. The energy rule of the training, for comparison, drops what training has not.
std::vector<std::pair<std::string, RankRule>> final_rules(const Recipe& recipe);

/// Trains the pair, or goes on with it, and returns what it measured (also in result.json): `dense` (accuracies of the
/// dense network that is cut), `macs`, and for every point its `name`, the `ranks` (of what is decomposed), the
/// `macs`, and accuracies `cut` (decomposed, nothing trained since), `estimated` (and batch norms' statistics estimated anew;
/// of no network from scratch) and `final` (after finetuning, where there is any). A finished pair is only read. Throws
/// Interrupted, and Error if an arm that it needs was not run.
Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed);

/// Fresh weights on the host.
std::shared_ptr<Sequential> fresh_network(const Plan& plan, int64_t seed);
/// The network that a finished arm of method dense or trp left, in dense form, on the host.
std::shared_ptr<Sequential> trained_network(const Plan& plan, const std::string& arm, int64_t seed);
/// The network of one point of a finished pair, as it is judged: decomposed (or shrunk), finetuned if it was; on the host.
std::shared_ptr<Sequential> point_network(const Plan& plan, const Recipe& recipe, int64_t seed,
                                          const Json& point);

}  // namespace tenon::trp
