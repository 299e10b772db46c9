// The claims of the paper, as inequalities that these experiments must reach, judged on what a run measured.
#pragma once

#include <vector>

#include "papers/autogrow/facts.h"
#include "papers/experiment/claims.h"

namespace tenon::autogrow {

/// All claims. Those called reports are of one seed at this scale and decide nothing. At smoke scale accuracies and depths
/// are not judged.
std::vector<experiment::Claim> claims_of(const Plan& plan, const Facts& facts,
                                         const experiment::Options& options);

}  // namespace tenon::autogrow
