// The naive convolution, in one place for the catalogue rows and the bit-for-bit test: every product of it,
// once.
#pragma once

#include <functional>

#include "core/ops/conv.h"
#include "core/shape.h"

namespace tenon::catalogue {

/// Sizes of one convolution, spatial axes filled up to three with extents of 1.
struct ConvCase {
  int64_t images, in_channels, out_channels;  // of all groups
  Dims in, kernel;
  ConvOptions options;

  Dims out() const;
  Shape x_shape() const { return image(images, in_channels, in); }
  Shape y_shape() const { return image(images, out_channels, out()); }
  Shape w_shape() const { return image(out_channels, in_channels / options.groups, kernel); }
  std::string label() const;
  int64_t option(const Dims& given, int axis, int64_t standard) const {
    return given.rank() == 0 ? standard : given[given.rank() == 1 ? 0 : axis];
  }

 private:
  static Shape image(int64_t a, int64_t b, const Dims& spatial) {
    Shape shape{a, b};
    for (int64_t extent : spatial) shape.push_back(extent);
    return shape;
  }
};

/// Calls `f(y, x, w)` with the row-major positions of the elements of every product.
void for_each_product(const ConvCase& c, const std::function<void(int64_t y, int64_t x, int64_t w)>& f);

}  // namespace tenon::catalogue
