#include "papers/experiment/images.h"

#include <cmath>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/pool.h"
#include "core/ops/reduce.h"
#include "data/datasets.h"
#include "data/split.h"
#include "nn/loss.h"

namespace tenon::experiment {
namespace {

constexpr uint64_t kSplitSeed = 0;
constexpr int64_t kEvaluationBatch = 1000;

const char* published_name(const std::string& data) {
  return data == "mnist"           ? "MNIST"
         : data == "fashion_mnist" ? "Fashion-MNIST"
         : data == "cifar10"       ? "CIFAR-10"
                                   : data.c_str();
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

// Means over squares, rounded to bytes again, in a frame of zeros.
Dataset resized(Dataset set, const ImageSetup& setup) {
  const int64_t frame = setup.frame;
  if (setup.pool > 1)
    set.images = round(avg_pool(set.images.to(float32), {.kernel = {setup.pool}})).to(uint8);
  if (frame > 0) set.images = pad(set.images, {0, 0, frame, frame}, {0, 0, frame, frame});
  return set;
}

// The images `indices`, as a trained network is to see them: normalised, but neither shifted nor mirrored.
Labelled labelled(const Dataset& set, const std::vector<int64_t>& indices, const Augmentation& augment) {
  const Dataset part = take(set, indices);
  Labelled out{Tensor::empty(part.images.shape()), part.labels};
  if (indices.empty()) return out;
  const TensorSource source(part.images, part.labels);
  const Augmentation normalisation{.mean = augment.mean, .std = augment.std};
  const int64_t size = source.image_shape().numel();
  Tensor raw = Tensor::empty(source.image_shape());
  for (int64_t i = 0; i < source.size(); ++i) {
    source.read(i, raw.data<float>());
    normalisation.apply(raw.data<float>(), source.image_shape(), 0, 0, i,
                        out.images.data<float>() + i * size);
  }
  return out;
}

}  // namespace

ImageProblem load_images(const std::string& data, const ImageSetup& setup) {
  Dataset train = load_dataset(data, Part::train);
  if (data == "mnist") check_mnist(train);
  train = resized(std::move(train), setup);
  const Dataset test = resized(load_dataset(data, Part::test), setup);
  Split split = split_validation(train.labels.numel(), setup.validation, kSplitSeed);
  const auto available = static_cast<int64_t>(split.train.size());
  TENON_CHECK(setup.train <= available && setup.test <= test.labels.numel(), data, ": has ", available,
              " training and ", test.labels.numel(), " test images, ", setup.train, " and ", setup.test,
              " were asked for");
  if (setup.train > 0) split.train.resize(static_cast<size_t>(setup.train));
  const int64_t tests = setup.test > 0 ? setup.test : test.labels.numel();
  ImageProblem problem;
  problem.name = published_name(data);
  problem.classes = static_cast<int64_t>(train.class_names.size());
  problem.source = std::make_shared<TensorSource>(train.images, train.labels);
  problem.image = problem.source->image_shape();
  problem.train = std::move(split.train);
  problem.validation = labelled(train, split.validation, setup.augment);
  problem.test = labelled(test, random_subset(test.labels.numel(), tests, kSplitSeed), setup.augment);
  problem.augment = setup.augment;
  std::string extents;
  if (setup.pool > 1 || setup.frame > 0)
    extents = concat(" of ", problem.image[1], " x ", problem.image[2], setup.pool > 1 ? " means" : "",
                     setup.frame > 0 ? concat(" framed by ", setup.frame, " zeros") : "");
  problem.description =
      concat(problem.name, ", ", problem.train.size(), " / ", problem.validation.labels.numel(), " / ",
             problem.test.labels.numel(), " images", extents, " (train / validation / test), ", train.origin);
  return problem;
}

Shape one_image(const Shape& image) {
  Shape shape{1};
  for (int64_t extent : image) shape.push_back(extent);
  return shape;
}

double accuracy(Module& net, const Labelled& set) {
  NoGrad no_grad;
  const bool was_training = net.is_training();
  net.eval();
  int64_t correct = 0;
  const int64_t count = set.labels.numel();
  const Device device = net.device();
  for (int64_t i = 0; i < count; i += kEvaluationBatch) {
    const int64_t n = std::min(kEvaluationBatch, count - i);
    const Variable logits = net(Variable(set.images.narrow(0, i, n).to(device)));
    correct += count_correct(logits.value(), set.labels.narrow(0, i, n).to(device));
  }
  net.train(was_training);
  return count > 0 ? static_cast<double>(correct) / static_cast<double>(count) : 0;
}

}  // namespace tenon::experiment
