// The threshold of a row is found bit by bit, from the highest: a bit is set if more than `rank` keys are still not below.
// A bit is one pass over the keys, a compare and a count for each vector of them, without a branch that data decide; a row
// of 300 float32 keys stays in the first cache. The search ends as soon as exactly rank + 1 keys are not below, of which
// the smallest is the threshold. Bound: arithmetic, half as many passes as a key has bits for keys that differ early.
#include "core/cpu/winners.h"

#include <hwy/highway.h>

#include <algorithm>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class Key>
constexpr int64_t lanes_of = hn::MaxLanes(hn::ScalableTag<Key>());
template <class Key>
int64_t padded(int64_t n) {
  return (n + lanes_of<Key> - 1) / lanes_of<Key> * lanes_of<Key>;
}

// Both over whole vectors: keys beyond the row are 0, which no bound is; and by a strict compare, which vectors have.
template <class Key>
int64_t count_not_below(const Key* keys, int64_t n, Key bound) {
  const hn::ScalableTag<Key> d;
  const auto below = hn::Set(d, static_cast<Key>(bound - 1));
  size_t count = 0;
  for (int64_t i = 0; i < n; i += lanes_of<Key>)
    count += hn::CountTrue(d, hn::Gt(hn::LoadU(d, keys + i), below));
  return static_cast<int64_t>(count);
}
template <class Key>
Key smallest_not_below(const Key* keys, int64_t n, Key bound) {
  const hn::ScalableTag<Key> d;
  const auto below = hn::Set(d, static_cast<Key>(bound - 1)), none = hn::Set(d, ~Key{0});
  auto smallest = none;
  for (int64_t i = 0; i < n; i += lanes_of<Key>) {
    const auto key = hn::LoadU(d, keys + i);
    smallest = hn::Min(smallest, hn::IfThenElse(hn::Gt(key, below), key, none));
  }
  return hn::GetLane(hn::MinOfLanes(d, smallest));
}

template <class Key>
Key key_of_rank(const Key* keys, int64_t n, int64_t rank) {
  Key found = 0;
  for (int bit = 8 * static_cast<int>(sizeof(Key)) - 1; bit > 0; --bit) {  // the lowest bit of every key is 0
    const Key candidate = found | Key{1} << bit;
    const int64_t count = count_not_below(keys, n, candidate);
    if (count > rank) found = candidate;
    if (count == rank + 1) return smallest_not_below(keys, n, candidate);
  }
  return found;
}

template <class T>
void row_winners(const WinnersPlan& p, T* y, const T* x, MagnitudeKey<T>* keys) {
  using Key = MagnitudeKey<T>;
  if (p.samples == p.n) {
    for (int64_t i = 0; i < p.n; ++i) keys[i] = magnitude_key(x[i]);
  } else {
    for (int64_t i = 0, at = 0; i < p.samples; ++i, at += at + p.step < p.n ? p.step : p.step - p.n)
      keys[i] = magnitude_key(x[at]);
  }
  std::fill(keys + p.samples, keys + padded<Key>(p.samples), Key{0});
  const Key threshold = key_of_rank(keys, p.samples, p.rank);
#pragma GCC ivdep
  for (int64_t i = 0; i < p.n; ++i) y[i] = magnitude_key(x[i]) > threshold ? x[i] : T{0};
}

}  // namespace

void winners(const WinnersPlan& plan, DType dtype, void* y, const void* x) {
  visit_floating("winners", dtype, [&](auto tag) {
    using T = decltype(tag);
    const int64_t passes = 8 * static_cast<int64_t>(sizeof(T)) / 2;
    parallel_for(plan.rows, grain_for_flops(plan.samples * passes / 8 + plan.n),
                 [&](int64_t begin, int64_t end) {
                   const Scratch<MagnitudeKey<T>> keys(padded<MagnitudeKey<T>>(plan.samples));
                   for (int64_t row = begin; row < end; ++row)
                     row_winners(plan, static_cast<T*>(y) + row * plan.n,
                                 static_cast<const T*>(x) + row * plan.n, keys.data());
                 });
  });
}

}  // namespace tenon::cpu
