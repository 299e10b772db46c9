// The claims of the paper, as inequalities that these experiments must reach, judged on what a run measured.
#pragma once

#include <string>
#include <vector>

#include "papers/deephoyer/facts.h"
#include "papers/experiment/claims.h"
#include "papers/experiment/options.h"

namespace tenon::deephoyer {

/// The same point of an arm over all seeds.
struct Front {
  const Recipe* recipe = nullptr;
  double point = 0;
  std::vector<const PointFacts*> seeds;

  double mean(double (*figure)(const PointFacts&)) const;
  double test() const;        ///< mean final accuracy on test images, in percent
  double validation() const;  ///< the same on validation images: what choices are made by
  double density() const;     ///< mean fraction of the weights, in percent
  double macs() const;        ///< mean fraction of the MACs after shrinking, in percent
};

/// The points of all arms, in the order of the arms.
std::vector<Front> fronts_of(const Facts& facts);

/// All claims of a family. Choices among points (which strength, which cut) are made on validation accuracy, never on test accuracy.
/// Bars that were published for MNIST (of the large family: set for CIFAR-10) are not judged on other data, nor at smoke scale.
std::vector<experiment::Claim> claims_of(const Facts& facts, const experiment::Options& options,
                                         Family family = Family::lenet);

}  // namespace tenon::deephoyer
