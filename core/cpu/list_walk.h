// Walks a list of arrays (core/cpu/lists.h) as if they stood one behind the other: chunks of a fixed size,
// each cut into the pieces of the arrays that it covers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/cpu/list_updates.h"
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

/// Applies make(item), an update of core/cpu/list_updates.h, to every element of every item.
template <class Make>
void update_list(const ListLoop& loop, const Make& make) {
  using U = decltype(make(loop.items[0]));
  using T = typename U::T;
  walk_list(loop, U::kArrays * int64_t{sizeof(T)}, [&](const ListItem& item, int64_t first, int64_t n) {
    const U update = make(item);
    const update::Arrays<T> arrays(item, first);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) update::apply(update, arrays, i);
  });
}

}  // namespace tenon::cpu
