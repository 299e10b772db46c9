// The claims of the paper, as inequalities that these experiments must reach, judged on what a run measured.
#pragma once

#include <vector>

#include "papers/experiment/claims.h"
#include "papers/experiment/options.h"
#include "papers/trp/facts.h"

namespace tenon::trp {

/// The same point of an arm over all seeds.
struct Front {
  const Recipe* recipe = nullptr;
  std::string name;
  std::vector<const PointFacts*> seeds;

  double mean(double (*figure)(const PointFacts&)) const;
  double speed_up() const;
  double delivered() const;  ///< mean accuracy of what the method delivers, in percent
};

/// The points of all arms, in the order of the arms.
std::vector<Front> fronts_of(const Facts& facts);

/// All claims. A TRP arm is judged as it is cut by value. Accuracies are of test images after the last epoch: nothing is
/// chosen by them. At smoke scale accuracies are not judged, and bars of a published row only on the row's network, data and
/// schedule.
std::vector<experiment::Claim> claims_of(const Plan& plan, const Facts& facts,
                                         const experiment::Options& options);

}  // namespace tenon::trp
