// Dims: a short list of extents (a shape) or of steps between elements (strides), inline and of rank 0 to 8.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/error.h"

namespace tenon {

inline constexpr int kMaxRank = 8;

/// A fixed-capacity list of up to 8 int64. Copying it allocates nothing. Used as Shape, as Strides, and for
/// axes, kernel extents, paddings and the like.
class Dims {
 public:
  constexpr Dims() = default;
  Dims(std::initializer_list<int64_t> values) {
    for (int64_t value : values) push_back(value);
  }
  /// `rank` copies of `value`.
  static Dims filled(int rank, int64_t value) {
    Dims dims;
    for (int i = 0; i < rank; ++i) dims.push_back(value);
    return dims;
  }

  constexpr int rank() const { return rank_; }
  constexpr int64_t operator[](int axis) const { return values_[axis]; }
  constexpr int64_t& operator[](int axis) { return values_[axis]; }
  /// The extent from the back: `back()` is the last one.
  constexpr int64_t back(int from_end = 0) const { return values_[rank_ - 1 - from_end]; }
  constexpr const int64_t* begin() const { return values_; }
  constexpr const int64_t* end() const { return values_ + rank_; }
  constexpr const int64_t* data() const { return values_; }

  void push_back(int64_t value) {
    TENON_CHECK(rank_ < kMaxRank, "Dims: rank is at most ", kMaxRank);
    values_[rank_++] = value;
  }
  void insert(int axis, int64_t value);
  void erase(int axis);

  /// Product of the extents; 1 for rank 0. Throws if an extent is negative, or if the product of those that are not 0
  /// overflows int64.
  int64_t numel() const;
  /// "[2, 3, 4]"
  std::string str() const;

  friend constexpr bool operator==(const Dims& a, const Dims& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i)
      if (a.values_[i] != b.values_[i]) return false;
    return true;
  }

 private:
  int64_t values_[kMaxRank] = {};
  int rank_ = 0;
};

using Shape = Dims;
using Strides = Dims;

/// Strides of a dense row-major tensor of this shape.
Strides contiguous_strides(const Shape& shape);
/// Strides of a dense tensor of `shape` whose axes lie in memory in the same order as those of `like`.
Strides strides_in_order_of(const Shape& shape, const Strides& like);

/// The shape that two shapes broadcast to (numpy's rule). Throws in the name of `op` if they do not.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

/// Turns axis -1 into rank - 1 and so on. Throws in the name of `op` when out of range.
int normalize_axis(const char* op, int64_t axis, int rank);
/// Likewise for a list; an empty list means all axes. Sorted ascending; duplicates are refused.
Dims normalize_axes(const char* op, const Dims& axes, int rank);

}  // namespace tenon
