#include "tests/papers/made_up_problem.h"

#include "core/ops/elementwise.h"
#include "core/random.h"

namespace tenon::test {

experiment::Labelled noisy_copies(const Tensor& base, int64_t count, uint64_t stream) {
  Generator noise(5, 100 + stream);
  const Shape image{base.size(1), base.size(2), base.size(3)};
  const Tensor labels = random_integers({count}, noise, 0, base.size(0));
  const Tensor images = Tensor::empty({count, image[0], image[1], image[2]});
  const std::vector<int64_t> classes = labels.to_vector<int64_t>();
  for (int64_t i = 0; i < count; ++i)
    images.select(0, i).copy_(add(affine(base.select(0, classes[static_cast<size_t>(i)]), 0.7, 0),
                                  random_uniform(image, noise, 0, 0.3)));
  return {images, labels};
}

experiment::ImageProblem image_problem(const std::string& name, int64_t classes,
                                       const experiment::Labelled& train,
                                       const experiment::Labelled& validation,
                                       const experiment::Labelled& test) {
  experiment::ImageProblem problem;
  problem.name = problem.description = name;
  problem.classes = classes;
  problem.source = std::make_shared<TensorSource>(affine(train.images, 255, 0).to(uint8), train.labels);
  problem.image = problem.source->image_shape();
  for (int64_t i = 0; i < train.labels.numel(); ++i) problem.train.push_back(i);
  problem.validation = validation;
  problem.test = test;
  return problem;
}

}  // namespace tenon::test
