#include "core/shape.h"

#include <algorithm>

namespace tenon {

void Dims::insert(int axis, int64_t value) {
  push_back(value);
  for (int i = rank_ - 1; i > axis; --i) values_[i] = values_[i - 1];
  values_[axis] = value;
}

void Dims::erase(int axis) {
  for (int i = axis; i + 1 < rank_; ++i) values_[i] = values_[i + 1];
  --rank_;
}

int64_t Dims::numel() const {
  int64_t product = 1;  // of those that are not 0: strides count so
  bool is_empty = false;
  for (int64_t extent : *this) {
    TENON_CHECK(extent >= 0, "shape ", *this, ": extents are not negative");
    is_empty |= extent == 0;
    TENON_CHECK(!__builtin_mul_overflow(product, std::max<int64_t>(extent, 1), &product), "shape ", *this,
                ": too many elements");
  }
  return is_empty ? 0 : product;
}

std::string Dims::str() const {
  std::string out = "[";
  for (int i = 0; i < rank_; ++i) out += (i ? ", " : "") + std::to_string(values_[i]);
  return out + "]";
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides = shape;
  uint64_t step = 1;  // unsigned: may wrap for a shape that no memory holds, which the storage refuses
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[i] = static_cast<int64_t>(step);
    step *= static_cast<uint64_t>(std::max<int64_t>(shape[i], 1));
  }
  return strides;
}

Strides strides_in_order_of(const Shape& shape, const Strides& like) {
  if (like.rank() != shape.rank()) return contiguous_strides(shape);
  int order[kMaxRank] = {};
  for (int i = 0; i < shape.rank(); ++i) order[i] = i;
  // Outermost axis first; equal strides (broadcast axes) stay in their logical order. By insertion: the axes are few,
  // mostly in order, and std::stable_sort would ask the heap for a buffer.
  for (int i = 1; i < shape.rank(); ++i)
    for (int j = i; j > 0 && like[order[j - 1]] < like[order[j]]; --j) std::swap(order[j - 1], order[j]);
  Strides strides = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    strides[order[i]] = step;
    step *= std::max<int64_t>(shape[order[i]], 1);
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape out = longer;
  for (int i = 0; i < shorter.rank(); ++i) {
    int64_t& extent = out[longer.rank() - 1 - i];
    int64_t other = shorter.back(i);
    TENON_CHECK(extent == other || extent == 1 || other == 1, op, ": shapes ", a, " and ", b,
                " do not broadcast (extents ", extent, " and ", other, " meet)");
    if (extent == 1) extent = other;
  }
  return out;
}

int normalize_axis(const char* op, int64_t axis, int rank) {
  int64_t normal = axis < 0 ? axis + rank : axis;
  TENON_CHECK(normal >= 0 && normal < rank, op, ": axis ", axis, " is out of range for rank ", rank);
  return static_cast<int>(normal);
}

Dims normalize_axes(const char* op, const Dims& axes, int rank) {
  Dims out;
  if (axes.rank() == 0) {
    for (int i = 0; i < rank; ++i) out.push_back(i);
    return out;
  }
  for (int64_t axis : axes) out.push_back(normalize_axis(op, axis, rank));
  std::sort(&out[0], &out[0] + out.rank());
  for (int i = 1; i < out.rank(); ++i)
    TENON_CHECK(out[i] != out[i - 1], op, ": axis ", out[i], " is named twice in ", axes);
  return out;
}

}  // namespace tenon
