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
    const int64_t all = plan.positions(), width = plan.out[2];
    const int64_t unit = width <= limit ? width : 16;  // whole lines, or whole SIMD vectors of one line
    tiles_per_image = (all + limit / unit * unit - 1) / (limit / unit * unit);
    const int64_t even = (all + tiles_per_image - 1) / tiles_per_image;
    positions = std::min(all, (even + unit - 1) / unit * unit);
    tiles_per_image = (all + positions - 1) / positions;
    // Small images share a tile, so that products are not too narrow.
    images = std::clamp<int64_t>(std::min(limit, kShared) / all, 1, plan.images);
  }

  /// Makes blocks of channels smaller until there are `count` of them, if channels allow: for kernels whose tasks are
  /// blocks, where images and groups alone are too few to share among threads.
  void split_channels(int64_t count) {
    count = std::clamp<int64_t>(count, 1, plan_.in_channels);
    channels = std::min(channels, (plan_.in_channels + count - 1) / count);
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

/// Lines (along the innermost spatial axis, or parts of one) that follow each other in a row of the columns
/// matrix. Each is `before` zeros, n elements of the input and `after` zeros.
struct ColumnLines {
  int64_t column;  // of the first, counted from the start of the tile's matrix of row length tile.columns()
  int64_t lines;
  int64_t before, n, after;
  int64_t x,
      x_step;  // offset in x of the first element of the first line, and the way to that of the next line
  int64_t width() const { return before + n + after; }
};

/// Outputs [low, high) whose input o * stride + shift lies in [0, in).
struct Reach {
  int64_t low, high;
  Reach(int64_t stride, int64_t shift, int64_t in, int64_t out) {
    auto first = [&](int64_t bound) {
      return bound <= shift ? 0 : std::min(out, (bound - shift + stride - 1) / stride);
    };
    low = first(0);
    high = std::max(low, first(in));
  }
};

/// Visits the rows of the columns matrix of channels [first, last) of a group: `f(lines)`, row after row, in
/// order of columns. The elements of a line stand stride[2] * x.position apart in x.
template <class F>
void for_each_line(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last, F&& f) {
  const int64_t width = plan.out[2], height = plan.out[1], step = plan.x.position;
  const int64_t line0 = tile.from / width;
  const int64_t x_step = plan.stride[1] * plan.in[2] * step;
  ColumnLines run{};
  // One row of the matrix: channel c at one tap.
  auto row = [&](int64_t c, int64_t shift_d, int64_t shift_h, int64_t shift_w) {
    const Reach reach_h(plan.stride[1], shift_h, plan.in[1], height);
    const Reach reach_w(plan.stride[2], shift_w, plan.in[2], width);
    for (int64_t n = tile.image; n < tile.image + tile.images; ++n) {
      int64_t od = line0 / height, oh = line0 % height, from = tile.from % width;
      for (int64_t p = tile.from; p < tile.to;) {
        const bool whole = from == 0 && tile.to - p >= width;
        const int64_t lines = whole ? std::min((tile.to - p) / width, height - oh) : 1;
        const int64_t to = whole ? width : std::min(width, from + tile.to - p);
        const int64_t low = std::clamp(reach_w.low, from, to), high = std::clamp(reach_w.high, low, to);
        const int64_t id = od * plan.stride[0] + shift_d;
        const bool inside = id >= 0 && id < plan.in[0];
        const int64_t top = inside ? std::clamp(reach_h.low, oh, oh + lines) : oh + lines;
        const int64_t bottom = inside ? std::clamp(reach_h.high, top, oh + lines) : oh + lines;
        auto emit = [&](int64_t count, int64_t before, int64_t elements, int64_t after) {
          if (count == 0) return;
          run.lines = count, run.before = before, run.n = elements, run.after = after;
          f(static_cast<const ColumnLines&>(run));
          run.column += count * (to - from);
        };
        emit(top - oh, to - from, 0, 0);
        const int64_t ih = top * plan.stride[1] + shift_h, iw = low * plan.stride[2] + shift_w;
        run.x = n * plan.x.image + c * plan.x.channel + ((id * plan.in[1] + ih) * plan.in[2] + iw) * step;
        run.x_step = x_step;
        emit(bottom - top, low - from, high - low, to - high);
        emit(oh + lines - bottom, to - from, 0, 0);
        p += lines * (to - from);
        oh += lines, from = 0;
        if (oh == height) oh = 0, ++od;
      }
    }
  };
  for (int64_t c = first; c < last; ++c)
    for (int64_t kd = 0; kd < plan.kernel[0]; ++kd)
      for (int64_t kh = 0; kh < plan.kernel[1]; ++kh)
        for (int64_t kw = 0; kw < plan.kernel[2]; ++kw)
          row(c, kd * plan.dilation[0] - plan.padding[0], kh * plan.dilation[1] - plan.padding[1],
              kw * plan.dilation[2] - plan.padding[2]);
}

/// Copies n elements that lie side by side. Lines of feature maps are short: the call of memcpy would cost
/// more.
template <class T>
inline void copy_line(T* to, const T* from, int64_t n) {
  constexpr int64_t kWide = 8, kNarrow = 4;
  if (n >= kWide) {
    for (int64_t i = 0; i < n - kWide; i += kWide) std::memcpy(to + i, from + i, kWide * sizeof(T));
    std::memcpy(to + n - kWide, from + n - kWide, kWide * sizeof(T));  // the rest, overlapping
  } else if (n >= kNarrow) {
    std::memcpy(to, from, kNarrow * sizeof(T));
    std::memcpy(to + n - kNarrow, from + n - kNarrow, kNarrow * sizeof(T));
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i];
  }
}

/// Copies lines of n elements, without gaps in `to`, `step` apart in `from`.
template <class T>
inline void copy_lines(T* to, const T* from, int64_t lines, int64_t n, int64_t step) {
  constexpr int64_t kWide = 8;
  if (n == kWide) {  // one vector a line, without further questions
    for (int64_t line = 0; line < lines; ++line)
      std::memcpy(to + line * kWide, from + line * step, kWide * sizeof(T));
  } else {
    for (int64_t line = 0; line < lines; ++line) copy_line(to + line * n, from + line * step, n);
  }
}

/// Adds lines of n elements, `from_step` apart, to lines `to_step` apart.
template <class T>
inline void add_lines(T* __restrict to, const T* __restrict from, int64_t lines, int64_t n, int64_t to_step,
                      int64_t from_step) {
  constexpr int64_t kWide = 8;
  for (int64_t line = 0; line < lines; ++line, to += to_step, from += from_step) {
    int64_t i = 0;
    for (; i + kWide <= n; i += kWide)
      for (int64_t l = 0; l < kWide; ++l) to[i + l] += from[i + l];
    for (; i < n; ++i) to[i] += from[i];
  }
}

/// Fills rows of the columns matrix from the input of a group.
template <class T>
void gather_columns(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last, const T* x,
                    T* columns) {
  const int64_t step = plan.stride[2] * plan.x.position;
  for_each_line(plan, tile, first, last, [&](const ColumnLines& run) {
    T* to = columns + run.column;
    const T* from = x + run.x;
    if (step == 1 && run.before == 0 && run.after == 0)
      return copy_lines(to, from, run.lines, run.n, run.x_step);
    for (int64_t line = 0; line < run.lines; ++line, from += run.x_step) {
      for (int64_t i = 0; i < run.before; ++i) *to++ = 0;
      if (step == 1) {
        copy_line(to, from, run.n);
      } else {
        for (int64_t i = 0; i < run.n; ++i) to[i] = from[i * step];
      }
      to += run.n;
      for (int64_t i = 0; i < run.after; ++i) *to++ = 0;
    }
  });
}

/// Adds rows of the columns matrix to the places of the input that they came from.
template <class T>
void scatter_columns(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last,
                     const T* columns, T* x) {
  const int64_t step = plan.stride[2] * plan.x.position;
  for_each_line(plan, tile, first, last, [&](const ColumnLines& run) {
    if (run.n == 0) return;
    const T* from = columns + run.column + run.before;
    T* to = x + run.x;
    if (step == 1) return add_lines(to, from, run.lines, run.n, run.x_step, run.width());
    for (int64_t line = 0; line < run.lines; ++line, from += run.width(), to += run.x_step)
      for (int64_t i = 0; i < run.n; ++i) to[i * step] += from[i];
  });
}

}  // namespace tenon::cpu
