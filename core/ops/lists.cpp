#include "core/ops/lists.h"

#include <cmath>
#include <vector>

#include "core/cpu/lists.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"

namespace tenon {
namespace {

// Gathers the entries of one call. The vectors are kept from call to call, so that a training step allocates nothing.
class Call {
 public:
  enum class Access { reads, writes };
  /// `main` is the list that the kernel calls a: what is updated, for all ops but norms.
  Call(const char* op, TensorList main, Access access = Access::writes)
      : op_(op), items_(kept_items()), copies_(kept_copies()) {
    items_.clear();
    copies_.clear();
    for (const Tensor& t : main) add(t, access);
  }
  ~Call() { copies_.clear(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  /// What is read, laid out as what is written (a copy where it is not).
  void read(TensorList list, TensorList written) {
    check_length(list, written);
    for (size_t i = 0; i < list.size(); ++i) {
      check_partner(list[i], written[i]);
      items_[i].b = aligned(list[i], written[i]).raw();
    }
  }

  /// State that is updated too. An empty list is allowed where the step does not use it.
  void state(int slot, TensorList list, TensorList written, bool used) {
    TENON_CHECK(used || list.empty(), op_, ": state ", slot, " is not used by this step, got ", list.size(), " tensors");
    if (!used) return;
    check_length(list, written);
    for (size_t i = 0; i < list.size(); ++i) {
      check_partner(list[i], written[i]);
      TENON_CHECK(list[i].is_empty() || same_layout(list[i], written[i]), op_, ": state ", slot, " of entry ", i,
                  " must lie in memory as what is updated: strides ", written[i].strides(), ", got ", list[i].strides());
      items_[i].state[slot] = list[i].raw();
      list[i].bump_version(op_);
    }
  }

  void step_counts(std::span<const int64_t> counts) {
    TENON_CHECK(counts.size() == items_.size(), op_, ": expects ", items_.size(), " step counts, got ", counts.size());
    for (size_t i = 0; i < counts.size(); ++i) {
      TENON_CHECK(counts[i] >= 1, op_, ": step counts start at 1, got ", counts[i], " for entry ", i);
      items_[i].step_count = counts[i];
    }
  }

  /// Tells the versions of what is about to be written; false if there is nothing to do.
  bool writes(TensorList written) const {
    for (const Tensor& t : written) t.bump_version(op_);
    return !empty();
  }
  bool empty() const { return total_ == 0; }
  cpu::ListLoop loop() const { return {items_.data(), static_cast<int64_t>(items_.size()), total_}; }
  DType dtype() const { return dtype_; }

 private:
  static std::vector<cpu::ListItem>& kept_items() {
    static thread_local std::vector<cpu::ListItem> items;
    return items;
  }
  static std::vector<Tensor>& kept_copies() {
    static thread_local std::vector<Tensor> copies;
    return copies;
  }

  void add(const Tensor& t, Access access) {
    TENON_CHECK(t.defined(), op_, ": undefined tensor as entry ", items_.size());
    TENON_CHECK(is_floating(t.dtype()), op_, ": expects float32 or float64, got ", t.str(), " as entry ", items_.size());
    require_host(op_, t);
    if (items_.empty()) dtype_ = t.dtype();
    TENON_CHECK(t.dtype() == dtype_, op_, ": entries expect one dtype, ", dtype_, ", got ", t.str(), " as entry ",
                items_.size());
    bool dense = t.is_dense();
    TENON_CHECK(dense || access == Access::reads, op_, ": expects dense tensors, got shape ", t.shape(), " with strides ",
                t.strides(), " as entry ", items_.size());
    if (!dense) copies_.push_back(t.clone());
    cpu::ListItem item;
    item.a = dense ? t.raw() : copies_.back().raw();
    item.n = t.numel();
    item.start = total_;
    total_ += item.n;
    items_.push_back(item);
  }

  void check_length(TensorList list, TensorList written) const {
    TENON_CHECK(list.size() == written.size(), op_, ": lists expect one length, got ", written.size(), " and ",
                list.size());
  }
  void check_partner(const Tensor& t, const Tensor& written) const {
    TENON_CHECK(t.defined(), op_, ": undefined tensor");
    check_same_dtype(op_, written, t);
    check_same_device(op_, written, t);
    TENON_CHECK(t.shape() == written.shape(), op_, ": expects shape ", written.shape(), ", got ", t.shape());
  }
  static bool same_layout(const Tensor& x, const Tensor& y) {
    for (int i = 0; i < x.rank(); ++i)
      if (x.shape()[i] > 1 && x.strides()[i] != y.strides()[i]) return false;
    return true;
  }
  const Tensor& aligned(const Tensor& x, const Tensor& like) {
    if (x.is_empty() || same_layout(x, like)) return x;
    copies_.push_back(Tensor::empty_strided(like.shape(), like.strides(), like.dtype(), like.device()));
    copies_.back().copy_(x);
    return copies_.back();
  }

  const char* op_;
  std::vector<cpu::ListItem>& items_;
  std::vector<Tensor>& copies_;
  int64_t total_ = 0;
  DType dtype_ = float32;
};

}  // namespace

void lists_axpy(double alpha, TensorList x, TensorList y) {
  Call call("lists_axpy", y);
  call.read(x, y);
  if (call.writes(y)) cpu::lists_axpy(call.loop(), call.dtype(), alpha);
}

void lists_lerp(TensorList y, TensorList x, double weight) {
  Call call("lists_lerp", y);
  call.read(x, y);
  if (call.writes(y)) cpu::lists_lerp(call.loop(), call.dtype(), weight);
}

void lists_scale(TensorList x, double alpha) {
  Call call("lists_scale", x);
  if (call.writes(x)) cpu::lists_scale(call.loop(), call.dtype(), alpha);
}

void lists_fill(TensorList x, double value) {
  Call call("lists_fill", x);
  if (call.writes(x)) cpu::lists_fill(call.loop(), call.dtype(), value);
}

void lists_clamp(TensorList x, double low, double high) {
  TENON_CHECK(low <= high, "lists_clamp: expects low <= high, got ", low, " and ", high);
  Call call("lists_clamp", x);
  if (call.writes(x)) cpu::lists_clamp(call.loop(), call.dtype(), low, high);
}

double lists_norm2(TensorList x) {
  Call call("lists_norm2", x, Call::Access::reads);
  return call.empty() ? 0 : std::sqrt(cpu::lists_sum_of_squares(call.loop(), call.dtype()));
}

void sgd_step(TensorList parameters, TensorList gradients, TensorList momentum, std::span<const int64_t> step_counts,
              const SgdStep& step) {
  TENON_CHECK(!step.nesterov || (step.momentum > 0 && step.dampening == 0),
              "sgd_step: Nesterov expects momentum > 0 and no dampening, got ", step.momentum, " and ", step.dampening);
  Call call("sgd_step", parameters);
  call.read(gradients, parameters);
  call.state(0, momentum, parameters, step.momentum != 0);
  call.step_counts(step_counts);
  if (call.writes(parameters)) cpu::sgd_step(call.loop(), call.dtype(), step);
}

void adam_step(TensorList parameters, TensorList gradients, TensorList first_moments, TensorList second_moments,
               TensorList maxima, std::span<const int64_t> step_counts, const AdamStep& step) {
  Call call("adam_step", parameters);
  call.read(gradients, parameters);
  call.state(0, first_moments, parameters, true);
  call.state(1, second_moments, parameters, true);
  call.state(2, maxima, parameters, !maxima.empty());
  call.step_counts(step_counts);
  if (call.writes(parameters)) cpu::adam_step(call.loop(), call.dtype(), step, !maxima.empty());
}

void rmsprop_step(TensorList parameters, TensorList gradients, TensorList mean_squares, TensorList momentum,
                  TensorList means, const RmspropStep& step) {
  Call call("rmsprop_step", parameters);
  call.read(gradients, parameters);
  call.state(0, mean_squares, parameters, true);
  call.state(1, momentum, parameters, step.momentum != 0);
  call.state(2, means, parameters, step.centred);
  if (call.writes(parameters)) cpu::rmsprop_step(call.loop(), call.dtype(), step);
}

void adadelta_step(TensorList parameters, TensorList gradients, TensorList mean_squares, TensorList mean_updates,
                   const AdadeltaStep& step) {
  Call call("adadelta_step", parameters);
  call.read(gradients, parameters);
  call.state(0, mean_squares, parameters, true);
  call.state(1, mean_updates, parameters, true);
  if (call.writes(parameters)) cpu::adadelta_step(call.loop(), call.dtype(), step);
}

}  // namespace tenon

TENON_FORWARD(lists_axpy)
TENON_FORWARD(lists_lerp)
TENON_FORWARD(lists_scale)
TENON_FORWARD(lists_fill)
TENON_FORWARD(lists_clamp)
TENON_FORWARD(lists_norm2)
TENON_FORWARD(sgd_step)
TENON_FORWARD(adam_step)
TENON_FORWARD(rmsprop_step)
TENON_FORWARD(adadelta_step)
