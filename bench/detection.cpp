// Detection: RoIAlign and deformable columns at the shapes of a person search network (a stride-16 map of 57 x 94, 1024
// channels; a stride-8 map of 100 x 168, 256 channels), on the host with a quarter of the channels; and suppression among
// proposals. Floors count each operand once; those of the samples count 8 flops for a bilinear one.
#include "core/ops/detection.h"

#include "bench/harness.h"
#include "core/ops/deformable.h"

namespace tenon::bench {
namespace {

// Boxes of persons in an image of `height` x `width`.
Tensor draw_boxes(int64_t count, double height, double width, Generator& generator) {
  Tensor boxes = Tensor::empty({count, 4});
  for (int64_t i = 0; i < count; ++i) {
    float* const box = boxes.data<float>() + 4 * i;
    const double tall = (0.1 + 0.5 * generator.next_uniform()) * height, wide = 0.4 * tall;
    box[0] = static_cast<float>(generator.next_uniform() * (width - wide));
    box[1] = static_cast<float>(generator.next_uniform() * (height - tall));
    box[2] = box[0] + static_cast<float>(wide), box[3] = box[1] + static_cast<float>(tall);
  }
  return boxes;
}

void add_roi_align(Device device, std::vector<Case>& out) {
  const int64_t channels = device.is_cuda() ? 1024 : 256, regions = 128, height = 57, width = 94;
  const RoiAlignOptions options{
      .height = 14, .width = 14, .scale = 1.0 / 16, .sampling_ratio = 2, .aligned = false};
  const double map = static_cast<double>(channels * height * width),
               pooled = static_cast<double>(regions * channels * 196);
  const auto draw = [=](Generator& g, const Shape& shape) {
    return Tensors{random_normal(shape, g), draw_boxes(regions, 16.0 * height, 16.0 * width, g),
                   Tensor::zeros({regions}, int64)};
  };
  const std::string shape = concat(regions, "x", channels, "x14x14");
  out.push_back(tenon_case(
      "detection/roi-align/" + shape, device, 32 * pooled, 4 * (map + pooled),
      [=](Generator& g) {
        return draw(g, {1, channels, height, width});
      },
      [=](const Tensors& in) { roi_align(in[0], in[1], in[2], options); }));
  out.push_back(tenon_case(
      "detection/roi-align-backward/" + shape, device, 32 * pooled, 4 * (map + pooled),
      [=](Generator& g) {
        return draw(g, {regions, channels, 14, 14});
      },
      [=](const Tensors& in) {
        roi_align_backward(in[0], in[1], in[2], 1, {height, width}, options);
      }));
}

void add_deformable(Device device, std::vector<Case>& out) {
  const int64_t channels = device.is_cuda() ? 256 : 64, height = 100, width = 168, positions = height * width;
  const double map = static_cast<double>(channels * positions), columns = 9 * map,
               samples = 9 * static_cast<double>(positions);
  const auto draw = [=](Generator& g) {
    return Tensors{
        random_normal({1, channels, height, width}, g), random_normal({1, 18, height, width}, g, 0, 2),
        random_uniform({1, 9, height, width}, g, 0, 1), random_normal({1, 9 * channels, positions}, g)};
  };
  const auto add = [&](const std::string& name, double flops, double bytes, void (*run)(const Tensors&)) {
    out.push_back(tenon_case(concat("detection/", name, "/", channels, "x", height, "x", width), device,
                             flops, bytes, draw, run));
  };
  add("deformable-columns", 8 * columns, 4 * (map + columns + 3 * samples), [](const Tensors& in) {
    deformable_columns(in[0], in[1], in[2], {3, 3}, {.padding = {1}});
  });
  add("deformable-backward-input", 8 * columns, 4 * (map + columns + 3 * samples), [](const Tensors& in) {
    deformable_columns_backward_input(in[3], in[1], in[2], {in[0].size(2), in[0].size(3)}, {3, 3},
                                      {.padding = {1}});
  });
  add("deformable-backward-offset", 24 * columns, 4 * (map + columns + 6 * samples), [](const Tensors& in) {
    deformable_columns_backward_offset(in[3], in[0], in[1], in[2], {3, 3}, {.padding = {1}});
  });
}

void add_nms(Device device, std::vector<Case>& out) {
  const int64_t count = device.is_cuda() ? 12000 : 2000;
  const double pairs = static_cast<double>(count) * static_cast<double>(count) / 2;
  out.push_back(tenon_case(
      concat("detection/nms/", count), device, 20 * pairs, 20.0 * static_cast<double>(count),
      [=](Generator& g) {
        return Tensors{draw_boxes(count, 900, 1500, g), random_normal({count}, g)};
      },
      [](const Tensors& in) { nms(in[0], in[1], 0.7); }));
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  add_roi_align(device, out);
  add_deformable(device, out);
  add_nms(device, out);
  return out;
}

const Family family("detection", cases);

}  // namespace
}  // namespace tenon::bench
