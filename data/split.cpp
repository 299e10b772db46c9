// Permutations of sample indices, and what is cut from them.
#include "data/split.h"

#include <algorithm>

namespace tenon {

Generator data_generator(DataStream stream, uint64_t seed, int64_t epoch, int64_t sample) {
  TENON_CHECK(0 <= epoch && epoch < int64_t{1} << 24 && 0 <= sample && sample < int64_t{1} << 32,
              "data_generator: expects an epoch below 2^24 and a sample below 2^32, got ", epoch, " and ",
              sample);
  return Generator(seed, static_cast<uint64_t>(stream) << 56 | static_cast<uint64_t>(epoch) << 32 |
                             static_cast<uint64_t>(sample));
}

namespace {

std::vector<int64_t> permutation(int64_t count, Generator generator) {
  return random_permutation(count, generator).to_vector<int64_t>();
}

}  // namespace

Split split_validation(int64_t count, int64_t validation_count, uint64_t seed) {
  TENON_CHECK(0 <= validation_count && validation_count <= count, "split_validation: expects 0 to ", count,
              " validation samples, got ", validation_count);
  const std::vector<int64_t> order = permutation(count, data_generator(DataStream::split, seed));
  const auto border = order.end() - validation_count;
  return {{order.begin(), border}, {border, order.end()}};
}

std::vector<int64_t> random_subset(int64_t count, int64_t subset_count, uint64_t seed) {
  TENON_CHECK(0 <= subset_count && subset_count <= count, "random_subset: expects 0 to ", count,
              " samples, got ", subset_count);
  std::vector<int64_t> order = permutation(count, data_generator(DataStream::split, seed));
  order.resize(static_cast<size_t>(subset_count));
  return order;
}

std::vector<int64_t> shuffled(const std::vector<int64_t>& indices, uint64_t seed, int64_t epoch) {
  const auto order =
      permutation(static_cast<int64_t>(indices.size()), data_generator(DataStream::shuffle, seed, epoch));
  std::vector<int64_t> out(indices.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = indices[static_cast<size_t>(order[i])];
  return out;
}

Dataset take(const Dataset& set, const std::vector<int64_t>& indices) {
  Dataset out = set;
  const auto count = static_cast<int64_t>(indices.size());
  out.images = Tensor::empty({count, set.images.size(1), set.images.size(2), set.images.size(3)}, uint8);
  out.labels = Tensor::empty({count}, int64);
  const Tensor images = set.images.contiguous();
  const int64_t pixels = count > 0 ? out.images.numel() / count : 0;
  const auto* from = images.data<uint8_t>();
  auto* to = out.images.data<uint8_t>();
  const auto* labels = set.labels.data<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t index = indices[static_cast<size_t>(i)];
    TENON_CHECK(0 <= index && index < set.labels.numel(), "take: index ", index, " is not below ",
                set.labels.numel(), ", the number of images");
    std::copy_n(from + index * pixels, pixels, to + i * pixels);
    out.labels.data<int64_t>()[i] = labels[index];
  }
  return out;
}

}  // namespace tenon
