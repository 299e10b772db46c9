// Sorting of one line by its keys: each number becomes an unsigned integer of the same order beside its position, so
// that no two entries are alike and every way of sorting is stable. Long lines are sorted by radix, a byte of the keys a
// pass, from the lowest: a pass reads n entries and writes them to 256 places. The first k of many are found by a
// threshold, which few numbers pass once some have been seen: about k ln(n / k) in a random order.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/math.h"

namespace tenon::cpu {

/// A key and where it stands. Keys of numbers of 4 bytes and less are of 4 bytes.
template <class Key>
struct KeyAt {
  Key at, key;
  bool operator<(const KeyAt& other) const {
    if constexpr (sizeof(Key) == 4 && std::endian::native == std::endian::little) {
      return std::bit_cast<uint64_t>(*this) < std::bit_cast<uint64_t>(other);
    } else {
      return key < other.key || (key == other.key && at < other.at);
    }
  }
};

/// An unsigned integer that stands to others as x does: -0 as 0, NaN above every number. Inverted if `descending`.
template <class Key, class T>
TENON_HD inline Key order_key(T x, bool descending) {
  using Bits = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  constexpr Bits kSign = Bits{1} << (8 * sizeof(Bits) - 1);
  Bits bits;
  if constexpr (std::is_floating_point_v<T>) {
    bits = std::bit_cast<Bits>(x + T{0});
    bits ^= (bits & kSign) != 0 ? ~Bits{0} : kSign;
    bits = x != x ? ~Bits{0} : bits;
  } else {
    bits = static_cast<Bits>(x);
    if constexpr (std::is_signed_v<T>) bits ^= kSign;
  }
  return descending ? ~static_cast<Key>(bits) : static_cast<Key>(bits);
}

/// Sorts n entries, in `entries` or in `other`; returns where they are.
template <class Key>
KeyAt<Key>* radix_sort(KeyAt<Key>* entries, KeyAt<Key>* other, int64_t n) {
  constexpr int64_t kWorthwhile = 256;  // entries, for which the passes cost less than comparisons
  if (n < kWorthwhile) {
    std::sort(entries, entries + n);
    return entries;
  }
  constexpr int kDigits = sizeof(Key);
  int64_t starts[kDigits][256] = {};
  for (int64_t i = 0; i < n; ++i)
    for (int d = 0; d < kDigits; ++d) ++starts[d][entries[i].key >> (8 * d) & 255];
  for (int d = 0; d < kDigits; ++d) {
    int64_t* const start = starts[d];
    if (start[entries[0].key >> (8 * d) & 255] == n) continue;  // all alike
    int64_t before = 0;
    for (int v = 0; v < 256; ++v) before += std::exchange(start[v], before);
    for (int64_t i = 0; i < n; ++i) other[start[entries[i].key >> (8 * d) & 255]++] = entries[i];
    std::swap(entries, other);
  }
  return entries;
}

/// Leaves the first k of the n entries of a line, in order, in `entries`; returns how many those are, k or all. Entries
/// must have room for select_room(k).
inline int64_t select_room(int64_t k) { return 2 * k + 128; }
template <class Key, class T>
int64_t select_first(const T* line, int64_t n, int64_t k, bool descending, KeyAt<Key>* entries) {
  constexpr int64_t kBlock = 64;
  const int64_t room = select_room(k);
  int64_t held = 0;
  Key threshold = std::numeric_limits<Key>::max();  // keys below it may be among the first k
  bool any_passes = true;                           // as long as fewer than k have been seen
  auto keep_first = [&] {
    if (held <= k) return;
    std::nth_element(entries, entries + k - 1, entries + held);
    held = k, threshold = entries[k - 1].key, any_passes = false;
  };
  for (int64_t first = 0; first < n; first += kBlock) {
    const int64_t count = std::min(kBlock, n - first);
    Key keys[kBlock];
    int passing = 0;
    for (int64_t i = 0; i < count; ++i) keys[i] = order_key<Key>(line[first + i], descending);
    for (int64_t i = 0; i < count; ++i) passing += keys[i] < threshold ? 1 : 0;
    if (passing == 0 && !any_passes) continue;
    for (int64_t i = 0; i < count; ++i) {
      entries[held] = {static_cast<Key>(first + i), keys[i]};
      held += any_passes || keys[i] < threshold ? 1 : 0;
    }
    if (held + kBlock > room || (any_passes && held > k)) keep_first();
  }
  keep_first();
  std::sort(entries, entries + held);
  return held;
}

}  // namespace tenon::cpu
