// The columns matrix of a convolution, one tile at a time: row (c, k) and column (n, p) hold the input
// element that output position p of image n meets at tap k of channel c, or 0 in the padding. With it a
// convolution is a product of matrices. Only tiles of it ever exist.
#pragma once

#include <algorithm>
#include <cstring>

#include "core/cpu/conv.h"

namespace tenon::cpu {

/// Columns of a few whole images, or of a range of output positions of one image.
struct ConvTile {
  int64_t image, images;  // first, how many
  int64_t from, to;       // positions of each
  int64_t columns() const { return images * (to - from); }
};

/// How images and positions are cut into tiles, and input channels into blocks: by the sizes alone.
struct ConvTiling {
  // Elements of one tile. In float32 it stays in a 1 MiB L2 cache together with the operands of its product.
  static constexpr int64_t kTile = int64_t{1} << 17;
  // Rows of a tile, if one channel allows: about what a product needs to run at speed.
  static constexpr int64_t kRows = 512;

  int64_t channels;         // of a block
  int64_t images;           // of a tile, 1 if images are cut
  int64_t positions;        // of a tile
  int64_t tiles_per_image;  // 1 if images > 1

  explicit ConvTiling(const ConvPlan& plan) : plan_(plan) {
    channels = std::clamp<int64_t>(kRows / plan.taps(), 1, plan.in_channels);
    const int64_t limit = std::max<int64_t>(16, kTile / std::max(channels * plan.taps(), plan.out_channels));
    const int64_t all = plan.positions();
    tiles_per_image = (all + limit - 1) / limit;
    // Evenly, in whole SIMD vectors.
    positions = tiles_per_image == 1 ? all : ((all + tiles_per_image - 1) / tiles_per_image + 15) / 16 * 16;
    tiles_per_image = (all + positions - 1) / positions;
    // Small images share a tile, so that products are not too narrow.
    images = std::clamp<int64_t>(std::min(limit, kShared) / all, 1, plan.images);
  }

  int64_t channel_blocks() const { return (plan_.in_channels + channels - 1) / channels; }
  int64_t image_blocks() const { return (plan_.images + images - 1) / images; }
  int64_t tiles() const { return image_blocks() * tiles_per_image; }
  int64_t max_columns() const { return images * positions; }
  ConvTile tile(int64_t i) const {
    const int64_t image = i / tiles_per_image * images;
    const int64_t from = i % tiles_per_image * positions;
    return {image, std::min(images, plan_.images - image), from,
            std::min(plan_.positions(), from + positions)};
  }

 private:
  static constexpr int64_t kShared = 256;
  const ConvPlan& plan_;
};

/// Is the columns matrix the input itself (1x1 kernels that visit every position)?
inline bool columns_are_input(const ConvPlan& plan) {
  for (int i = 0; i < 3; ++i)
    if (plan.kernel[i] != 1 || plan.stride[i] != 1 || plan.padding[i] != 0) return false;
  return true;
}

/// Visits the rows of the columns matrix for channels [first, last) of a group, in pieces along the innermost
/// spatial axis: `f(column, zeros_before, n, zeros_after, offset)`, where `column` counts from the start of
/// the tile's matrix of row length tile.columns(), and the n elements come from x + offset in steps of
/// stride[2] * x.position.
template <class F>
void for_each_run(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last, F&& f) {
  const int64_t width = plan.out[2], height = plan.out[1];
  const int64_t line0 = tile.from / width, depth0 = line0 / height, row0 = line0 % height;
  const int64_t step = plan.x.position;
  int64_t column = 0;
  for (int64_t c = first; c < last; ++c)
    for (int64_t kd = 0; kd < plan.kernel[0]; ++kd)
      for (int64_t kh = 0; kh < plan.kernel[1]; ++kh)
        for (int64_t kw = 0; kw < plan.kernel[2]; ++kw) {
          const int64_t shift_d = kd * plan.dilation[0] - plan.padding[0];
          const int64_t shift_h = kh * plan.dilation[1] - plan.padding[1];
          const int64_t shift_w = kw * plan.dilation[2] - plan.padding[2];
          // Output columns [low, high) of a line meet the input.
          auto reaches = [&](int64_t bound) {
            const int64_t way = bound - shift_w;
            return std::clamp<int64_t>(way <= 0 ? 0 : (way + plan.stride[2] - 1) / plan.stride[2], 0, width);
          };
          const int64_t low = reaches(0), high = std::max(low, reaches(plan.in[2]));
          for (int64_t n = tile.image; n < tile.image + tile.images; ++n) {
            const int64_t base = n * plan.x.image + c * plan.x.channel;
            int64_t od = depth0, oh = row0, w0 = tile.from % width;
            for (int64_t p = tile.from; p < tile.to; w0 = 0) {
              const int64_t w1 = std::min(width, w0 + tile.to - p);
              const int64_t id = od * plan.stride[0] + shift_d, ih = oh * plan.stride[1] + shift_h;
              int64_t from = std::clamp(low, w0, w1), to = std::clamp(high, w0, w1);
              if (id < 0 || id >= plan.in[0] || ih < 0 || ih >= plan.in[1]) from = to = w1;
              const int64_t iw = from * plan.stride[2] + shift_w;
              f(column, from - w0, to - from, w1 - to,
                base + ((id * plan.in[1] + ih) * plan.in[2] + iw) * step);
              column += w1 - w0;
              p += w1 - w0;
              if (++oh == height) oh = 0, ++od;
            }
          }
        }
}

/// Copies n elements that lie side by side. Lines of feature maps are short, so the call of memcpy would cost
/// more.
template <class T>
void copy_line(T* to, const T* from, int64_t n) {
  constexpr int64_t kWide = 8, kNarrow = 4;
  if (n >= kWide) {
    for (int64_t i = 0; i + kWide <= n; i += kWide) std::memcpy(to + i, from + i, kWide * sizeof(T));
    std::memcpy(to + n - kWide, from + n - kWide, kWide * sizeof(T));  // the rest, overlapping
  } else if (n >= kNarrow) {
    std::memcpy(to, from, kNarrow * sizeof(T));
    std::memcpy(to + n - kNarrow, from + n - kNarrow, kNarrow * sizeof(T));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

/// Fills rows of the columns matrix from the input of a group.
template <class T>
void gather_columns(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last, const T* x,
                    T* columns) {
  const int64_t step = plan.stride[2] * plan.x.position;
  for_each_run(plan, tile, first, last,
               [&](int64_t at, int64_t before, int64_t n, int64_t after, int64_t offset) {
                 T* to = columns + at;
                 for (int64_t i = 0; i < before; ++i) to[i] = 0;
                 to += before;
                 const T* from = x + offset;
                 if (step == 1) {
                   copy_line(to, from, n);
                 } else {
                   for (int64_t i = 0; i < n; ++i) to[i] = from[i * step];
                 }
                 for (int64_t i = n; i < n + after; ++i) to[i] = 0;
               });
}

/// Adds rows of the columns matrix to the places of the input that they came from.
template <class T>
void scatter_columns(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last,
                     const T* columns, T* x) {
  const int64_t step = plan.stride[2] * plan.x.position;
  for_each_run(plan, tile, first, last, [&](int64_t at, int64_t before, int64_t n, int64_t, int64_t offset) {
    const T* __restrict from = columns + at + before;
    T* __restrict to = x + offset;
    if (step == 1) {
      for (int64_t i = 0; i < n; ++i) to[i] += from[i];
    } else {
      for (int64_t i = 0; i < n; ++i) to[i * step] += from[i];
    }
  });
}

}  // namespace tenon::cpu
