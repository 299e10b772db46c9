#include "papers/deephoyer/problem.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "data/split.h"

namespace tenon::deephoyer {
namespace {

constexpr uint64_t kSplitSeed = 0;

Labelled labelled(const Dataset& set, const std::vector<int64_t>& indices) {
  const Dataset part = take(set, indices);
  Labelled out{Tensor::empty(part.images.shape()), part.labels};
  bytes_to_unit(part.images.data<uint8_t>(), part.images.numel(), out.images.data<float>());
  return out;
}

// What is known of MNIST's training images: Y. LeCun's files, counted.
void check_mnist(const Dataset& set) {
  const std::vector<int64_t> published = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
  std::vector<int64_t> counts(10, 0);
  for (int64_t label : set.labels.to_vector<int64_t>()) ++counts.at(static_cast<size_t>(label));
  TENON_CHECK(counts == published,
              "mnist: the training images do not have the published numbers of each digit");
  const Tensor pixels = affine(set.images.to(float64), 1.0 / 255, 0);
  const double average = mean(pixels).item(), deviation = std::sqrt(variance(pixels).item());
  TENON_CHECK(std::fabs(average - 0.1307) < 1e-4 && std::fabs(deviation - 0.3081) < 1e-4,
              "mnist: expects training pixels of mean 0.1307 and standard deviation 0.3081, got ", average,
              " and ", deviation);
}

}  // namespace

Problem load_problem(const std::string& data, bool reduced) {
  const Dataset train = load_dataset(data, Part::train), test = load_dataset(data, Part::test);
  if (data == "mnist") check_mnist(train);
  Split split = split_validation(train.labels.numel(), 5000, kSplitSeed);
  std::vector<int64_t> test_indices =
      random_subset(test.labels.numel(), reduced ? 1000 : test.labels.numel(), kSplitSeed);
  if (reduced) {
    split.train.resize(2000);
    split.validation.resize(500);
  }
  Problem problem;
  problem.name = data == "mnist" ? "MNIST" : data == "fashion_mnist" ? "Fashion-MNIST" : data;
  problem.source = std::make_shared<TensorSource>(train.images, train.labels);
  problem.train = std::move(split.train);
  problem.validation = labelled(train, split.validation);
  problem.test = labelled(test, test_indices);
  problem.description =
      concat(problem.name, ", ", problem.train.size(), " / ", problem.validation.labels.numel(), " / ",
             problem.test.labels.numel(), " images (train / validation / test), ", train.origin);
  return problem;
}

}  // namespace tenon::deephoyer
