#include "nn/compress/mask.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace tenon {

Tensor mask_by_value(const Tensor& w, double threshold) {
  // A NaN is not below any threshold: it stays, to be seen.
  Tensor below = less(abs(w), Tensor::scalar(threshold, w.dtype(), w.device()));
  return equal(below, Tensor::scalar(0, uint8, w.device()));
}

double std_of(const Tensor& w) { return w.is_empty() ? 0 : std::sqrt(variance(w.to(float64)).item()); }

Tensor mask_by_std(const Tensor& w, double multiple) { return mask_by_value(w, multiple * std_of(w)); }

Tensor is_nonzero(const Tensor& x) { return not_equal(x, Tensor::scalar(0, x.dtype(), x.device())); }

Tensor live_along(const Tensor& w, int64_t axis) {
  const int kept = normalize_axis("live_along", axis, w.rank());
  Tensor counts = is_nonzero(w).to(int64);
  Dims others;
  for (int i = 0; i < w.rank(); ++i)
    if (i != kept) others.push_back(i);
  if (others.rank() > 0) counts = sum(counts, others);
  return is_nonzero(counts);
}

int64_t count_live(const Tensor& w, int64_t axis) { return count_nonzero(live_along(w, axis)); }

// ---- Masks ------------------------------------------------------------------------------------------

void Masks::add(const NamedVariable& parameter, const Tensor& mask) {
  TENON_CHECK(mask.defined() && mask.dtype() == uint8 && mask.shape() == parameter.variable.shape(),
              "Masks: '", parameter.name, "' expects a uint8 mask of shape ", parameter.variable.shape(),
              ", got ", mask.defined() ? mask.str() : std::string("an undefined tensor"));
  check_same_device("Masks", parameter.variable.value(), mask);
  for (const Entry& entry : entries_)
    TENON_CHECK(entry.parameter.name != parameter.name, "Masks: '", parameter.name, "' has a mask already");
  entries_.push_back({parameter, mask});
}

namespace {
void cut(const Tensor& x, const Tensor& keep) {
  x.copy_(where(keep, x, Tensor::scalar(0, x.dtype(), x.device())));
}
}  // namespace

void Masks::apply() const {
  for (const Entry& entry : entries_) cut(entry.parameter.variable.value(), entry.keep);
}

void Masks::apply_to_gradients() const {
  for (const Entry& entry : entries_)
    if (entry.parameter.variable.grad().defined()) cut(entry.parameter.variable.grad().value(), entry.keep);
}

int64_t Masks::kept() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) count += count_nonzero(entry.keep);
  return count;
}

int64_t Masks::total() const {
  int64_t count = 0;
  for (const Entry& entry : entries_) count += entry.keep.numel();
  return count;
}

State Masks::state() const {
  State out;
  for (const Entry& entry : entries_) out.emplace(entry.parameter.name, entry.keep);
  return out;
}

}  // namespace tenon
