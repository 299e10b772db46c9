// Convolutions of stride 1 whose taps run along the image: a block holds the patch of the source that its positions see, and
// all taps of a channel read it there. Against conv_product.h, where an element is gathered once for every tap, a 3 x 3
// kernel takes a ninth of the copies.
//
// A thread computes kRows channels of four neighbouring positions. For a channel and a row of taps it reads a window of 4 +
// kTapsX - 1 values and kRows * kTapsX weights, which all threads of a warp share, for 4 kRows kTapsX multiply-adds: at 8
// rows and 3 taps 8 reads of 8 or 16 bytes for 96. Of shared memory that is 14 turns of 128 bytes a warp, so four warps
// leave it idle for 40 % of the 96 cycles that their multiply-adds take.
//
// By that count arithmetic is the bound. Predicted: 15 to 16 us for N128 C16 32^2 K16 and for C32 16^2 K32, 23 us for C64
// 8^2 K64. Measured on an H200: 25, 30 and 38 us (43, 45 and 52 by a gather), so 37, 31 and 25 % of
// the peak; 3-D, N1 C16 64^3 K16, 114 us or 49 % (225). What the time between is spent on was not measured yet.
//
// Channels come a few at a time, by asynchronous copies into one buffer while the other is multiplied. A channel's sums run in
// the order channel, tap along z, along y, along x: the same at every run.
#pragma once

#include <algorithm>

#include "cuda/kernels/conv_gather.h"
#include "cuda/kernels/conv_window_line.h"

namespace tenon::cuda {

constexpr int64_t kWindowThreadsWanted = 132 * 256;  // a block for each multiprocessor of a large card

constexpr int kWindowLongSum = 1024;  // of which conv_product.h makes two parts

/// One group of a convolution, or of its gradient with respect to the input. Axes are z, y, x.
struct ConvWindow {
  int m, channels, images;
  int positions[3], extent[3], start[3], taps[3];  ///< position j sees source positions start + j + t
  int source_image, source_channel, result_image, c_step;
  int64_t source_group, a_group, c_group;
  int a_step, weight_first, weight_channel, weight_tap[3];
  int tile[4], tiles[4];  ///< images, z, y, fours of x that a block computes, and how many blocks along each
  int patch[2],
      pitch;       ///< of the source, for one image of the tile: lines along z and y; words from line to line
  int plane;       ///< words of a channel's patch, of all images of the tile
  int row_groups;  ///< threads of a block that share positions, with kRows rows each: 1, 2, 4 or 8
  int chunk;       ///< channels in a buffer

  int all_taps() const { return taps[0] * taps[1] * taps[2]; }
};

/// Words from one tap's weights to the next: apart by 4, so that copies of neighbouring taps meet different banks.
TENON_HD constexpr int window_weight_pitch(int rows) { return rows + 4; }

/// What a block copies for one buffer.
struct WindowPieces {
  const ConvWindow& w;
  const float *a, *source;
  const int *patch_offsets, *weight_offsets;  // shared; -1 beyond the source
  int rows, row, thread;                      // of the block: how many, the first

  __device__ void load(int channel, int count, float* patch, float* weights) const {
    for (int c = 0; c < count; ++c) {
      const float* const from = source + int64_t{channel + c} * w.source_channel;
      TENON_ROLLED for (int i = thread; i < w.plane; i += kWindowThreads) {
        const int offset = patch_offsets[i];
        copy_async(patch + c * w.plane + i, from + offset, offset >= 0);
      }
    }
    const int lane = thread % 32, pitch = window_weight_pitch(rows);
    const int each = count * w.taps[0] * w.taps[1] * w.taps[2];
    TENON_ROLLED for (int r = thread / 32; r < rows; r += kWindowThreads / 32) {
      const float* const from = a + int64_t{row + r} * w.a_step + int64_t{channel} * w.weight_channel;
      TENON_ROLLED for (int k = lane; k < each; k += 32)
          copy_async(weights + k * pitch + r, from + weight_offsets[k], row + r < w.m);
    }
  }
};

/// The places of a block's tile, and of a thread's four positions in it.
struct WindowPlace {
  int first[4];  // of the tile: image, z, y, x
  int at[4];     // of the thread's positions in the tile: image, z, y, x
  bool inside;   // does the thread have positions?

  __device__ WindowPlace(const ConvWindow& w, int block, int four) {
    const int fours = w.tile[0] * w.tile[1] * w.tile[2] * w.tile[3];
    const int within = four < fours ? four : 0;  // of those without, too, every read is in the patch
    at[3] = within % w.tile[3] * kWindowColumns;
    at[2] = within / w.tile[3] % w.tile[2];
    at[1] = within / (w.tile[3] * w.tile[2]) % w.tile[1];
    at[0] = within / (w.tile[3] * w.tile[2] * w.tile[1]);
    first[3] = block % w.tiles[3] * w.tile[3] * kWindowColumns;
    first[2] = block / w.tiles[3] % w.tiles[2] * w.tile[2];
    first[1] = block / (w.tiles[3] * w.tiles[2]) % w.tiles[1] * w.tile[1];
    first[0] = block / (w.tiles[3] * w.tiles[2] * w.tiles[1]) * w.tile[0];
    inside = four < fours && first[0] + at[0] < w.images;
    for (int i = 0; i < 3; ++i) inside = inside && first[i + 1] + at[i + 1] < w.positions[i];
  }

  /// Where the thread's window begins in the patch.
  __device__ int in_patch(const ConvWindow& w) const {
    return ((at[0] * w.patch[0] + at[1]) * w.patch[1] + at[2]) * w.pitch + at[3];
  }
  /// In the result, from the first channel.
  __device__ int in_result(const ConvWindow& w) const {
    const int z = first[1] + at[1], y = first[2] + at[2], x = first[3] + at[3];
    return (first[0] + at[0]) * w.result_image + (z * w.positions[1] + y) * w.positions[2] + x;
  }
  /// Of word i of a channel's patch, in the source's channel; -1 where there is none.
  __device__ int in_source(const ConvWindow& w, int i) const {
    int of[4];
    const int extent[3] = {w.patch[0], w.patch[1], w.pitch};
    for (int axis = 2; axis >= 0; --axis) {  // unsigned numbers divide faster
      const unsigned left = static_cast<unsigned>(i) / static_cast<unsigned>(extent[axis]);
      of[axis + 1] = i - static_cast<int>(left) * extent[axis];
      i = static_cast<int>(left);
    }
    const int image = first[0] + i;
    const int z = first[1] + of[1] + w.start[0], y = first[2] + of[2] + w.start[1],
              x = first[3] + of[3] + w.start[2];
    const bool is_there = image < w.images && static_cast<unsigned>(z) < static_cast<unsigned>(w.extent[0]) &&
                          static_cast<unsigned>(y) < static_cast<unsigned>(w.extent[1]) &&
                          static_cast<unsigned>(x) < static_cast<unsigned>(w.extent[2]);
    return is_there ? image * w.source_image + (z * w.extent[1] + y) * w.extent[2] + x : -1;
  }
};

/// blockIdx: x the tile of positions, y the tile of rows, z the group. kTapsY, kTapsX: of the kernel; its taps along z are
/// walked in a loop.
template <int kRows, int kTapsY, int kTapsX>
__global__ void __launch_bounds__(kWindowThreads, 2)
    conv_window_kernel(ConvWindow w, float* c, const float* __restrict__ a, const float* __restrict__ source,
                       ConvFinish<float> finish) {
  TENON_DYNAMIC_SHARED(float, pool);
  const int thread = static_cast<int>(threadIdx.x), group = static_cast<int>(blockIdx.z);
  const int rows = w.row_groups * kRows, pitch = window_weight_pitch(rows);
  const int across = kWindowThreads / w.row_groups;  // threads of the same rows
  const int row = static_cast<int>(blockIdx.y) * rows, own_row = thread / across * kRows;
  const int taps = w.taps[0] * kTapsY * kTapsX, piece = w.chunk * (w.plane + taps * pitch);
  int* const patch_offsets = reinterpret_cast<int*>(pool + 2 * piece);
  int* const weight_offsets = patch_offsets + w.plane;
  const WindowPlace place(w, static_cast<int>(blockIdx.x), thread % across);
  for (int i = thread; i < w.plane; i += kWindowThreads) patch_offsets[i] = place.in_source(w, i);
  for (int k = thread; k < w.chunk * taps; k += kWindowThreads) {
    const int t = k % taps;
    weight_offsets[k] = w.weight_first + k / taps * w.weight_channel +
                        t / (kTapsY * kTapsX) * w.weight_tap[0] + t / kTapsX % kTapsY * w.weight_tap[1] +
                        t % kTapsX * w.weight_tap[2];
  }
  __syncthreads();

  const WindowPieces pieces{
      w,     a + group * w.a_group, source + group * w.source_group, patch_offsets, weight_offsets, rows, row,
      thread};
  float sum[kRows][kWindowColumns] = {};
  const int own = place.in_patch(w);
  const auto count_from = [&](int channel) {
    return w.channels - channel < w.chunk ? w.channels - channel : w.chunk;
  };
  pieces.load(0, count_from(0), pool, pool + w.chunk * w.plane);
  commit_copies();
  int now = 0;
  for (int channel = 0; channel < w.channels; channel += w.chunk, now = 1 - now) {
    float *const patch = pool + now * piece, *const weights = patch + w.chunk * w.plane;
    wait_for_copies<0>();
    __syncthreads();  // this buffer is there, and the other is no longer read
    if (const int next = channel + w.chunk; next < w.channels) {
      float* const other = pool + (1 - now) * piece;
      pieces.load(next, count_from(next), other, other + w.chunk * w.plane);
      commit_copies();
    }
    const int count = count_from(channel);
    for (int k = 0; k < count; ++k)
      for (int z = 0; z < w.taps[0]; ++z) {
        const float* const lines = patch + k * w.plane + own + z * w.patch[1] * w.pitch;
        const float* const values = weights + (k * taps + z * kTapsY * kTapsX) * pitch + own_row;
        TENON_UNROLL
        for (int y = 0; y < kTapsY; ++y) {
          float x[kWindowColumns + kTapsX - 1];
          read_window(x, lines + y * w.pitch);
          TENON_UNROLL
          for (int t = 0; t < kTapsX; ++t) {
            Neighbours<float, 4> v[kRows / 4];
            for (int i = 0; i < kRows / 4; ++i)
              v[i] =
                  *reinterpret_cast<const Neighbours<float, 4>*>(values + (y * kTapsX + t) * pitch + 4 * i);
            TENON_UNROLL
            for (int i = 0; i < kRows; ++i) TENON_UNROLL
            for (int j = 0; j < kWindowColumns; ++j)
              sum[i][j] = math::fma(v[i / 4].v[i % 4], x[j + t], sum[i][j]);
          }
        }
      }
  }
  if (!place.inside) return;

  const int64_t offset = group * w.c_group + place.in_result(w);
  const int left = w.positions[2] - place.first[3] - place.at[3];  // positions of the line from here on
  TENON_UNROLL
  for (int i = 0; i < kRows; ++i) {
    const int r = row + own_row + i;
    if (r >= w.m) continue;
    const int64_t at = offset + int64_t{r} * w.c_step;
    const float bias = finish.bias == nullptr ? 0.0F : finish.bias[group * w.m + r];
    Neighbours<float, 4> four;
    TENON_UNROLL
    for (int j = 0; j < kWindowColumns; ++j)
      if (j < left) four.v[j] = finish.value(sum[i][j] + bias, at + j);
    if (left >= kWindowColumns && reinterpret_cast<uintptr_t>(c + at) % 16 == 0) {
      *reinterpret_cast<Neighbours<float, 4>*>(c + at) = four;
      continue;
    }
    TENON_UNROLL
    for (int j = 0; j < kWindowColumns; ++j)
      if (j < left) c[at + j] = four.v[j];
  }
}

// ---- which tile, by sizes alone -----------------------------------------------------------------------------------------

/// The window of a gather of stride 1 and dilation 1 over images whose lines are dense; without one if it is no such gather.
struct WindowPlan {
  bool fits = false;
  int rows = 0;  ///< of a thread
  ConvWindow window;
  size_t shared_bytes = 0;
};

/// Sets the tile for `fours` threads along the positions, and what follows from it. The tile is as wide as the image where
/// it can be, and of those the one whose patch is the smallest for its positions.
inline void set_window_tile(ConvWindow& w, int fours) {
  const int wide = (w.positions[2] + kWindowColumns - 1) / kWindowColumns;
  const auto part = [](int extent, int most) {  // of equal parts of an extent, the largest within `most`
    const int parts = (extent + most - 1) / most;
    return (extent + parts - 1) / parts;
  };
  const int x = part(wide, std::min(fours, 16));
  double least = 0;
  for (int high = 1;; high *= 2) {
    const int y = part(w.positions[1], std::min(high, fours / x));
    const int z = part(w.positions[0], fours / (x * y));
    const int n = part(w.images, fours / (x * y * z));
    const int lines = n * (z + w.taps[0] - 1) * (y + w.taps[1] - 1);
    const double cost = static_cast<double>(lines) / (n * z * y);
    if (high == 1 || cost < least) {
      least = cost;
      const int tile[4] = {n, z, y, x};
      std::copy(tile, tile + 4, w.tile);
    }
    if (high >= std::min(w.positions[1], fours / x)) break;
  }
  const int extents[4] = {w.images, w.positions[0], w.positions[1], wide};
  for (int i = 0; i < 4; ++i) w.tiles[i] = (extents[i] + w.tile[i] - 1) / w.tile[i];
  for (int i = 0; i < 2; ++i) w.patch[i] = w.tile[i + 1] + w.taps[i] - 1;
  w.pitch = (w.tile[3] * kWindowColumns + w.taps[2] - 1 + 3) / 4 * 4;
  w.plane = w.tile[0] * w.patch[0] * w.patch[1] * w.pitch;
}

inline WindowPlan window_plan(const ConvGather& g) {
  WindowPlan plan;
  if (g.source_position != 1 || g.result_position != 1 || !has_window_kernel(g.taps)) return plan;
  ConvWindow& w = plan.window;
  w = {};
  w.weight_first = g.weight_first;
  for (int i = 0; i < 3; ++i) {
    // Of a gradient the taps run backwards: they are taken from the last one on.
    const bool back = g.reach[i] == -1;
    if (g.step[i] != 1 || g.result_spacing[i] != 1 || g.result_first[i] != 0 || g.taps[i] < 1) return plan;
    if (g.taps[i] > 1 && !back && g.reach[i] != 1) return plan;
    if (g.positions[i] != g.result_extent[i]) return plan;
    w.positions[i] = g.positions[i];
    w.extent[i] = g.extent[i];
    w.taps[i] = g.taps[i];
    w.start[i] = back ? g.start[i] - (g.taps[i] - 1) : g.start[i];
    w.weight_tap[i] = back ? -g.weight_tap[i] : g.weight_tap[i];
    if (back) w.weight_first += (g.taps[i] - 1) * g.weight_tap[i];
  }
  w.m = g.m, w.channels = g.channels;
  w.images = g.n / (w.positions[0] * w.positions[1] * w.positions[2]);
  w.source_image = g.source_image, w.source_channel = g.source_channel;
  w.result_image = g.result_image, w.c_step = g.c_step;
  w.source_group = g.source_group, w.a_group = g.a_group, w.c_group = g.c_group;
  w.a_step = g.a_step, w.weight_channel = g.weight_channel;

  const int64_t fours = int64_t{(w.positions[2] + kWindowColumns - 1) / kWindowColumns} * w.positions[1] *
                        w.positions[0] * w.images * g.groups;
  const auto threads_of = [&](int rows) { return fours * ((w.m + rows - 1) / rows); };
  plan.rows = threads_of(8) >= kWindowThreadsWanted && w.m > 4 ? 8 : 4;
  // Fewer threads than that leave most of a card idle: sums that are long enough are rather cut into parts.
  if (threads_of(plan.rows) < kWindowThreadsWanted / 4 && g.k >= kWindowLongSum) return plan;
  w.row_groups = 1;
  while (w.row_groups < 8 && w.row_groups * plan.rows < w.m) w.row_groups *= 2;
  set_window_tile(w, kWindowThreads / w.row_groups);
  const int weights = w.all_taps() * window_weight_pitch(w.row_groups * plan.rows);
  const int channel =
      2 * (w.plane + weights) + w.all_taps();  // words of shared memory for each channel of a buffer
  const int most = std::min({(kWindowShared - w.plane) / channel, 8, w.channels});
  if (most < 1) return plan;
  const int turns = (w.channels + most - 1) / most;
  w.chunk = (w.channels + turns - 1) / turns;
  plan.shared_bytes = static_cast<size_t>(w.chunk * channel + w.plane) * sizeof(float);
  plan.fits = true;
  return plan;
}

/// Runs a plan that fits.
inline void run_window(const char* name, const WindowPlan& plan, int groups, float* c, const float* a,
                       const float* source, const ConvFinish<float>& finish) {
  const ConvWindow& w = plan.window;
  const int rows = w.row_groups * plan.rows;
  const int64_t blocks = int64_t{w.tiles[0]} * w.tiles[1] * w.tiles[2] * w.tiles[3];
  const int64_t row_tiles = (w.m + rows - 1) / rows;
  TENON_CHECK(blocks <= 0x7fffffff && row_tiles <= 65535 && groups <= 65535, name, ": ", w.m, " rows in ",
              groups, " groups are too many for one launch");
  const Dim3 grid{static_cast<unsigned>(blocks), static_cast<unsigned>(row_tiles),
                  static_cast<unsigned>(groups)};
  const auto run = [&](auto kernel) {
    launch(name, kernel, grid, {kWindowThreads}, plan.shared_bytes, w, c, a, source, finish);
  };
  const bool eight = plan.rows == 8;
  if (w.taps[1] == 3 && w.taps[2] == 3)
    return run(eight ? conv_window_kernel<8, 3, 3> : conv_window_kernel<4, 3, 3>);
  if (w.taps[1] == 1) return run(eight ? conv_window_kernel<8, 1, 3> : conv_window_kernel<4, 1, 3>);
  if (w.taps[2] == 1) return run(eight ? conv_window_kernel<8, 3, 1> : conv_window_kernel<4, 3, 1>);
  run(eight ? conv_window_kernel<8, 5, 5> : conv_window_kernel<4, 5, 5>);
}

}  // namespace tenon::cuda
