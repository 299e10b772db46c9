// DataLoader: a pure function from a cursor to its batch (make), and a thread that calls it ahead of time.
#include "data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/split.h"

namespace tenon {

// ---- the thread ---------------------------------------------------------------------------------

/// Makes the batches from a cursor on, at most `depth` ahead. An exception ends its work and waits in the
/// queue at the place of the batch.
class DataLoader::Worker {
 public:
  Worker(DataLoader& loader, Cursor start, int depth) : loader_(loader), depth_(static_cast<size_t>(depth)) {
    thread_ = std::thread([this, start] { run(start); });
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// Waits for the next batch; rethrows what its making threw.
  Batch take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !ready_.empty(); });
    if (ready_.front().error) std::rethrow_exception(ready_.front().error);
    Batch batch = std::move(ready_.front().batch);
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return batch;
  }

 private:
  struct Item {
    Batch batch;
    std::exception_ptr error;
  };

  void run(Cursor place) {
    for (bool failed = false; !failed;) {
      Item item;
      try {
        item.batch = loader_.make(place);
      } catch (...) {
        item.error = std::current_exception();
        failed = true;
      }
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || ready_.size() < depth_; });
      if (stopping_) return;
      ready_.push_back(std::move(item));
      lock.unlock();
      changed_.notify_all();
      if (++place.batch == loader_.batches_per_epoch()) place = {place.epoch + 1, 0};
    }
  }

  DataLoader& loader_;
  const size_t depth_;
  std::mutex mutex_;
  std::condition_variable changed_;  // of the two below
  std::deque<Item> ready_;
  bool stopping_ = false;
  std::thread thread_;
};

// ---- the loader ---------------------------------------------------------------------------------

namespace {

std::vector<int64_t> all_of(const std::shared_ptr<const ImageSource>& source) {
  TENON_CHECK(source, "DataLoader: no source");
  std::vector<int64_t> indices(static_cast<size_t>(source->size()));
  std::iota(indices.begin(), indices.end(), int64_t{0});
  return indices;
}

}  // namespace

DataLoader::DataLoader(const std::shared_ptr<const ImageSource>& source, LoaderOptions options)
    : DataLoader(source, all_of(source), std::move(options)) {}

DataLoader::DataLoader(std::shared_ptr<const ImageSource> source, std::vector<int64_t> indices,
                       LoaderOptions options)
    : source_(std::move(source)), indices_(std::move(indices)), options_(std::move(options)) {
  TENON_CHECK(source_, "DataLoader: no source");
  TENON_CHECK(options_.batch_size >= 1, "DataLoader: expects a batch_size of at least 1, got ",
              options_.batch_size);
  TENON_CHECK(options_.prefetch >= 0, "DataLoader: expects prefetch >= 0, got ", options_.prefetch);
  for (int64_t index : indices_)
    TENON_CHECK(0 <= index && index < source_->size(), "DataLoader: index ", index, " is not below ",
                source_->size(), ", the number of images");
  TENON_CHECK(batches_per_epoch() > 0, "DataLoader: an epoch has no batch (", size(), " images, batch_size ",
              options_.batch_size, ", drop_last ", options_.drop_last, ")");
  options_.augment.output_shape(source_->image_shape());  // throws if the options do not fit
}

DataLoader::~DataLoader() = default;

int64_t DataLoader::size() const { return static_cast<int64_t>(indices_.size()); }

int64_t DataLoader::batches_per_epoch() const {
  const int64_t whole = size() / options_.batch_size;
  return options_.drop_last || size() % options_.batch_size == 0 ? whole : whole + 1;
}

bool DataLoader::next(Batch& batch) {
  if (cursor_.batch == batches_per_epoch()) {
    cursor_ = {cursor_.epoch + 1, 0};
    return false;
  }
  if (options_.prefetch > 0) {
    if (!worker_) worker_ = std::make_unique<Worker>(*this, cursor_, options_.prefetch);
    batch = worker_->take();
  } else {
    batch = make(cursor_);
  }
  ++cursor_.batch;
  return true;
}

Cursor DataLoader::cursor() const { return cursor_; }

void DataLoader::seek(Cursor cursor) {
  TENON_CHECK(cursor.epoch >= 0 && 0 <= cursor.batch && cursor.batch <= batches_per_epoch(),
              "DataLoader: expects a cursor of epoch >= 0 and batch 0 to ", batches_per_epoch(),
              ", got epoch ", cursor.epoch, " batch ", cursor.batch);
  worker_.reset();
  cursor_ = cursor;
}

const std::vector<int64_t>& DataLoader::order_of(int64_t epoch) {
  if (!options_.shuffle) return indices_;
  if (order_epoch_ != epoch) {
    order_ = shuffled(indices_, options_.seed, epoch);
    order_epoch_ = epoch;
  }
  return order_;
}

Batch DataLoader::make(Cursor place) {
  const std::vector<int64_t>& order = order_of(place.epoch);
  const int64_t begin = place.batch * options_.batch_size;
  const int64_t count = std::min(options_.batch_size, size() - begin);
  const Shape from = source_->image_shape();
  const Shape to = options_.augment.output_shape(from);
  Batch batch{Tensor::empty({count, to[0], to[1], to[2]}, float32), Tensor::empty({count}, int64)};
  auto* images = batch.images.data<float>();
  auto* labels = batch.labels.data<int64_t>();
  const bool augmented = !options_.augment.is_identity();
  std::vector<float> raw(augmented ? static_cast<size_t>(from.numel()) : 0);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = order[static_cast<size_t>(begin + i)];
    float* out = images + i * to.numel();
    labels[i] = source_->read(index, augmented ? raw.data() : out);
    if (augmented) options_.augment.apply(raw.data(), from, options_.seed, place.epoch, index, out);
  }
  return batch;
}

}  // namespace tenon
