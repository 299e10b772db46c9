// The gradient of the weight of a convolution of stride 1 whose taps run along the image: as in conv_window.h a block holds
// a patch of the input that all taps read, and beside it the output's gradient at the same positions.
//
//   gw[m, c, tap] = sum over positions p of g[m, p] x[c, p + tap]
//
// A thread sums kRows output channels, one input channel and all taps along y and x, in registers: for four positions it
// reads kRows times four of g and, for each line of taps, a window of 4 + kTapsX - 1 of x, for 4 kRows kTapsY kTapsX
// multiply-adds: at 8 rows and 3 x 3 taps 14 reads for 288. A team of up to 32 threads has all rows and channels of the
// block's share of the weight, up to 16 x 16; the teams of a block share the positions.
//
// Positions come in steps of some lines of an image, by asynchronous copies into one buffer while the other is multiplied.
// A block takes some steps in a row; its teams' sums are added in an order that sizes fix, and those of the blocks (parts) in
// theirs.
//
// Predicted: 17 to 20 us for N128 C16 32^2 K16, C32 16^2 K32 and C64 8^2 K64. Measured on an H200: 44, 43 and 47 us (88, 73
// and 73 by a gather); 3-D, N1 C16 64^3 K16, 208 (338). Taps along one axis gained nothing, and N1 C1 64^3 K16 lost: 208 us
// where the gather took 84: 96 blocks left a quarter of the card idle, and each added the sums of 128 teams one after
// another. Steps are shorter since, and the teams of a warp join first: not timed.
#pragma once

#include <algorithm>

#include "core/cpu/conv.h"
#include "cuda/kernels/conv_window_line.h"
#include "cuda/kernels/parts.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {

constexpr int kGradientRows = 16;  // of a block, at most

/// One group. Axes are z, y, x.
struct ConvWindowGradient {
  int m, channels, images;
  int positions[3], extent[3], start[3], taps[3];
  int x_image, x_channel, g_image, g_channel;
  int64_t x_group, g_group, weight_group, part;  ///< part: from one part of the sums to the next
  int lanes_c, lanes_m;   ///< threads of a team: channels and rows / kRows, powers of two
  int tile[2], tiles[2];  ///< y and fours of x that a step covers, and how many steps along each
  int pitch, plane, x_step,
      g_step;  ///< of a patch: from line to line, its words, from channel to channel; of g likewise
  int steps, steps_per_part;
};

/// From one channel's words to the next one's: 4 more than a multiple of 32, so that eight channels' words lie in 32 banks.
constexpr int apart_in_banks(int words) { return (words + 27) / 32 * 32 + 4; }

/// What a block copies for one step. Where the words of a step lie is worked out a step ahead, a thread a word, and serves
/// all channels.
template <int kRows>
struct GradientPieces {
  const ConvWindowGradient& p;
  const float *x, *g;          // of the block's first channel and first row
  int *x_offsets, *g_offsets;  // shared, two of each: -1 where there is nothing
  int z_tap, channels, rows, thread;

  /// Fills the tables of a step.
  __device__ void prepare(int step) const {
    int left = step;
    const int x_first = left % p.tiles[1] * p.tile[1] * kWindowColumns;
    left /= p.tiles[1];
    const int y_first = left % p.tiles[0] * p.tile[0];
    left /= p.tiles[0];
    const int z = left % p.positions[0], image = left / p.positions[0];
    const int z_there = z + z_tap + p.start[0];
    const bool plane_there = static_cast<unsigned>(z_there) < static_cast<unsigned>(p.extent[0]);
    int* const x_table = x_offsets + step % 2 * p.plane;
    for (int i = thread; i < p.plane; i += kWindowThreads) {
      const int column = x_first + i % p.pitch + p.start[2], line = y_first + i / p.pitch + p.start[1];
      const bool is_there = plane_there && static_cast<unsigned>(line) < static_cast<unsigned>(p.extent[1]) &&
                            static_cast<unsigned>(column) < static_cast<unsigned>(p.extent[2]);
      x_table[i] = is_there ? image * p.x_image + (z_there * p.extent[1] + line) * p.extent[2] + column : -1;
    }
    const int words = p.tile[0] * p.tile[1] * kWindowColumns;
    int* const g_table = g_offsets + step % 2 * words;
    for (int i = thread; i < words; i += kWindowThreads) {
      const int column = x_first + i % (p.tile[1] * kWindowColumns);
      const int line = y_first + i / (p.tile[1] * kWindowColumns);
      const bool is_there = line < p.positions[1] && column < p.positions[2];
      g_table[i] = is_there ? image * p.g_image + (z * p.positions[1] + line) * p.positions[2] + column : -1;
    }
  }

  /// A warp for each channel and each row.
  __device__ void load(int step, float* x_to, float* g_to) const {
    const int warp = thread / 32, lane = thread % 32;
    const int* const x_table = x_offsets + step % 2 * p.plane;
    for (int c = warp; c < channels; c += kWindowThreads / 32)
      TENON_ROLLED for (int i = lane; i < p.plane; i += 32)
          copy_async(x_to + c * p.x_step + i, x + int64_t{c} * p.x_channel + x_table[i], x_table[i] >= 0);
    const int words = p.tile[0] * p.tile[1] * kWindowColumns;
    const int* const g_table = g_offsets + step % 2 * words;
    for (int r = warp; r < rows; r += kWindowThreads / 32)
      TENON_ROLLED for (int i = lane; i < words; i += 32)
          copy_async(g_to + r * p.g_step + i, g + int64_t{r} * p.g_channel + g_table[i], g_table[i] >= 0);
  }
};

/// A thread's sums.
template <int kRows, int kTapsY, int kTapsX>
struct GradientSums {
  float sum[kRows][kTapsY][kTapsX] = {};

  /// Four positions: `g` of the first row, `rows_apart` from row to row; `x` the first line of the window.
  __device__ void add(const float* g, int rows_apart, const float* x, int pitch) {
    using Four = Neighbours<float, kWindowColumns>;
    Four at[kRows];
    TENON_UNROLL
    for (int r = 0; r < kRows; ++r) at[r] = *reinterpret_cast<const Four*>(g + r * rows_apart);
    TENON_UNROLL
    for (int y = 0; y < kTapsY; ++y) {
      float window[kWindowColumns + kTapsX - 1];
      read_window(window, x + y * pitch);
      TENON_UNROLL
      for (int j = 0; j < kWindowColumns; ++j) TENON_UNROLL
      for (int r = 0; r < kRows; ++r) TENON_UNROLL
      for (int t = 0; t < kTapsX; ++t) sum[r][y][t] = math::fma(at[r].v[j], window[j + t], sum[r][y][t]);
    }
  }
};

/// blockIdx: x the share of the weight (tap along z fastest, then channels, then rows), y the part, z the group.
template <int kRows, int kTapsY, int kTapsX>
__global__ void __launch_bounds__(kWindowThreads, 2)
    conv_window_gradient_kernel(ConvWindowGradient p, float* __restrict__ partial,
                                const float* __restrict__ g, const float* __restrict__ x) {
  TENON_DYNAMIC_SHARED(float, pool);
  const int thread = static_cast<int>(threadIdx.x), group = static_cast<int>(blockIdx.z);
  const int z_tap = static_cast<int>(blockIdx.x) % p.taps[0],
            share = static_cast<int>(blockIdx.x) / p.taps[0];
  const int channel_tiles = (p.channels + p.lanes_c - 1) / p.lanes_c;
  const int channel = share % channel_tiles * p.lanes_c, row = share / channel_tiles * (p.lanes_m * kRows);
  const int channels = p.channels - channel < p.lanes_c ? p.channels - channel : p.lanes_c;
  const int rows = p.m - row < p.lanes_m * kRows ? p.m - row : p.lanes_m * kRows;
  const int fours = p.tile[0] * p.tile[1];
  const int piece = p.lanes_c * p.x_step + p.lanes_m * kRows * p.g_step;
  int* const x_offsets = reinterpret_cast<int*>(pool + 2 * piece);
  const GradientPieces<kRows> pieces{p,
                                     x + group * p.x_group + int64_t{channel} * p.x_channel,
                                     g + group * p.g_group + int64_t{row} * p.g_channel,
                                     x_offsets,
                                     x_offsets + 2 * p.plane,
                                     z_tap,
                                     channels,
                                     rows,
                                     thread};
  const int team_threads = p.lanes_c * p.lanes_m, teams = kWindowThreads / team_threads;
  const int team = thread / team_threads, c = thread % p.lanes_c, r = thread / p.lanes_c % p.lanes_m;
  // Rows of a thread lie lanes_m apart, so that the threads of a warp read neighbouring rows.
  const float* const own_x = pool + c * p.x_step;
  const float* const own_g = pool + p.lanes_c * p.x_step + r * p.g_step;

  // What no copy writes is read all the same, by threads whose sums are not kept.
  for (int i = thread; i < 2 * piece; i += kWindowThreads) pool[i] = 0;
  const int begin = static_cast<int>(blockIdx.y) * p.steps_per_part;
  const int end = p.steps - begin < p.steps_per_part ? p.steps : begin + p.steps_per_part;
  pieces.prepare(begin);
  __syncthreads();
  pieces.load(begin, pool, pool + p.lanes_c * p.x_step);
  commit_copies();
  if (begin + 1 < end) pieces.prepare(begin + 1);
  GradientSums<kRows, kTapsY, kTapsX> sums;
  for (int step = begin; step < end; ++step) {
    const int now = (step - begin) % 2;
    wait_for_copies<0>();
    __syncthreads();  // this buffer and the next step's tables are there, the other buffer is no longer read
    if (step + 1 < end) {
      float* const other = pool + (1 - now) * piece;
      pieces.load(step + 1, other, other + p.lanes_c * p.x_step);
      commit_copies();
    }
    if (step + 2 < end) pieces.prepare(step + 2);
    for (int four = team; four < fours; four += teams) {
      const int line = four / p.tile[1], column = four % p.tile[1] * kWindowColumns;
      sums.add(own_g + now * piece + four * kWindowColumns, p.lanes_m * p.g_step,
               own_x + now * piece + line * p.pitch + column, p.pitch);
    }
  }

  // The teams of a warp join by a tree, and then the warps, or the teams of several warps, one after another in the place of
  // the buffers.
  constexpr int kTaps = kTapsY * kTapsX;
  TENON_UNROLL
  for (int i = 0; i < kRows; ++i) TENON_UNROLL
  for (int t = 0; t < kTaps; ++t) {
    float& sum = sums.sum[i][t / kTapsX][t % kTapsX];
    for (int apart = 16; apart >= team_threads; apart /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, apart);
  }
  const auto place = [&](int i, int t) { return (i * kTaps + t) * team_threads + thread % team_threads; };
  const int turns = teams < kWindowThreads / 32 ? teams : kWindowThreads / 32;
  const int own_turn = thread / (kWindowThreads / turns);
  const bool adds = team_threads >= 32 || thread % 32 < team_threads;
  for (int turn = 0; turn < turns; ++turn) {
    __syncthreads();
    if (turn != own_turn || !adds) continue;
    TENON_UNROLL
    for (int i = 0; i < kRows; ++i) TENON_UNROLL
    for (int t = 0; t < kTaps; ++t) {
      const float own = sums.sum[i][t / kTapsX][t % kTapsX];
      pool[place(i, t)] = turn == 0 ? own : pool[place(i, t)] + own;
    }
  }
  if (own_turn != turns - 1 || !adds || c >= channels) return;
  float* const to = partial + blockIdx.y * p.part + group * p.weight_group;
  for (int i = 0; i < kRows; ++i) {
    if (const int m = i * p.lanes_m + r; m < rows)
      for (int t = 0; t < kTaps; ++t)
        to[((int64_t{row + m} * p.channels + channel + c) * p.taps[0] + z_tap) * kTaps + t] =
            pool[place(i, t)];
  }
}

// ---- which share, step and part, by sizes alone -------------------------------------------------------------------------

struct WindowGradientPlan {
  bool fits = false;
  int rows = 0;  ///< of a thread
  int64_t shares = 0, parts = 0;
  ConvWindowGradient window;
  size_t shared_bytes = 0;
};

inline WindowGradientPlan window_gradient_plan(const ConvPlan& conv) {
  WindowGradientPlan plan;
  ConvWindowGradient& p = plan.window;
  p = {};
  for (int i = 0; i < 3; ++i) {
    if (conv.stride[i] != 1 || (conv.kernel[i] > 1 && conv.dilation[i] != 1)) return plan;
    p.positions[i] = static_cast<int>(conv.out[i]), p.extent[i] = static_cast<int>(conv.in[i]);
    p.start[i] = static_cast<int>(-conv.padding[i]), p.taps[i] = static_cast<int>(conv.kernel[i]);
  }
  if (conv.x.position != 1 || conv.y.position != 1 || !has_window_kernel(p.taps)) return plan;
  p.m = static_cast<int>(conv.out_channels), p.channels = static_cast<int>(conv.in_channels);
  p.images = static_cast<int>(conv.images);
  p.x_image = static_cast<int>(conv.x.image), p.x_channel = static_cast<int>(conv.x.channel);
  p.g_image = static_cast<int>(conv.y.image), p.g_channel = static_cast<int>(conv.y.channel);
  p.x_group = conv.in_channels * conv.x.channel, p.g_group = conv.out_channels * conv.y.channel;
  p.weight_group = conv.weights() / conv.groups, p.part = conv.weights();

  const auto lanes = [](int count, int most) {
    int n = 1;
    while (n < count && n < most) n *= 2;
    return n;
  };
  plan.rows = p.taps[1] == 5 ? 2 : 8;
  p.lanes_c = lanes(p.channels, 16);
  p.lanes_m = lanes((p.m + plan.rows - 1) / plan.rows, kGradientRows / plan.rows);
  // As many lines in a step as shared memory holds, of equal parts of the image.
  const int wide = (p.positions[2] + kWindowColumns - 1) / kWindowColumns;
  p.tiles[1] = (wide + 15) / 16, p.tile[1] = (wide + p.tiles[1] - 1) / p.tiles[1];
  p.pitch = (p.tile[1] * kWindowColumns + p.taps[2] - 1 + 3) / 4 * 4;
  const auto words_of = [&](int lines) {
    p.tile[0] = lines, p.plane = (lines + p.taps[1] - 1) * p.pitch;
    const int g_words = lines * p.tile[1] * kWindowColumns;
    p.x_step = apart_in_banks(p.plane), p.g_step = apart_in_banks(g_words);
    return 2 * (p.lanes_c * p.x_step + p.lanes_m * plan.rows * p.g_step + p.plane + g_words);
  };
  // Two blocks for each multiprocessor of a large card, of two steps each at least, so that copies are hidden: of few images
  // the steps are made shorter for it.
  const int64_t row_shares = (p.m + p.lanes_m * plan.rows - 1) / (p.lanes_m * plan.rows);
  plan.shares = row_shares * ((p.channels + p.lanes_c - 1) / p.lanes_c) * p.taps[0];
  const int64_t wanted = 2 * 132 / std::max<int64_t>(plan.shares * conv.groups, 1);
  const int64_t planes = int64_t{p.images} * p.positions[0] * p.tiles[1];
  constexpr int kLeastLines = 4;
  for (int parts = 1;; ++parts) {
    const int lines = (p.positions[1] + parts - 1) / parts;
    const bool fits = words_of(lines) <= kWindowShared;
    if (fits && (lines <= kLeastLines || planes * parts >= 2 * wanted)) break;
    if (lines == 1) return plan;
  }
  p.tiles[0] = (p.positions[1] + p.tile[0] - 1) / p.tile[0];
  const int sums = plan.rows * p.taps[1] * p.taps[2] * p.lanes_c * p.lanes_m;
  plan.shared_bytes = static_cast<size_t>(std::max(words_of(p.tile[0]), sums)) * sizeof(float);
  const int64_t steps = int64_t{p.images} * p.positions[0] * p.tiles[0] * p.tiles[1];
  if (steps > 0x7fffffff) return plan;
  p.steps = static_cast<int>(steps);
  const int64_t parts = std::clamp<int64_t>(wanted, 1, std::max<int64_t>(steps / 2, 1));
  p.steps_per_part = static_cast<int>((steps + parts - 1) / parts);
  plan.parts = (steps + p.steps_per_part - 1) / p.steps_per_part;
  plan.fits = plan.shares <= 0x7fffffff && plan.parts <= 65535 && conv.groups <= 65535;
  return plan;
}

/// Runs a plan that fits.
inline void run_window_gradient(const WindowGradientPlan& plan, int64_t groups, float* gw, const float* g,
                                const float* x) {
  const ConvWindowGradient& p = plan.window;
  const Dim3 grid{static_cast<unsigned>(plan.shares), static_cast<unsigned>(plan.parts),
                  static_cast<unsigned>(groups)};
  const auto run_into = [&](float* to) {
    const auto run = [&](auto kernel) {
      launch("conv_window_weight", kernel, grid, {kWindowThreads}, plan.shared_bytes, p, to, g, x);
    };
    if (p.taps[1] == 5) return run(conv_window_gradient_kernel<2, 5, 5>);
    if (p.taps[1] == 1) return run(conv_window_gradient_kernel<8, 1, 3>);
    if (p.taps[2] == 1) return run(conv_window_gradient_kernel<8, 3, 1>);
    run(conv_window_gradient_kernel<8, 3, 3>);
  };
  if (plan.parts == 1) return run_into(gw);
  const Scratch partial(static_cast<size_t>(plan.parts * p.part) * sizeof(float));
  run_into(partial.as<float>());
  join_parts(gw, partial.as<float>(), p.part, plan.parts);
}

}  // namespace tenon::cuda
