// Masks: which weights live. A mask has its parameter's shape and holds 1 where the weight stays and 0 where
// it is cut.
#pragma once

#include <string>
#include <vector>

#include "core/ops/index.h"
#include "nn/module.h"

namespace tenon {

/// x != 0, as uint8; a NaN is not 0.
Tensor is_nonzero(const Tensor& x);
/// |w| >= threshold, as uint8. Cuts what is strictly below, as `|w| < t` in Yang et al. (2020).
Tensor mask_by_value(const Tensor& w, double threshold);
/// |w| >= multiple * std(w), the population standard deviation of the whole tensor.
Tensor mask_by_std(const Tensor& w, double multiple);
/// Population standard deviation of all elements; 0 for an empty tensor.
double std_of(const Tensor& w);

/// For each index along `axis`: is any element there not 0? uint8 [extent]. Axis 0 of a weight asks which
/// outputs (rows, filters) live, axis 1 which inputs (columns, channels).
Tensor live_along(const Tensor& w, int64_t axis);
/// Number of such indices.
int64_t count_live(const Tensor& w, int64_t axis);

/// The masks of a network: applied once to prune, and after every optimiser step to keep what was cut at 0.
class Masks {
 public:
  /// `mask` is uint8 of the parameter's shape (any other number than 0 keeps). Throws Error otherwise.
  void add(const NamedVariable& parameter, const Tensor& mask);

  /// w <- mask ? w : 0, in place. Also what was NaN becomes 0.
  void apply() const;
  /// The same for the gradients that are there: momentum of cut weights then stays 0.
  void apply_to_gradients() const;

  struct Entry {
    NamedVariable parameter;
    Tensor keep;  ///< uint8
  };
  const std::vector<Entry>& entries() const { return entries_; }
  /// Ones over all masks, and elements of all masks.
  int64_t kept() const;
  int64_t total() const;

  /// The masks by parameter name, uint8; handles.
  State state() const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace tenon
