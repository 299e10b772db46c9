// Matrices transposed in registers, bands of a vector's height. Bound: of a square of 16 x 16, 64
// loads of 128 bits, 48 joins of them, 32 shuffles and 16 stores, about 4 cycles a vector; element by element it
// would be 16.
#pragma once

#include <hwy/highway.h>

#include <cstdint>

namespace tenon::cpu {

namespace transposing {

namespace hn = hwy::HWY_NAMESPACE;

/// A vector of 128-bit pieces: piece b comes from `from + b * step`.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_pieces(D d, const T* from, int64_t step) {
  if constexpr (hn::MaxLanes(d) * sizeof(T) <= 16) {
    return hn::LoadU(d, from);
  } else {
    const hn::Half<D> half;
    constexpr int64_t pieces = hn::MaxLanes(half) * sizeof(T) / 16;
    return hn::Combine(d, load_pieces(half, from + pieces * step, step), load_pieces(half, from, step));
  }
}

/// to[j][i] = from[i][j] for i < lanes, j < width; rows `from_step` and `to_step` apart.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE void band(D d, const T* from, int64_t from_step, T* to, int64_t to_step, int64_t width) {
  // Piece b of v[i] is row i + b * kPiece: transposed within each piece, column j comes out in order.
  constexpr int64_t kPiece = 16 / sizeof(T), lanes = hn::MaxLanes(d);
  int64_t j = 0;
  for (; j + kPiece <= width; j += kPiece) {
    hn::Vec<D> v[kPiece];
    for (int64_t i = 0; i < kPiece; ++i) v[i] = load_pieces(d, from + i * from_step + j, kPiece * from_step);
    hn::Vec<D> out[kPiece];
    if constexpr (kPiece == 4) {
      const hn::RepartitionToWide<D> wide;
      auto low = [&](auto a, auto b) HWY_ATTR { return hn::BitCast(wide, hn::InterleaveLower(d, a, b)); };
      auto high = [&](auto a, auto b) HWY_ATTR { return hn::BitCast(wide, hn::InterleaveUpper(d, a, b)); };
      const auto a = low(v[0], v[1]), b = low(v[2], v[3]), c = high(v[0], v[1]), e = high(v[2], v[3]);
      out[0] = hn::BitCast(d, hn::InterleaveLower(wide, a, b));
      out[1] = hn::BitCast(d, hn::InterleaveUpper(wide, a, b));
      out[2] = hn::BitCast(d, hn::InterleaveLower(wide, c, e));
      out[3] = hn::BitCast(d, hn::InterleaveUpper(wide, c, e));
    } else {
      out[0] = hn::InterleaveLower(d, v[0], v[1]);
      out[1] = hn::InterleaveUpper(d, v[0], v[1]);
    }
    for (int64_t i = 0; i < kPiece; ++i) hn::StoreU(out[i], d, to + (j + i) * to_step);
  }
  for (; j < width; ++j)
    for (int64_t l = 0; l < lanes; ++l) to[j * to_step + l] = from[l * from_step + j];
}

}  // namespace transposing

/// to[j * to_step + i] = from[i * from_step + j] for i < height, j < width.
template <class D, class T = hwy::HWY_NAMESPACE::TFromD<D>>
HWY_INLINE void transpose(D d, const T* from, int64_t from_step, T* to, int64_t to_step, int64_t height,
                          int64_t width) {
  namespace hn = hwy::HWY_NAMESPACE;
  constexpr int64_t lanes = hn::MaxLanes(d);
  int64_t i = 0;
  for (; i + lanes <= height; i += lanes)
    transposing::band(d, from + i * from_step, from_step, to + i, to_step, width);
  if constexpr (lanes * sizeof(T) > 16) {
    if (i < height)
      transpose(hn::Half<D>(), from + i * from_step, from_step, to + i, to_step, height - i, width);
  } else {
    for (; i < height; ++i)
      for (int64_t j = 0; j < width; ++j) to[j * to_step + i] = from[i * from_step + j];
  }
}

}  // namespace tenon::cpu
