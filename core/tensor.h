// Tensor: numbers. A cheap handle (copying it copies no data) on shared, 64-byte aligned storage, seen
// through a shape and strides. It knows nothing of gradients; see autograd/variable.h for a tensor with a
// history.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/device.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace tenon {

class Storage;

class Tensor {
 public:
  /// An undefined tensor: `defined()` is false, and whatever needs its elements or its device throws.
  Tensor() = default;

  // ---- making one -----------------------------------------------------------------------------------
  /// Uninitialised, row-major.
  static Tensor empty(const Shape& shape, DType dtype = float32, Device device = Device::cpu());
  /// Uninitialised, with strides of a dense tensor (see strides_in_order_of).
  static Tensor empty_strided(const Shape& shape, const Strides& strides, DType dtype, Device device);
  /// Uninitialised; same shape, dtype and device as `like`, and its order of axes in memory.
  static Tensor empty_like(const Tensor& like);
  static Tensor zeros(const Shape& shape, DType dtype = float32, Device device = Device::cpu());
  static Tensor ones(const Shape& shape, DType dtype = float32, Device device = Device::cpu());
  static Tensor full(const Shape& shape, double value, DType dtype = float32, Device device = Device::cpu());
  /// 0, 1, ..., n - 1.
  static Tensor arange(int64_t n, DType dtype = int64, Device device = Device::cpu());
  /// Rank 0.
  static Tensor scalar(double value, DType dtype = float32, Device device = Device::cpu());
  /// Copies `values` (row-major) to the host. Throws if their count is not shape.numel().
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape);
  template <class T>
  static Tensor from(const std::vector<T>& values) {
    return from(values, {static_cast<int64_t>(values.size())});
  }

  // ---- what it is -----------------------------------------------------------------------------------
  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Strides& strides() const { return strides_; }
  int rank() const { return shape_.rank(); }
  /// Extent of an axis; negative axes count from the back.
  int64_t size(int64_t axis) const { return shape_[normalize_axis("size", axis, rank())]; }
  int64_t numel() const { return numel_; }
  bool is_empty() const { return numel_ == 0; }
  DType dtype() const { return dtype_; }
  Device device() const;
  /// Elements from the start of the storage to element [0, ..., 0].
  int64_t offset() const { return offset_; }
  bool is_contiguous() const;
  /// True if the elements fill one gap-free block of memory, in whatever order of axes.
  bool is_dense() const;
  /// True if two indices may name the same element: a broadcast axis of stride 0, or windows that overlap.
  bool overlaps_itself() const;
  bool shares_storage_with(const Tensor& other) const { return storage_ == other.storage_; }
  /// True if no other tensor looks at this storage.
  bool is_sole_owner() const { return storage_.use_count() == 1; }
  /// Counts in-place writes to the storage; autograd refuses to use a saved tensor that was overwritten
  /// since.
  uint64_t version() const;
  /// To be called by every op that writes into an existing tensor. `op` must be a string literal: it is kept
  /// to be named in the error of a stale saved tensor.
  void bump_version(const char* op) const;
  /// The op given to the last bump_version, "" if none.
  const char* last_writer() const;

  // ---- elements -------------------------------------------------------------------------------------
  /// Pointer to element [0, ..., 0]. Throws if T is not the dtype, or if the tensor is not on the host.
  template <class T>
  T* data() const;
  /// Address of element [0, ..., 0] for kernels, host or device; no check. For core/ops and below.
  void* raw() const;
  /// The single element of a one-element tensor (from the device, if need be), converted to double.
  double item() const;
  /// All elements, row-major, copied to the host. Throws if T is not the dtype.
  template <class T>
  std::vector<T> to_vector() const;

  // ---- views: same storage --------------------------------------------------------------------------
  /// Axes in a new order: `permute({0, 2, 3, 1})`.
  Tensor permute(const Dims& order) const;
  Tensor transpose(int64_t a, int64_t b) const;
  /// Last two axes exchanged.
  Tensor t() const { return transpose(-2, -1); }
  /// Elements start, start + step, ... before stop along an axis. 0 <= start <= stop <= extent, step >= 1.
  Tensor slice(int64_t axis, int64_t start, int64_t stop, int64_t step = 1) const;
  /// `length` elements from `start`.
  Tensor narrow(int64_t axis, int64_t start, int64_t length) const;
  /// One index of an axis, which disappears; negative indices count from the back.
  Tensor select(int64_t axis, int64_t index) const;
  /// Extents of 1 (and new leading axes) repeated by stride 0 up to `shape`.
  Tensor expand(const Shape& shape) const;
  Tensor unsqueeze(int64_t axis) const;
  /// Drops one axis of extent 1.
  Tensor squeeze(int64_t axis) const;
  /// A view if the memory allows it, else a contiguous copy. One extent may be -1.
  Tensor reshape(const Shape& shape) const;
  /// Axes first..last made one.
  Tensor flatten(int64_t first = 0, int64_t last = -1) const;
  /// Any window on the storage; checked against its size.
  Tensor as_strided(const Shape& shape, const Strides& strides, int64_t offset) const;

  // ---- copies ---------------------------------------------------------------------------------------
  /// This tensor if it is row-major, else a row-major copy.
  Tensor contiguous() const;
  /// A new tensor with the same elements; dense, in the same order of axes.
  Tensor clone() const;
  /// This tensor if it is there already, else a copy.
  Tensor to(Device device) const;
  /// This tensor if it has the dtype already, else a converted copy (floats to integers truncate).
  Tensor to(DType dtype) const;
  /// Writes `value` converted to the dtype into every element.
  const Tensor& fill_(double value) const;
  /// Copies elements from `source`, which broadcasts to this shape; dtypes and devices may differ.
  const Tensor& copy_(const Tensor& source) const;

  /// "float32 [2, 3] on cpu", for messages.
  std::string str() const;

 private:
  void require_defined(const char* what) const;
  std::shared_ptr<Storage> storage_;
  int64_t offset_ = 0;
  int64_t numel_ = 0;
  Shape shape_;
  Strides strides_;
  DType dtype_ = DType::float32;
};

/// Broadcast view of a tensor to a shape, as every elementwise op applies it.
Tensor broadcast_to(const char* op, const Tensor& x, const Shape& shape);

/// Checks that tensors share dtype or device; the error names the op and both.
void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);
void check_same_device(const char* op, const Tensor& a, const Tensor& b);

}  // namespace tenon
