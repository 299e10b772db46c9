// How long an image takes: the dense network, products that know the weights' zeros, and products that skip the zeros of
// activations too, selection included. Compared in one run, one after the other.
#pragma once

#include "papers/joint_pruning/facts.h"

namespace tenon::joint_pruning {

/// Times of one batch in microseconds, and what was chosen.
struct Times {
  int64_t batch = 0;
  double dense = 0;            ///< dense network, no masks
  double weight_only = 0;      ///< WP through sparse products that read every activation
  double weight_skip = 0;      ///< WP through products that may skip, too: its zeros as its ReLUs leave them
  double joint = 0;            ///< JP, masks included
  double selection = 0;        ///< the first mask of JP alone
  std::string kernels;         ///< of JP: "fc1: all 16x1 blocks, skipping; fc2: ..."
  std::string weight_kernels;  ///< of WP through products that read every activation
};

/// What was measured of a JP pair. What is timed is the chain of fully connected layers, which is all of MLP-3.
struct Latency {
  const ArmFacts* facts = nullptr;
  std::vector<Times> times;  ///< batch 1 and 128
  double largest_error = 0;  ///< of the logits against the masked dense network, over the largest logit or 1
  /// Among 1,000 training images and all masks, how many do not keep the activations above the (k + 1)-th largest: exactly
  /// k, but for ties.
  int64_t winner_misses = 0;
  /// Multiplications counted one by one on 20 images, against the count: difference.
  double pair_error = 0;
};

/// Measures every arm of winners of the first seed that stands beside its dense and WP arms.
std::vector<Latency> measure_latencies(experiment::RunFolder& folder, const Facts& facts,
                                       const experiment::ImageProblem& problem);

}  // namespace tenon::joint_pruning
