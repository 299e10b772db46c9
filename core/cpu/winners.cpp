// The threshold of a row is found bit by bit, from the highest: a bit is set if more than `rank` keys are still not below.
// A bit is one pass over the keys, a compare and an add for each vector of them, without a branch that data decide; a row
// of 300 float32 keys stays in the first cache. The search ends as soon as exactly rank + 1 keys are not below, of which
// the smallest is the threshold. Bound: arithmetic, half as many passes as a key has bits for keys that differ early.
#include "core/cpu/winners.h"

#include <algorithm>

#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

template <class Key>
int64_t count_not_below(const Key* keys, int64_t n, Key bound) {
  Key count = 0;
  for (int64_t i = 0; i < n; ++i) count += keys[i] >= bound ? Key{1} : Key{0};
  return static_cast<int64_t>(count);
}

template <class Key>
Key key_of_rank(const Key* keys, int64_t n, int64_t rank) {
  Key found = 0;
  for (int bit = 8 * static_cast<int>(sizeof(Key)) - 1; bit > 0; --bit) {  // the lowest bit of every key is 0
    const Key candidate = found | Key{1} << bit;
    const int64_t count = count_not_below(keys, n, candidate);
    if (count > rank) found = candidate;
    if (count != rank + 1) continue;
    Key smallest = ~Key{0};
    for (int64_t i = 0; i < n; ++i) smallest = std::min(smallest, keys[i] >= candidate ? keys[i] : ~Key{0});
    return smallest;
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
                   const Scratch<MagnitudeKey<T>> keys(plan.samples);
                   for (int64_t row = begin; row < end; ++row)
                     row_winners(plan, static_cast<T*>(y) + row * plan.n,
                                 static_cast<const T*>(x) + row * plan.n, keys.data());
                 });
  });
}

}  // namespace tenon::cpu
