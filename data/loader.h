// Batches of labelled images, drawn in a seeded order and made ready by a thread ahead of their use.
//
// What is drawn depends on seed, epoch and position alone: not on how far the thread runs ahead, nor on
// whether the run was broken off and resumed at a saved cursor.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/tensor.h"
#include "data/augment.h"
#include "data/image_source.h"

namespace tenon {

struct LoaderOptions {
  int64_t batch_size = 100;
  bool shuffle = false;    ///< a new order each epoch, from `seed`
  bool drop_last = false;  ///< leave out the last batch of an epoch if it is smaller
  uint64_t seed = 0;       ///< of the order and of the augmentation
  int prefetch = 2;        ///< batches made ahead by a thread; 0: made by the caller in next()
  Augmentation augment;    ///< nothing by default
};

struct Batch {
  Tensor images;  ///< float32 [n, C, H, W]
  Tensor labels;  ///< int64 [n]
  /// This batch if it is there already, else a copy. A loader makes its batches on the host.
  Batch to(Device device) const { return {images.to(device), labels.to(device)}; }
};

/// The place of a batch in the endless sequence of epochs; save it to go on after a break.
struct Cursor {
  int64_t epoch = 0;
  int64_t batch =
      0;  ///< in the epoch; equal to the number of batches between an epoch's last batch and its end
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// @code
///   DataLoader loader(source, indices, options);
///   for (Batch batch; loader.next(batch);) ...   // one epoch; the same loop again is the next epoch
/// @endcode
class DataLoader {
 public:
  /// Draws from images `indices` of `source` (all of them in the first form). Throws Error if there are none,
  /// if an index is out of range, or if an option makes no sense.
  DataLoader(const std::shared_ptr<const ImageSource>& source, LoaderOptions options);
  DataLoader(std::shared_ptr<const ImageSource> source, std::vector<int64_t> indices, LoaderOptions options);
  ~DataLoader();
  DataLoader(const DataLoader&) = delete;
  DataLoader& operator=(const DataLoader&) = delete;

  int64_t size() const;  ///< images an epoch draws from
  int64_t batches_per_epoch() const;
  /// Fills `batch` and returns true; at the end of an epoch returns false once, and the next epoch follows.
  /// An exception of the source is thrown here, at the batch it belongs to, and again if that batch is asked
  /// for again.
  bool next(Batch& batch);
  /// The place of what next() gives next.
  Cursor cursor() const;
  /// Goes to a place that cursor() gave, of this loader or of one made with the same arguments.
  void seek(Cursor cursor);

 private:
  class Worker;
  Batch make(Cursor place);
  const std::vector<int64_t>& order_of(int64_t epoch);

  std::shared_ptr<const ImageSource> source_;
  std::vector<int64_t> indices_;
  LoaderOptions options_;
  Cursor cursor_;
  // Order of the epoch that make() last drew from; touched only by whoever makes batches.
  std::vector<int64_t> order_;
  int64_t order_epoch_ = -1;
  std::unique_ptr<Worker> worker_;  // null without prefetching
};

}  // namespace tenon
