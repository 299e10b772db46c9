// Products of rows of two dense matrices where a pattern has an entry. A list shares its rows of G, which
// stay in the first cache; its entries go four at a time, so that a vector of G is loaded once for four
// multiply-adds, and their four sums are brought together in the lanes of one vector.
//
// Bound: 2 flops for each element of X loaded. Long rows go in tiles of columns, whose rows of X stay in the
// second cache; the sums of later tiles add to those of earlier ones.
#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/sparse_pieces.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kTogether = 4;    // entries
constexpr int64_t kTile = 256;  // columns

// The sums over the lanes of four vectors.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void sums_of_lanes(D d, const hn::Vec<D> (&acc)[kTogether], T* sums) {
  if constexpr (sizeof(T) == 4 && hn::MaxLanes(D()) >= 4) {
    // Blocks of four lanes are turned round and added: lane j of every block then belongs to vector j.
    const auto low = hn::Add(hn::InterleaveLower(d, acc[0], acc[2]), hn::InterleaveUpper(d, acc[0], acc[2]));
    const auto high = hn::Add(hn::InterleaveLower(d, acc[1], acc[3]), hn::InterleaveUpper(d, acc[1], acc[3]));
    const auto all = hn::Add(hn::InterleaveLower(d, low, high), hn::InterleaveUpper(d, low, high));
    HWY_ALIGN T lanes[hn::MaxLanes(D())];
    hn::Store(all, d, lanes);
    for (int j = 0; j < kTogether; ++j) {
      sums[j] = lanes[j];
      for (size_t block = 4; block < hn::Lanes(d); block += 4) sums[j] += lanes[block + j];
    }
  } else {
    for (int j = 0; j < kTogether; ++j) sums[j] = hn::GetLane(hn::SumOfLanes(d, acc[j]));
  }
}

// sums[j] = sum_n g[n] x[j][n] for four rows of X.
template <class T>
HWY_INLINE void four_products(const T* g, const T* const (&x)[kTogether], int64_t n, T* sums) {
  const hn::ScalableTag<T> d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  hn::Vec<decltype(d)> acc[kTogether] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto left = hn::LoadU(d, g + i);
    for (int j = 0; j < kTogether; ++j) acc[j] = hn::MulAdd(left, hn::LoadU(d, x[j] + i), acc[j]);
  }
  if (i < n) {
    const auto some = hn::FirstN(d, static_cast<size_t>(n - i));
    const auto left = hn::MaskedLoad(some, d, g + i);
    for (int j = 0; j < kTogether; ++j) acc[j] = hn::MulAdd(left, hn::MaskedLoad(some, d, x[j] + i), acc[j]);
  }
  sums_of_lanes(d, acc, sums);
}

// The entries of lists [begin, end) over columns [from, from + n).
template <class T>
void sampled_products(const SddmmPlan& p, int64_t begin, int64_t end, int64_t from, int64_t n, T* values,
                      const T* g, const T* x) {
  const int64_t height = p.block_rows;
  for (int64_t list = begin; list < end; ++list) {
    const int64_t stop = p.w.offsets[list + 1], rows = std::min(height, p.rows_g - list * height);
    for (int64_t e = p.w.offsets[list]; e < stop; e += kTogether) {
      const int64_t count = std::min<int64_t>(kTogether, stop - e);
      const T* at[kTogether];
      for (int64_t j = 0; j < kTogether; ++j)  // what is missing is done twice and not written
        at[j] = x + p.w.indices[e + std::min(j, count - 1)] * p.x_row + from;
      for (int64_t r = 0; r < height; ++r) {
        T sums[kTogether] = {};
        if (r < rows) four_products(g + (list * height + r) * p.g_row + from, at, n, sums);
        for (int64_t j = 0; j < count; ++j) {
          T& value = values[(e + j) * height + r];
          value = from == 0 ? sums[j] : value + sums[j];
        }
      }
    }
  }
}

}  // namespace

void sddmm(const SddmmPlan& plan, DType dtype, void* values, const void* g, const void* x) {
  visit_floating("sddmm", dtype, [&](auto tag) {
    using T = decltype(tag);
    const ListPieces pieces(plan.w, plan.block_rows * plan.n);
    parallel_for(pieces.count(), pieces.grain(), [&](int64_t begin, int64_t end) {
      for (int64_t from = 0; from < plan.n; from += kTile)
        sampled_products(plan, pieces.begin(begin), pieces.begin(end), from, std::min(kTile, plan.n - from),
                         static_cast<T*>(values), static_cast<const T*>(g), static_cast<const T*>(x));
    });
  });
}

}  // namespace tenon::cpu
