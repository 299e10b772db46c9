// A list of arrays as a kernel gets it: a table, passed as the kernel's parameter, so that a call copies
// nothing to the device beforehand and waits for nothing. Each array is cut into pieces, a block each: many
// small arrays and one large one fill the card alike.
#pragma once

#include <cstdint>

#include "core/cpu/list_updates.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// Some entries of a list: as many as fit the 4 KB that the parameters of a kernel may take, so a network of
/// more tensors takes several launches. What is numbered (blocks) is numbered over the whole list.
template <class Payload>
struct ListTable {
  struct Entry {
    ListItem item;
    Payload payload;      ///< what else the kernel wants to know of the item
    int64_t first_block;  ///< the block that has its first piece
    int64_t index;        ///< its place in the list
  };
  static constexpr int kCapacity = (4096 - 128) / sizeof(Entry);
  int count = 0;
  int64_t first_block = 0;
  Entry entries[kCapacity];

  /// The entry whose piece the block with that number has: the last one that begins at or before it.
  TENON_HD const Entry& entry_of(int64_t block) const {
    int i = count - 1;
    while (entries[i].first_block > block) --i;
    return entries[i];
  }
};

/// Calls run(table, blocks) for each table of the list. blocks_of(item) is the number of its pieces, which may
/// be 0; payload_of(item) its payload. Returns the number of pieces in all.
template <class Payload, class BlocksOf, class PayloadOf, class Run>
int64_t for_each_table(const ListLoop& loop, BlocksOf&& blocks_of, PayloadOf&& payload_of, Run&& run) {
  ListTable<Payload> table{};
  int64_t block = 0;
  for (int64_t i = 0; i < loop.count; ++i) {
    const ListItem& item = loop.items[i];
    table.entries[table.count++] = {item, payload_of(item), block, i};
    block += blocks_of(item);
    if (table.count < ListTable<Payload>::kCapacity && i + 1 < loop.count) continue;
    run(static_cast<const ListTable<Payload>&>(table), block - table.first_block);
    table.count = 0;
    table.first_block = block;
  }
  return block;
}

/// Elements of a piece, and threads of the block that has it: 8 elements a thread.
inline constexpr int64_t kListPiece = 2048;
inline constexpr unsigned kListThreads = 256;
inline int64_t pieces_of(const ListItem& item) { return (item.n + kListPiece - 1) / kListPiece; }

/// For kernels that need to know no more than the item.
struct NoPayload {};

/// The running block's piece: calls run(entry, i) for the elements i that fall to the running thread.
/// Neighbouring threads have neighbouring elements.
template <class Payload, class Run>
__device__ void for_each_in_piece(const ListTable<Payload>& table, Run&& run) {
  const int64_t block = table.first_block + blockIdx.x;
  const typename ListTable<Payload>::Entry& entry = table.entry_of(block);
  const int64_t begin = (block - entry.first_block) * kListPiece;
  const int64_t end = begin + kListPiece < entry.item.n ? begin + kListPiece : entry.item.n;
  for (int64_t i = begin + threadIdx.x; i < end; i += kListThreads) run(entry, i);
}

// Two blocks a multiprocessor leave a thread 128 registers; left alone, sm_120 took fewer, and spilled.
template <class U>
__global__ void __launch_bounds__(kListThreads, 2) update_kernel(ListTable<U> table) {
  for_each_in_piece(table, [](const typename ListTable<U>::Entry& entry, int64_t i) {
    update::apply(entry.payload, update::Arrays<typename U::T>(entry.item, 0), i);
  });
}

/// Applies make(item), an update of core/cpu/list_updates.h, to every element of every item.
template <class Make>
void update_list(const char* name, const ListLoop& loop, const Make& make) {
  using U = decltype(make(loop.items[0]));
  for_each_table<U>(loop, pieces_of, make, [&](const ListTable<U>& table, int64_t pieces) {
    if (pieces > 0) launch(name, update_kernel<U>, {static_cast<unsigned>(pieces)}, {kListThreads}, 0, table);
  });
}

}  // namespace tenon::cuda
