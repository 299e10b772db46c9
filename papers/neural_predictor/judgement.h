// The claims of the paper, and those that this reproduction adds, judged on what was measured.
#pragma once

#include <vector>

#include "papers/experiment/claims.h"
#include "papers/neural_predictor/arms.h"

namespace tenon::neural_predictor {

/// Everything that a run left.
struct Facts {
  std::vector<ArmFacts> arms;

  /// nullptr if the arm was not run under this seed.
  const ArmFacts* find(std::string_view arm, int64_t seed) const;
  /// Under the first seed that has it.
  const ArmFacts* find(std::string_view arm) const;
};
Facts gather_facts(const Plan& plan, const std::vector<std::string>& arms, const std::vector<int64_t>& seeds);

std::vector<experiment::Claim> claims_of(const Facts& facts, const Problems& problems,
                                         const experiment::Options& options);

}  // namespace tenon::neural_predictor
