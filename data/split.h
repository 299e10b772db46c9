// Seeded choices among samples: the validation split, subsets, and the order of an epoch. All are lists of
// sample indices, drawn from Philox streams of their own, so they depend on the seed alone.
#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "data/datasets.h"

namespace tenon {

/// What a random stream of data/ is for. It keeps the streams apart from each other and from those that
/// models draw from with the same seed (which are numbered from 0).
enum class DataStream : uint64_t { split = 1, shuffle = 2, augment = 3 };

/// The stream for one purpose, epoch (below 2^24) and sample (below 2^32).
Generator data_generator(DataStream stream, uint64_t seed, int64_t epoch = 0, int64_t sample = 0);

struct Split {
  std::vector<int64_t> train, validation;
};

/// Splits samples 0 to count - 1: the last `validation_count` of a fixed permutation, which `seed` names, are
/// held out for validation, the others are for training. Throws Error unless 0 <= validation_count <= count.
Split split_validation(int64_t count, int64_t validation_count, uint64_t seed);

/// The first `subset_count` of the permutation of 0 to count - 1 that `seed` names: a larger subset contains
/// every smaller one. Throws Error unless 0 <= subset_count <= count.
std::vector<int64_t> random_subset(int64_t count, int64_t subset_count, uint64_t seed);

/// `indices` in the order of an epoch.
std::vector<int64_t> shuffled(const std::vector<int64_t>& indices, uint64_t seed, int64_t epoch);

/// A set of the images `indices` only, copied, in that order. Throws Error if an index is out of range.
Dataset take(const Dataset& set, const std::vector<int64_t>& indices);

}  // namespace tenon
