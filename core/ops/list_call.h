// From lists of tensors to the ListLoop that kernels over lists walk: checks the entries of one call and
// gathers them. For core/ops/*.cpp only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cpu/lists.h"
#include "core/ops/lists.h"

namespace tenon {

// Gathers the entries of one call. The vectors are kept from call to call, so that a training step allocates
// nothing.
class ListCall {
 public:
  enum class Access { reads, writes };
  /// `main` is the list that the kernel calls a: what is updated, for all ops but norms.
  ListCall(const char* op, TensorList main, Access access = Access::writes)
      : op_(op), items_(kept_items()), copies_(kept_copies()) {
    items_.clear();
    copies_.clear();
    for (const Tensor& t : main) add(t, access);
  }
  ~ListCall() { copies_.clear(); }
  ListCall(const ListCall&) = delete;
  ListCall& operator=(const ListCall&) = delete;

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
    TENON_CHECK(used || list.empty(), op_, ": state ", slot, " is not used by this step, got ", list.size(),
                " tensors");
    if (!used) return;
    check_length(list, written);
    for (size_t i = 0; i < list.size(); ++i) {
      check_partner(list[i], written[i]);
      TENON_CHECK(list[i].is_empty() || same_layout(list[i], written[i]), op_, ": state ", slot, " of entry ",
                  i, " must lie in memory as what is updated: strides ", written[i].strides(), ", got ",
                  list[i].strides());
      items_[i].state[slot] = list[i].raw();
      list[i].bump_version(op_);
    }
  }

  void step_counts(std::span<const int64_t> counts) {
    TENON_CHECK(counts.size() == items_.size(), op_, ": expects ", items_.size(), " step counts, got ",
                counts.size());
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
  ListLoop loop() const { return {items_.data(), static_cast<int64_t>(items_.size()), total_}; }
  DType dtype() const { return dtype_; }
  /// Of the entries; the host for an empty list.
  Device device() const { return device_; }

 private:
  static std::vector<ListItem>& kept_items() {
    static thread_local std::vector<ListItem> items;
    return items;
  }
  static std::vector<Tensor>& kept_copies() {
    static thread_local std::vector<Tensor> copies;
    return copies;
  }

  void add(const Tensor& t, Access access) {
    TENON_CHECK(t.defined(), op_, ": undefined tensor as entry ", items_.size());
    TENON_CHECK(is_floating(t.dtype()), op_, ": expects float32 or float64, got ", t.str(), " as entry ",
                items_.size());
    if (items_.empty()) dtype_ = t.dtype(), device_ = t.device();
    TENON_CHECK(t.dtype() == dtype_, op_, ": entries expect one dtype, ", dtype_, ", got ", t.str(),
                " as entry ", items_.size());
    TENON_CHECK(t.device() == device_, op_, ": entries expect one device, ", device_.str(), ", got ", t.str(),
                " as entry ", items_.size());
    bool dense = t.is_dense();
    TENON_CHECK(dense || access == Access::reads, op_, ": expects dense tensors, got shape ", t.shape(),
                " with strides ", t.strides(), " as entry ", items_.size());
    if (!dense) copies_.push_back(t.clone());
    ListItem item;
    item.a = dense ? t.raw() : copies_.back().raw();
    item.n = t.numel();
    item.start = total_;
    total_ += item.n;
    items_.push_back(item);
  }

  void check_length(TensorList list, TensorList written) const {
    TENON_CHECK(list.size() == written.size(), op_, ": lists expect one length, got ", written.size(),
                " and ", list.size());
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
  std::vector<ListItem>& items_;
  std::vector<Tensor>& copies_;
  int64_t total_ = 0;
  DType dtype_ = float32;
  Device device_;
};

}  // namespace tenon
