// Problems: parts do not overlap, do not depend on how many images are asked for, and are seen as the options say.
#include "papers/experiment/images.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "data/datasets.h"

namespace tenon::experiment {

TEST_CASE("experiment: a set in three parts, means over squares, normalised") {
  const Dataset raw = load_dataset("fashion_mnist", Part::train);
  ImageSetup setup{.train = 300, .validation = 100, .test = 50, .pool = 2, .augment = {}};
  setup.augment.mean = {0.25F};
  setup.augment.std = {0.5F};
  const ImageProblem p = load_images("fashion_mnist", setup);
  CHECK(p.name == "Fashion-MNIST");
  CHECK(p.classes == 10);
  CHECK(p.image == Shape{1, 14, 14});
  CHECK(p.train.size() == 300);
  CHECK(p.validation.images.shape() == Shape{100, 1, 14, 14});
  CHECK(p.test.labels.shape() == Shape{50});
  CHECK(p.description.find("300 / 100 / 50 images of 14 x 14 means") != std::string::npos);
  CHECK(std::set<int64_t>(p.train.begin(), p.train.end()).size() == 300);

  const auto* pixels = raw.images.data<uint8_t>() + p.train[0] * 784;
  std::vector<float> image(196);
  p.source->read(p.train[0], image.data());
  for (int y = 0; y < 14; ++y)
    for (int x = 0; x < 14; ++x) {
      const uint8_t* square = pixels + 2 * y * 28 + 2 * x;
      const double mean = (square[0] + square[1] + square[28] + square[29]) / 4.0;
      CHECK(std::fabs(image[static_cast<size_t>(y * 14 + x)] * 255 - mean) <= 0.5 + 1e-4);
    }
  // (0 - 0.25) / 0.5 is the least that a normalised image holds, and images have black corners.
  const std::vector<float> seen = p.test.images.to_vector<float>();
  CHECK(*std::min_element(seen.begin(), seen.end()) == doctest::Approx(-0.5));
  CHECK(*std::max_element(seen.begin(), seen.end()) <= 1.5);

  setup.train = 200;  // fewer of the same
  const ImageProblem fewer = load_images("fashion_mnist", setup);
  CHECK(std::equal(fewer.train.begin(), fewer.train.end(), p.train.begin()));
  CHECK(fewer.validation.labels.to_vector<int64_t>() == p.validation.labels.to_vector<int64_t>());
  setup.train = 60000;
  CHECK_THROWS_WITH_AS(load_images("fashion_mnist", setup), doctest::Contains("59900"), Error);
}

TEST_CASE("experiment: a frame of zeros stands around every image of every part") {
  ImageSetup setup{.train = 20, .validation = 20, .test = 20, .augment = {}};
  const ImageProblem bare = load_images("fashion_mnist", setup);
  setup.frame = 2;
  const ImageProblem framed = load_images("fashion_mnist", setup);
  CHECK(framed.image == Shape{1, 32, 32});
  CHECK(framed.description.find("of 32 x 32 framed by 2 zeros") != std::string::npos);
  std::vector<float> image(1024), plain(784);
  framed.source->read(framed.train[0], image.data());
  bare.source->read(bare.train[0], plain.data());
  double frame = 0;
  for (size_t y = 0; y < 32; ++y)
    for (size_t x = 0; x < 32; ++x) {
      const bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
      if (inside) CHECK(image[y * 32 + x] == plain[(y - 2) * 28 + x - 2]);
      if (!inside) frame += image[y * 32 + x];
    }
  CHECK(frame == 0);
  for (const Labelled* part : {&framed.validation, &framed.test})
    CHECK(part->images.shape() == Shape{20, 1, 32, 32});
  CHECK(framed.test.images.narrow(2, 2, 28).narrow(3, 2, 28).to_vector<float>() ==
        bare.test.images.to_vector<float>());
}

}  // namespace tenon::experiment
