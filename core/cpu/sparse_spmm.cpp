// Y = W X with W sparse. The columns of X are cut into panels of four SIMD vectors (64 float32 columns with
// AVX-512): a panel of X is copied into rows that follow each other, and a row of Y over a panel stays in
// registers while the entries of its list are added, one multiply-add a vector:
//
//   acc[o][v] += w[entry][o] * panel[index[entry]][v]        v = 0 .. 3, o = 0 .. rows_out - 1
//
// Bound: an entry of 1 row loads 4 vectors for 4 multiply-adds, so panels must come from the first cache to
// run at the rate of a dense product; entries of R rows use each vector R times. The copy costs a load and a
// store for each element of X. It makes of a row-major X, whose rows lie a power of two apart, something
// that the caches and the TLB hold, and turns a transposed one round.
#include <algorithm>

#include "core/cpu/panel.h"
#include "core/cpu/scratch.h"
#include "core/cpu/sparse_pieces.h"
#include "core/cpu/sparse_tile.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int kVectors = 4;             // in the row of a panel
constexpr int64_t kPanelsAtOnce = 8;    // bounds the scratch: 2 KiB for each row of X in float32
constexpr int64_t kRowsPerTask = 64;    // of X, when panels are filled
constexpr int64_t kEntriesPerRow = 16;  // of X: with more of them a copy pays

// ---- the product ------------------------------------------------------------------------------------

template <int kOut, int kIn, class T>
void times_matrix(const SpmmPlan& p, T* y, const T* values, const T* x, const T* bias) {
  constexpr int64_t lanes = hn::MaxLanes(hn::ScalableTag<T>()), width = kVectors * lanes;
  const int64_t panels = (p.n + width - 1) / width;
  const bool copies = p.x_column != 1 || p.n % lanes != 0 ||
                      (p.x_row > width && p.w.entries * kIn > kEntriesPerRow * p.rows_x);
  const Scratch<T> scratch(copies ? std::min(panels, kPanelsAtOnce) * p.rows_x * width : 0);
  const ListPieces pieces(p.w, kOut * kIn * width);
  auto panel_of = [&](int64_t i, int64_t slot) {
    const int64_t columns = std::min(width, p.n - i * width);
    if (!copies) return Panel<T>::template of<kOut>(x + i * width, p.x_row, columns);
    return Panel<T>::template of<kOut>(scratch.data() + slot * p.rows_x * width, width, columns);
  };
  for (int64_t first = 0; first < panels; first += kPanelsAtOnce) {
    const int64_t count = std::min(kPanelsAtOnce, panels - first);
    if (copies) {
      const int64_t tasks = (p.rows_x + kRowsPerTask - 1) / kRowsPerTask;
      const int64_t bytes = kRowsPerTask * width * 2 * static_cast<int64_t>(sizeof(T));
      parallel_for(count * tasks, grain_for_bytes(bytes), [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t slot = task / tasks, row = task % tasks * kRowsPerTask;
          fill_panel(scratch.data() + (slot * p.rows_x + row) * width, width,
                     x + row * p.x_row + (first + slot) * width * p.x_column, p.x_row, p.x_column,
                     std::min(kRowsPerTask, p.rows_x - row), std::min(width, p.n - (first + slot) * width));
        }
      });
    }
    const int64_t work = (p.w.entries + p.w.lists) / pieces.count() * kOut * kIn * width;
    parallel_for(count * pieces.count(), grain_for_flops(work), [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t slot = task / pieces.count(), piece = task % pieces.count();
        const Panel<T> panel = panel_of(first + slot, slot);
        const int64_t last = pieces.begin(piece + 1);
        for (int64_t list = pieces.begin(piece); list < last; ++list)
          list_panel<kOut, kIn>(p, list, y + list * kOut * p.n + (first + slot) * width, values, panel, bias);
      }
    });
  }
}

// ---- one column -------------------------------------------------------------------------------------

// Four sums a row, so that an addition need not wait for the one before.
template <int kOut, int kIn, class T>
void times_vector(const SpmmPlan& p, T* y, const T* values, const T* x, const T* bias) {
  constexpr int kSums = kOut * kIn == 1 ? 4 : 1;
  const ListPieces pieces(p.w, kOut * kIn);
  parallel_for(pieces.count(), 1, [&](int64_t begin, int64_t end) {
    const int64_t last = pieces.begin(end);
    for (int64_t list = pieces.begin(begin); list < last; ++list) {
      T acc[kOut * kSums] = {};
      auto add_entry = [&](int64_t e, int sum) {
        const T* const w = values + (p.w.positions != nullptr ? p.w.positions[e] : e) * (kOut * kIn);
        const int64_t first = int64_t{p.w.indices[e]} * kIn;
        const int64_t rows = kIn == 1 ? 1 : std::min<int64_t>(kIn, p.rows_x - first);
        for (int64_t i = 0; i < rows; ++i)
          for (int o = 0; o < kOut; ++o) acc[o * kSums + sum] += w[o + i] * x[(first + i) * p.x_row];
      };
      int64_t e = p.w.offsets[list];
      const int64_t stop = p.w.offsets[list + 1];
      for (; e + kSums <= stop; e += kSums)
        for (int sum = 0; sum < kSums; ++sum) add_entry(e + sum, sum);
      for (; e < stop; ++e) add_entry(e, 0);
      for (int o = 0; o < kOut && list * kOut + o < p.rows_y; ++o) {
        T sum = 0;
        for (int s = 0; s < kSums; ++s) sum += acc[o * kSums + s];
        if (bias != nullptr) sum += bias[list * kOut + o];
        y[list * kOut + o] = p.relu && sum < 0 ? T{0} : sum;
      }
    }
  });
}

}  // namespace

void spmm(const SpmmPlan& plan, DType dtype, void* y, const void* values, const void* x, const void* bias) {
  visit_floating("spmm", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_blocks(plan, [&](auto out, auto in) {
      constexpr int kOut = decltype(out)::value, kIn = decltype(in)::value;
      auto* const kernel = plan.n == 1 ? times_vector<kOut, kIn, T> : times_matrix<kOut, kIn, T>;
      kernel(plan, static_cast<T*>(y), static_cast<const T*>(values), static_cast<const T*>(x),
             static_cast<const T*>(bias));
    });
  });
}

}  // namespace tenon::cpu
