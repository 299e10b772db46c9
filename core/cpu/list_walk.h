// Walks a list of arrays (core/cpu/lists.h) as if they stood one behind the other: chunks of a fixed size,
// each cut into the pieces of the arrays that it covers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cpu/lists.h"
#include "core/parallel.h"

namespace tenon::cpu {

// Calls run(item, first, n) for the pieces of the chunk [begin, end) of the concatenated arrays.
template <class Run>
void walk_chunk(const ListLoop& loop, int64_t begin, int64_t end, Run&& run) {
  const ListItem* last = loop.items + loop.count;
  const ListItem* item =
      std::upper_bound(loop.items, last, begin, [](int64_t at, const ListItem& i) { return at < i.start; }) -
      1;
  for (; begin < end; ++item) {
    int64_t n = std::min(end, item->start + item->n) - begin;
    if (n > 0) run(*item, begin - item->start, n);
    begin += std::max<int64_t>(n, 0);
  }
}

template <class Run>
void walk_list(const ListLoop& loop, int64_t bytes_per_element, Run&& run) {
  parallel_for(loop.total, grain_for_bytes(bytes_per_element),
               [&](int64_t begin, int64_t end) { walk_chunk(loop, begin, end, run); });
}

template <class T>
T* array(void* p, int64_t first) {
  return p == nullptr ? nullptr : static_cast<T*>(p) + first;
}
template <class T>
const T* array(const void* p, int64_t first) {
  return static_cast<const T*>(p) + first;
}

}  // namespace tenon::cpu
