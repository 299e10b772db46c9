// RoIAlign and non-maximum suppression where the result is known, and on boxes that make no sense.
#include "core/ops/detection.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

namespace tenon {

// x(h, w) = 10 h + w is linear, and so is its mean over a cell: the value at the cell's centre.
TEST_CASE("roi_align: cells of a linear image have the value at their centres") {
  Tensor x = Tensor::empty({1, 1, 6, 8});
  for (int64_t h = 0; h < 6; ++h)
    for (int64_t w = 0; w < 8; ++w) x.data<float>()[h * 8 + w] = static_cast<float>(10 * h + w);
  const Tensor boxes = Tensor::from<float>({2, 1, 6, 5}, {1, 4}), image = Tensor::zeros({1}, int64);
  const auto run = [&](const RoiAlignOptions& options) {
    return roi_align(x, boxes, image, options).to_vector<float>();
  };
  // Cells 2 x 2 of 2 x 2 elements; their centres are 3 and 5 across, 2 and 4 down, in boxes' coordinates.
  for (int64_t samples : {0, 1, 2, 3}) {
    CAPTURE(samples);
    const std::vector<float> aligned = run({.height = 2, .width = 2, .sampling_ratio = samples});
    const std::vector<float> centres = {17.5f, 19.5f, 37.5f, 39.5f};  // of pixels half an element further
    for (size_t i = 0; i < 4; ++i) CHECK(aligned[i] == doctest::Approx(centres[i]));
    const std::vector<float> shifted =
        run({.height = 2, .width = 2, .sampling_ratio = samples, .aligned = false});
    for (size_t i = 0; i < 4; ++i) CHECK(shifted[i] == doctest::Approx(centres[i] + 5.5f));
  }
}

TEST_CASE("roi_align: boxes of NaN, infinities and huge numbers end, and stay inside x") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const Tensor x = Tensor::ones({1, 2, 5, 4});
  for (const Device device : {Device::cpu(), Device::cuda()}) {
    if (device.is_cuda() && !Device::has_cuda()) continue;
    for (float bad : {nan, infinity, -infinity, 1e30f, -1e30f})
      for (int place = 0; place < 4; ++place)
        for (int64_t samples : {0, 2}) {
          Tensor boxes = Tensor::from<float>({0, 0, 3, 3}, {1, 4});
          boxes.data<float>()[place] = bad;
          const Tensor there = boxes.to(device), image = Tensor::zeros({1}, int64).to(device);
          const RoiAlignOptions options{.height = 1, .width = 1, .sampling_ratio = samples};
          const Tensor y = roi_align(x.to(device), there, image, options);
          const Tensor dx = roi_align_backward(y, there, image, 1, {5, 4}, options);
          for (const Tensor& t : {y, dx})
            for (float value : t.to(Device::cpu()).to_vector<float>()) {
              CHECK(value >= 0);
              CHECK(value <= 1);
            }
        }
  }
}

TEST_CASE("nms: boxes that share exactly the threshold stay; NaN overlaps nothing") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  // The second shares half of the union with the first, the third a third.
  const Tensor boxes = Tensor::from<float>({0, 0, 4, 2, 0, 0, 2, 2, 2, 0, 6, 2, nan, 0, 4, 2}, {4, 4});
  const Tensor scores = Tensor::from<float>({0.9f, 0.8f, 0.7f, 0.6f});
  CHECK(nms(boxes, scores, 0.5).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(nms(boxes, scores, 0.49).to_vector<int64_t>() == std::vector<int64_t>{0, 2, 3});
  CHECK(nms(boxes, scores, 0.3).to_vector<int64_t>() == std::vector<int64_t>{0, 3});
  // Of two that overlap, the lower score goes; what it alone overlapped comes back.
  const Tensor others = Tensor::from<float>({0.1f, 0.8f, 0.9f, 0.6f});
  CHECK(nms(boxes, others, 0.3).to_vector<int64_t>() == std::vector<int64_t>{2, 1, 3});
}

}  // namespace tenon
