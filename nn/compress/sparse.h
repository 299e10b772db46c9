// Sparse compilation: from a network whose weights are mostly 0 (pruned, see mask.h) to one that computes the
// same by sparse products where they are faster.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "nn/sequential.h"

namespace tenon {

/// How a weight is multiplied.
struct WeightForm {
  /// 0: dense. 1: single elements (CSR). 4, 8, 16: blocks of so many rows.
  int64_t block_rows = 0;
  bool full = false;   ///< all blocks are there, whatever is 0 in them
  bool skips = false;  ///< what is 0 in the input is skipped
  /// Of one product, in multiply-adds of a large dense one.
  double cost = 0;
  /// "dense", "CSR", "4x1 blocks", "CSR, skipping", "all 16x1 blocks, skipping"
  std::string str() const;
};

struct CompiledLayer {
  std::string name;
  WeightForm form;        ///< the cheapest one
  double dense_cost = 0;  ///< of the dense form, in the same unit
  int64_t nonzero = 0, weights = 0;
};

/// What compile_sparse makes. The cost of a form is modelled, from the sizes and the pattern alone, so a network
/// compiles alike on every machine and at every run; the constants stand in the .cpp with what they were taken
/// from.
struct Compiled {
  std::shared_ptr<Sequential> network;
  std::vector<CompiledLayer> layers;  ///< the layers with a weight that were considered, in order
};

/// Compiles a chain for inputs of the shape `input`, batch included. A Linear, or a Conv2d of stride 1 without
/// groups, whose cheapest form is sparse becomes a SparseLinear or SparseConv of the same name that takes over a
/// ReLU behind it; every other module is shared with the chain, which is left as it is. What is exactly 0 is
/// left out. The result is a network like any other: it can be finetuned and saved. On the host.
///
/// `densities` says what share of its input differs from 0, on the mean, for every Linear and Conv2d in order; given it, a
/// Linear may also skip what is 0 in its input, sample by sample. Throws Error if there are fewer than such layers.
Compiled compile_sparse(const Sequential& chain, const Shape& input,
                        const std::vector<double>& densities = {});

}  // namespace tenon
