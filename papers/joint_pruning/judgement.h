// The claims of the paper, as inequalities that these experiments must reach, judged on what a run measured.
#pragma once

#include <vector>

#include "papers/experiment/claims.h"
#include "papers/experiment/options.h"
#include "papers/joint_pruning/facts.h"
#include "papers/joint_pruning/latency.h"

namespace tenon::joint_pruning {

/// All claims. Bars that were published for a data set are not judged on another one, nor at smoke scale.
std::vector<experiment::Claim> claims_of(const Facts& facts, const std::vector<Latency>& latencies,
                                         const experiment::Options& options);

}  // namespace tenon::joint_pruning
