// The images that the experiments train on: the published data sets, split for honest selection.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "data/image_source.h"

namespace tenon::deephoyer {

/// Images that are only looked at: float32 [N, 1, 28, 28] in [0, 1], labels int64 [N].
struct Labelled {
  Tensor images, labels;
};

/// A data set in three parts: what is trained on, what epochs, cuts and strengths are chosen by, and what is
/// reported.
struct Problem {
  std::string name;         ///< "MNIST"
  std::string description;  ///< "MNIST, 55000 / 5000 / 10000 images (the published files ...)"
  std::shared_ptr<const TensorSource> source;
  std::vector<int64_t> train;  ///< indices into source
  Labelled validation, test;
};

/// Loads "mnist" or "fashion_mnist". The last 5,000 of a fixed permutation of the training images are held
/// out for selection, whatever the seed of the run. `reduced` keeps 2,000 / 500 / 1,000 images, for tests.
/// Throws Error as load_dataset, and if MNIST's training images do not have the published class counts, pixel
/// mean and standard deviation.
Problem load_problem(const std::string& data, bool reduced);

}  // namespace tenon::deephoyer
