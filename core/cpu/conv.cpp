// Convolutions as products of matrices, over tiles of the columns matrix (conv_columns.h) that fit the cache:
// OpenBLAS multiplies, single-threaded, and threads take tiles. Each task writes its own part of the result,
// and sums run in an order fixed by the sizes, so the bits are the same for any number of threads.
#include "core/cpu/conv.h"

#include "core/cpu/blas.h"
#include "core/cpu/conv_columns.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

// The [out_channels, columns] matrix of a tile in y, where it is one: a tile within an image always is, whole
// images are if their positions follow each other evenly.
bool lies_as_matrix(const ConvPlan& plan, const ConvTile& tile) {
  return tile.images == 1 || plan.y.image == plan.positions() * plan.y.position;
}
template <class T>
Matrix<T> matrix_in_y(const ConvPlan& plan, const ConvTile& tile, T* y) {
  return {y + tile.image * plan.y.image + tile.from * plan.y.position, plan.y.channel, plan.y.position};
}

// The gradient of y over a tile as a matrix; packed into `panel` where it does not lie as one.
template <class T>
Matrix<const T> gradient_panel(const ConvPlan& plan, const ConvTile& tile, const T* g, T* panel) {
  if (lies_as_matrix(plan, tile)) return matrix_in_y(plan, tile, g);
  const int64_t positions = plan.positions();
  for (int64_t o = 0; o < plan.out_channels; ++o)
    for (int64_t n = 0; n < tile.images; ++n)
      copy_line(panel + (o * tile.images + n) * positions,
                g + (tile.image + n) * plan.y.image + o * plan.y.channel, positions);
  return {panel, tile.columns(), 1};
}

// The columns of a block of channels: the input itself, or gathered into `columns`.
template <class T>
Matrix<const T> column_block(const ConvPlan& plan, const ConvTile& tile, int64_t first, int64_t last,
                             const T* x, T* columns) {
  if (columns_are_input(plan) && (tile.images == 1 || plan.x.image == plan.positions() * plan.x.position))
    return {x + tile.image * plan.x.image + first * plan.x.channel + tile.from * plan.x.position,
            plan.x.channel, plan.x.position};
  gather_columns(plan, tile, first, last, x, columns);
  return {columns, tile.columns(), 1};
}

// y[o, column] = b[o] + W[o, (c, k)] columns[(c, k), column], for one tile and group.
template <class T>
void forward_tile(const ConvPlan& plan, const ConvTiling& tiling, const ConvTile& tile, T* y, const T* x,
                  const T* weight, const T* bias, T* columns, T* panel) {
  const bool direct = lies_as_matrix(plan, tile);
  const int64_t rows = plan.in_channels * plan.taps(), width = tile.columns();
  Matrix<T> result = direct ? matrix_in_y(plan, tile, y) : Matrix<T>{panel, width, 1};
  for (int64_t first = 0; first < plan.in_channels; first += tiling.channels) {
    const int64_t last = std::min(first + tiling.channels, plan.in_channels);
    Matrix<const T> block = column_block(plan, tile, first, last, x, columns);
    multiply(plan.out_channels, width, (last - first) * plan.taps(), {weight + first * plan.taps(), rows, 1},
             block, first == 0 ? T{0} : T{1}, result);
  }
  if (direct && bias == nullptr) return;
  if (direct && result.column != 1) {  // channels last: the bias lies along each position
    for (int64_t i = 0; i < width; ++i)
      for (int64_t o = 0; o < plan.out_channels; ++o) result.at[i * result.column + o] += bias[o];
    return;
  }
  const int64_t length = direct ? width : plan.positions();
  for (int64_t o = 0; o < plan.out_channels; ++o) {
    const T shift = bias == nullptr ? T{0} : bias[o];
    for (int64_t n = 0; n < width / length; ++n) {
      const T* from = result.at + o * result.row + n * length;
      T* to = direct ? result.at + o * result.row : y + (tile.image + n) * plan.y.image + o * plan.y.channel;
      for (int64_t i = 0; i < length; ++i) to[i] = from[i] + shift;
    }
  }
}

template <class T>
void forward(const ConvPlan& plan, T* y, const T* x, const T* weight, const T* bias) {
  const ConvTiling tiling(plan);
  const int64_t rows = tiling.channels * plan.taps(), width = tiling.max_columns();
  const int64_t work = plan.out_channels * plan.in_channels * plan.taps() * width;
  const int64_t weights = plan.weights() / plan.groups;
  parallel_for(tiling.tiles() * plan.groups, grain_for_flops(work), [&](int64_t begin, int64_t end) {
    Scratch<T> columns(rows * width), panel(tiling.images > 1 ? plan.out_channels * width : 0);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t group = task % plan.groups;
      forward_tile(
          plan, tiling, tiling.tile(task / plan.groups), y + group * plan.out_channels * plan.y.channel,
          x + group * plan.in_channels * plan.x.channel, weight + group * weights,
          bias == nullptr ? nullptr : bias + group * plan.out_channels, columns.data(), panel.data());
    }
  });
}

// Zeros channels [first, last) of some images.
template <class T>
void clear_input(const ConvPlan& plan, int64_t image, int64_t images, int64_t first, int64_t last, T* gx) {
  const int64_t positions = plan.in[0] * plan.in[1] * plan.in[2], channels = last - first;
  const bool channels_inside = plan.x.position != 1;
  const int64_t outer = channels_inside ? positions : channels,
                inner = channels_inside ? channels : positions;
  const int64_t step = channels_inside ? plan.x.position : plan.x.channel;
  for (int64_t n = image; n < image + images; ++n) {
    T* at = gx + n * plan.x.image + first * plan.x.channel;
    for (int64_t i = 0; i < outer; ++i) std::fill_n(at + i * step, inner, T{0});
  }
}

// columns[(c, k), column] = W[o, (c, k)] g[o, column], added up where it came from. A task is some images, a
// group and a block of channels; it goes through the tiles of its images in order, and nobody else writes
// there.
template <class T>
void backward_input(const ConvPlan& plan, T* gx, const T* g, const T* weight) {
  ConvTiling tiling(plan);
  constexpr int64_t kTasks = 8;
  tiling.split_channels(kTasks / (tiling.image_blocks() * plan.groups));
  const int64_t blocks = tiling.channel_blocks(), width = tiling.max_columns();
  const int64_t work = plan.out_channels * tiling.channels * plan.taps() * width * tiling.tiles_per_image;
  const int64_t all_rows = plan.in_channels * plan.taps();
  const bool in_place = columns_are_input(plan);
  parallel_for(
      tiling.image_blocks() * plan.groups * blocks, grain_for_flops(work), [&](int64_t begin, int64_t end) {
        Scratch<T> columns(tiling.channels * plan.taps() * width),
            panel(tiling.images > 1 ? plan.out_channels * width : 0);
        for (int64_t task = begin; task < end; ++task) {
          const int64_t group = task / blocks % plan.groups;
          const int64_t first = task % blocks * tiling.channels;
          const int64_t last = std::min(first + tiling.channels, plan.in_channels);
          const int64_t rows = (last - first) * plan.taps();
          const T* w = weight + group * plan.out_channels * all_rows + first * plan.taps();
          T* to = gx + group * plan.in_channels * plan.x.channel;
          for (int64_t part = 0; part < tiling.tiles_per_image; ++part) {
            const ConvTile tile = tiling.tile(task / blocks / plan.groups * tiling.tiles_per_image + part);
            if (part == 0 && !in_place) clear_input(plan, tile.image, tile.images, first, last, to);
            Matrix<const T> gradient =
                gradient_panel(plan, tile, g + group * plan.out_channels * plan.y.channel, panel.data());
            if (in_place && tile.images == 1) {
              multiply(rows, tile.columns(), plan.out_channels, {w, 1, all_rows}, gradient, T{0},
                       {to + tile.image * plan.x.image + first * plan.x.channel + tile.from * plan.x.position,
                        plan.x.channel, plan.x.position});
              continue;
            }
            multiply(rows, tile.columns(), plan.out_channels, {w, 1, all_rows}, gradient, T{0},
                     {columns.data(), tile.columns(), 1});
            if (in_place) clear_input(plan, tile.image, tile.images, first, last, to);
            scatter_columns(plan, tile, first, last, columns.data(), to);
          }
        }
      });
}

// gw[o, (c, k)] = g[o, column] columns[(c, k), column]. Tiles are cut into at most 16 parts, each summed in
// order into weights of its own, and the parts are summed in order. With many weights there are fewer parts;
// threads then share the blocks of channels.
template <class T>
void backward_weight(const ConvPlan& plan, T* gw, const T* g, const T* x) {
  constexpr int64_t kMaxParts = 16, kPartial = int64_t{1} << 20;
  const ConvTiling tiling(plan);
  const int64_t tiles = tiling.tiles(), weights = plan.weights(), blocks = tiling.channel_blocks();
  const int64_t most = std::clamp<int64_t>(kPartial / weights, 1, kMaxParts);
  const int64_t per_part = (tiles + most - 1) / most, parts = (tiles + per_part - 1) / per_part;
  const int64_t width = tiling.max_columns(), all_rows = plan.in_channels * plan.taps();
  const int64_t work = plan.out_channels * tiling.channels * plan.taps() * width * per_part;
  Scratch<T> partial(parts > 1 ? parts * weights : 0);
  parallel_for(parts * plan.groups * blocks, grain_for_flops(work), [&](int64_t begin, int64_t end) {
    Scratch<T> columns(tiling.channels * plan.taps() * width),
        panel(tiling.images > 1 ? plan.out_channels * width : 0);
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task / blocks / plan.groups, group = task / blocks % plan.groups;
      const int64_t first = task % blocks * tiling.channels;
      const int64_t last = std::min(first + tiling.channels, plan.in_channels);
      T* to = (parts > 1 ? partial.data() + part * weights : gw) + group * plan.out_channels * all_rows +
              first * plan.taps();
      for (int64_t i = part * per_part; i < std::min(tiles, (part + 1) * per_part); ++i) {
        const ConvTile tile = tiling.tile(i);
        Matrix<const T> gradient =
            gradient_panel(plan, tile, g + group * plan.out_channels * plan.y.channel, panel.data());
        Matrix<const T> block = column_block(plan, tile, first, last,
                                             x + group * plan.in_channels * plan.x.channel, columns.data());
        multiply(plan.out_channels, (last - first) * plan.taps(), tile.columns(), gradient,
                 {block.at, block.column, block.row}, i == part * per_part ? T{0} : T{1}, {to, all_rows, 1});
      }
    }
  });
  if (parts == 1) return;
  parallel_for(weights, grain_for_bytes(parts * int64_t{sizeof(T)}), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      for (int64_t part = 0; part < parts; ++part)
        sum += static_cast<double>(partial.data()[part * weights + i]);
      gw[i] = static_cast<T>(sum);
    }
  });
}

}  // namespace

void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias) {
  visit_floating("conv", dtype, [&](auto tag) {
    using T = decltype(tag);
    forward(plan, static_cast<T*>(y), static_cast<const T*>(x), static_cast<const T*>(weight),
            static_cast<const T*>(bias));
  });
}

void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight) {
  visit_floating("conv_backward_input", dtype, [&](auto tag) {
    using T = decltype(tag);
    backward_input(plan, static_cast<T*>(gx), static_cast<const T*>(g), static_cast<const T*>(weight));
  });
}

void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x) {
  visit_floating("conv_backward_weight", dtype, [&](auto tag) {
    using T = decltype(tag);
    backward_weight(plan, static_cast<T*>(gw), static_cast<const T*>(g), static_cast<const T*>(x));
  });
}

}  // namespace tenon::cpu
