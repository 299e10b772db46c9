// Splits, orders, augmentation and the loader: the same for any prefetch depth, resumable, and never hanging.
#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "core/parallel.h"
#include "data/split.h"
#include "doctest/doctest.h"

using namespace tenon;

namespace {

// Image i is 1 x 2 x 3, its pixels i, i + 1, ... (modulo 256), its label i.
std::shared_ptr<TensorSource> numbered_images(int64_t count) {
  Tensor images = Tensor::empty({count, 1, 2, 3}, uint8);
  for (int64_t i = 0; i < images.numel(); ++i)
    images.data<uint8_t>()[i] = static_cast<uint8_t>(i / 6 + i % 6);
  return std::make_shared<TensorSource>(images, Tensor::arange(count));
}

// Throws at one image.
class BrokenSource final : public ImageSource {
 public:
  explicit BrokenSource(int64_t broken) : broken_(broken) {}
  int64_t size() const override { return 10; }
  Shape image_shape() const override { return {1, 1, 1}; }
  int64_t read(int64_t index, float* image) const override {
    TENON_CHECK(index != broken_, "image ", index, " is broken");
    *image = 0;
    return index;
  }

 private:
  int64_t broken_;
};

// Labels and pixels of `count` epochs, one number after the other.
std::vector<double> record(DataLoader& loader, int epochs) {
  std::vector<double> all;
  for (int epoch = 0; epoch < epochs; ++epoch)
    for (Batch batch; loader.next(batch);) {
      for (int64_t label : batch.labels.to_vector<int64_t>()) all.push_back(static_cast<double>(label));
      for (float pixel : batch.images.to_vector<float>()) all.push_back(pixel);
    }
  return all;
}

LoaderOptions augmented() {
  LoaderOptions options;
  options.batch_size = 4;
  options.shuffle = true;
  options.seed = 7;
  options.augment.padding = 1;
  options.augment.horizontal_flip = true;
  options.augment.mean = {0.5F};
  options.augment.std = {0.25F};
  return options;
}

bool is_permutation_of_range(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] != static_cast<int64_t>(i)) return false;
  return true;
}

}  // namespace

TEST_CASE("split: the validation samples are the end of a permutation that the seed fixes") {
  const Split split = split_validation(60000, 5000, 1);
  CHECK(split.train.size() == 55000);
  CHECK(split.validation.size() == 5000);
  std::vector<int64_t> all = split.train;
  all.insert(all.end(), split.validation.begin(), split.validation.end());
  CHECK(is_permutation_of_range(all));
  CHECK(split_validation(60000, 5000, 1).validation == split.validation);
  CHECK(split_validation(60000, 5000, 2).validation != split.validation);
  CHECK(split_validation(5, 0, 1).validation.empty());
  CHECK_THROWS_AS(split_validation(5, 6, 1), Error);
  CHECK(random_subset(60000, 55000, 1) == split.train);
  const std::vector<int64_t> small = random_subset(60000, 100, 1);
  CHECK(std::equal(small.begin(), small.end(), split.train.begin()));
  CHECK_THROWS_AS(random_subset(5, 6, 1), Error);
}

TEST_CASE("split: orders of epochs") {
  std::vector<int64_t> indices(10000);
  std::iota(indices.begin(), indices.end(), int64_t{0});
  const std::vector<int64_t> first = shuffled(indices, 3, 0);
  CHECK(is_permutation_of_range(first));
  CHECK(first != indices);
  CHECK(first != shuffled(indices, 3, 1));
  CHECK(first != shuffled(indices, 4, 0));
  CHECK(first != random_subset(10000, 10000, 3));
  const int threads = num_threads();
  for (int count : {1, 2, 7}) {
    set_num_threads(count);
    CHECK(shuffled(indices, 3, 0) == first);
  }
  set_num_threads(threads);
}

TEST_CASE("split: take copies the samples that are named") {
  Dataset set;
  set.name = "numbered";
  set.images = Tensor::from(std::vector<uint8_t>{1, 2, 3, 4, 5, 6}, {3, 1, 1, 2});
  set.labels = Tensor::from(std::vector<int64_t>{7, 8, 9});
  const Dataset two = take(set, {2, 0});
  CHECK(two.name == "numbered");
  CHECK(two.images.to_vector<uint8_t>() == std::vector<uint8_t>{5, 6, 1, 2});
  CHECK(two.labels.to_vector<int64_t>() == std::vector<int64_t>{9, 7});
  CHECK(take(set, {}).images.shape() == Shape{0, 1, 1, 2});
  CHECK_THROWS_AS(take(set, {3}), Error);
  CHECK_THROWS_AS(take(set, {-1}), Error);
}

TEST_CASE("loader: batches in order, scaled, the last one smaller or dropped") {
  LoaderOptions options;
  options.batch_size = 4;
  DataLoader loader(numbered_images(10), options);
  CHECK(loader.size() == 10);
  CHECK(loader.batches_per_epoch() == 3);
  Batch batch;
  REQUIRE(loader.next(batch));
  CHECK(batch.images.shape() == Shape{4, 1, 2, 3});
  CHECK(batch.images.dtype() == float32);
  CHECK(batch.images.to_vector<float>()[7] == 2.0F / 255.0F);
  CHECK(batch.labels.to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2, 3});
  REQUIRE(loader.next(batch));
  REQUIRE(loader.next(batch));
  CHECK(batch.labels.to_vector<int64_t>() == std::vector<int64_t>{8, 9});
  CHECK(batch.images.shape() == Shape{2, 1, 2, 3});
  CHECK(!loader.next(batch));
  REQUIRE(loader.next(batch));  // the next epoch
  CHECK(loader.cursor() == Cursor{1, 1});

  options.drop_last = true;
  DataLoader dropping(numbered_images(10), options);
  CHECK(dropping.batches_per_epoch() == 2);
  CHECK(record(dropping, 1).size() == 8 * 7);
}

TEST_CASE("loader: an epoch gives every sample of its subset once") {
  LoaderOptions options;
  options.batch_size = 7;
  options.shuffle = true;
  const std::vector<int64_t> subset = random_subset(1000, 300, 5);
  DataLoader loader(numbered_images(1000), subset, options);
  std::vector<int64_t> orders[2];
  for (auto& order : orders)
    for (Batch batch; loader.next(batch);)
      for (int64_t label : batch.labels.to_vector<int64_t>()) order.push_back(label);
  CHECK(orders[0] != orders[1]);
  for (auto& order : orders)
    CHECK(std::multiset(order.begin(), order.end()) == std::multiset(subset.begin(), subset.end()));
}

TEST_CASE("loader: the same batches for any prefetch depth") {
  LoaderOptions options = augmented();
  options.prefetch = 0;
  DataLoader alone(numbered_images(50), options);
  const std::vector<double> expected = record(alone, 3);
  for (int depth : {1, 2, 5, 100}) {
    CAPTURE(depth);
    options.prefetch = depth;
    DataLoader loader(numbered_images(50), options);
    CHECK(record(loader, 3) == expected);
  }
}

TEST_CASE("loader: resumed at any batch, the rest is what it would have been") {
  for (int depth : {0, 2}) {
    LoaderOptions options = augmented();
    options.prefetch = depth;
    DataLoader unbroken(numbered_images(10), options);
    std::vector<Cursor> cursors;
    std::vector<std::vector<int64_t>> labels;
    std::vector<std::vector<float>> images;
    for (int epoch = 0; epoch < 2; ++epoch) {
      for (Batch batch;;) {
        cursors.push_back(unbroken.cursor());
        if (!unbroken.next(batch)) break;
        labels.push_back(batch.labels.to_vector<int64_t>());
        images.push_back(batch.images.to_vector<float>());
      }
    }
    CHECK(cursors.size() == 8);
    for (size_t start = 0, batch_number = 0; start < cursors.size(); ++start) {
      CAPTURE(start);
      DataLoader resumed(numbered_images(10), options);
      Batch batch;
      resumed.next(batch);  // whatever was going on before
      resumed.seek(cursors[start]);
      const bool end_of_epoch = cursors[start].batch == 3;
      CHECK(resumed.next(batch) == !end_of_epoch);
      if (end_of_epoch) continue;
      CHECK(batch.labels.to_vector<int64_t>() == labels[batch_number]);
      CHECK(batch.images.to_vector<float>() == images[batch_number]);
      ++batch_number;
    }
  }
}

TEST_CASE("loader: an exception of the source arrives at its batch, and again") {
  for (int depth : {0, 1, 3}) {
    CAPTURE(depth);
    LoaderOptions options;
    options.batch_size = 2;
    options.prefetch = depth;
    DataLoader loader(std::make_shared<BrokenSource>(5), options);
    Batch batch;
    CHECK(loader.next(batch));
    CHECK(loader.next(batch));
    CHECK_THROWS_WITH_AS(loader.next(batch), "image 5 is broken", Error);
    CHECK_THROWS_WITH_AS(loader.next(batch), "image 5 is broken", Error);
    CHECK(loader.cursor() == Cursor{0, 2});
    loader.seek({0, 3});
    CHECK(loader.next(batch));
    CHECK(batch.labels.to_vector<int64_t>() == std::vector<int64_t>{6, 7});
  }
}

TEST_CASE("loader: it can be destroyed at any moment") {
  for (int batches = 0; batches < 8; ++batches) {
    LoaderOptions options = augmented();
    options.prefetch = 1 + batches % 3;
    DataLoader loader(numbered_images(13), options);
    Batch batch;
    for (int i = 0; i < batches; ++i) loader.next(batch);
  }
}

TEST_CASE("loader: what makes no sense is refused") {
  LoaderOptions options;
  CHECK_THROWS_AS(DataLoader(nullptr, options), Error);
  CHECK_THROWS_AS(DataLoader(numbered_images(3), {3}, options), Error);
  CHECK_THROWS_AS(DataLoader(numbered_images(3), {-1}, options), Error);
  CHECK_THROWS_AS(DataLoader(numbered_images(3), std::vector<int64_t>{}, options), Error);
  options.drop_last = true;
  CHECK_THROWS_WITH_AS(DataLoader(numbered_images(3), options), doctest::Contains("an epoch has no batch"),
                       Error);
  options = {};
  options.batch_size = 0;
  CHECK_THROWS_AS(DataLoader(numbered_images(3), options), Error);
  options = {};
  options.prefetch = -1;
  CHECK_THROWS_AS(DataLoader(numbered_images(3), options), Error);
  options = {};
  options.augment.crop_height = 3;
  CHECK_THROWS_AS(DataLoader(numbered_images(3), options), Error);
  options = {};
  options.augment.mean = {0.5F};
  CHECK_THROWS_AS(DataLoader(numbered_images(3), options), Error);
  options = {};
  options.batch_size = std::numeric_limits<int64_t>::max();
  CHECK(DataLoader(numbered_images(3), options).batches_per_epoch() == 1);
  DataLoader loader(numbered_images(300), {});
  CHECK_THROWS_AS(loader.seek({-1, 0}), Error);
  CHECK_THROWS_AS(loader.seek({0, 4}), Error);
  CHECK_THROWS_AS(TensorSource(Tensor::zeros({2, 3, 4}, uint8), Tensor::arange(2)), Error);
  CHECK_THROWS_AS(TensorSource(Tensor::zeros({2, 1, 3, 4}, uint8), Tensor::arange(3)), Error);
}

TEST_CASE("augment: crop, shift and flip against shifted copies") {
  const Shape shape{2, 5, 6};
  std::vector<float> image(static_cast<size_t>(shape.numel()));
  std::iota(image.begin(), image.end(), 1.0F);
  Augmentation augment;
  augment.padding = 2;
  augment.horizontal_flip = true;
  std::set<std::vector<float>> seen;
  std::vector<float> out(image.size());
  for (int64_t index = 0; index < 2000; ++index) {
    augment.apply(image.data(), shape, 1, 0, index, out.data());
    seen.insert(out);
  }
  // Every combination of 5 x 5 shifts and 2 mirrorings, written down the naive way.
  std::set<std::vector<float>> expected;
  for (int64_t dy = -2; dy <= 2; ++dy)
    for (int64_t dx = -2; dx <= 2; ++dx)
      for (bool flip : {false, true}) {
        std::vector<float> moved;
        for (int64_t c = 0; c < 2; ++c)
          for (int64_t y = 0; y < 5; ++y)
            for (int64_t x = 0; x < 6; ++x) {
              const int64_t from_y = y + dy, from_x = (flip ? 5 - x : x) + dx;
              const bool inside = from_y >= 0 && from_y < 5 && from_x >= 0 && from_x < 6;
              moved.push_back(inside ? image[static_cast<size_t>((c * 5 + from_y) * 6 + from_x)] : 0.0F);
            }
        expected.insert(moved);
      }
  CHECK(seen == expected);
}

TEST_CASE("augment: normalisation, smaller crops, and what the draw depends on") {
  const Shape shape{1, 4, 4};
  std::vector<float> image(16);
  std::iota(image.begin(), image.end(), 0.0F);
  Augmentation augment;
  augment.mean = {2.0F};
  augment.std = {4.0F};
  std::vector<float> out(16);
  augment.apply(image.data(), shape, 1, 0, 0, out.data());
  for (size_t i = 0; i < 16; ++i) CHECK(out[i] == (image[i] - 2.0F) / 4.0F);

  augment = {};
  augment.crop_height = augment.crop_width = 2;
  CHECK(augment.output_shape(shape) == Shape{1, 2, 2});
  const auto first_pixel = [&](uint64_t seed, int64_t epoch, int64_t index) {
    augment.apply(image.data(), shape, seed, epoch, index, out.data());
    CHECK(out[1] == out[0] + 1);
    CHECK(out[2] == out[0] + 4);
    return out[0];
  };
  const auto sequence = [&](auto place) {
    std::vector<float> pixels;
    for (int64_t i = 0; i < 50; ++i) pixels.push_back(place(i));
    return pixels;
  };
  const auto by_index = sequence([&](int64_t i) { return first_pixel(1, 0, i); });
  CHECK(by_index == sequence([&](int64_t i) { return first_pixel(1, 0, i); }));
  CHECK(by_index != sequence([&](int64_t i) { return first_pixel(2, 0, i); }));
  CHECK(by_index != sequence([&](int64_t i) { return first_pixel(1, 1, i); }));
  CHECK(std::set(by_index.begin(), by_index.end()).size() == 9);
}
