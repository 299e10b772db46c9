#include "papers/joint_pruning/problem.h"

#include <algorithm>

#include "data/split.h"

namespace tenon::joint_pruning {
namespace {

constexpr int64_t kCrop = 24;           // of ConvNet-5
constexpr uint64_t kMeasuredSeed = 17;  // of the training images that counts are taken on

// What is seen of an image that is not to be drawn from: its centre, where training draws crops.
Tensor central(const Tensor& images, const Augmentation& augment) {
  if (augment.crop_height == 0) return images;
  const int64_t top = (images.size(2) - augment.crop_height) / 2,
                left = (images.size(3) - augment.crop_width) / 2;
  return images.narrow(2, top, augment.crop_height).narrow(3, left, augment.crop_width).contiguous();
}

// Mean and deviation of the training pixels of each channel.
Augmentation cifar_augmentation(Network network) {
  Augmentation augment{
      .horizontal_flip = true, .mean = {0.4914f, 0.4822f, 0.4465f}, .std = {0.2470f, 0.2435f, 0.2616f}};
  if (network == Network::convnet5) augment.crop_height = augment.crop_width = kCrop;
  if (network == Network::resnet32) augment.padding = 4;
  return augment;
}

}  // namespace

bool fits(Network network, const std::string& data) {
  const bool digits = is_mlp(network);
  const bool photographs = network == Network::convnet5 || network == Network::resnet32;
  return data == "cifar10" ? photographs : digits;
}

experiment::ImageProblem load_problem(const std::string& data, Network network, int64_t train, bool reduced) {
  TENON_CHECK(fits(network, data), "joint_pruning: ", name_of(network), " is not trained on ", data);
  experiment::ImageSetup setup;
  setup.train = train;
  setup.validation = 10000;
  if (reduced) setup.train = 1000, setup.validation = 500, setup.test = 500;
  if (data == "cifar10") setup.augment = cifar_augmentation(network);
  experiment::ImageProblem problem = experiment::load_images(data, setup);
  problem.validation.images = central(problem.validation.images, setup.augment);
  problem.test.images = central(problem.test.images, setup.augment);
  problem.image = problem.test.images.shape();
  problem.image.erase(0);
  return problem;
}

Tensor training_images(const experiment::ImageProblem& problem, int64_t count) {
  const auto all = static_cast<int64_t>(problem.train.size());
  count = std::min(count, all);
  const Shape shape = problem.source->image_shape();
  const Augmentation normalisation{.mean = problem.augment.mean, .std = problem.augment.std};
  Tensor images = Tensor::empty({count, shape[0], shape[1], shape[2]}), raw = Tensor::empty(shape);
  int64_t i = 0;
  for (int64_t place : random_subset(all, count, kMeasuredSeed)) {
    const int64_t image = problem.train[static_cast<size_t>(place)];
    problem.source->read(image, raw.data<float>());
    normalisation.apply(raw.data<float>(), shape, 0, 0, image, images.data<float>() + i++ * shape.numel());
  }
  return central(images, problem.augment);
}

}  // namespace tenon::joint_pruning
