// The ladder of the convolution on the host: the rungs of docs/direct-convolution.md, from the definition to the
// shipped kernel. Each rung is checked against the first before any is timed. One thread; float32; 3 x 3, padding 1.
#include "core/ops/conv.h"

#include <hwy/highway.h>

#include <cmath>
#include <vector>

#include "bench/harness.h"
#include "core/cpu/conv.h"
#include "core/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"

namespace tenon::bench {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// [image]
/// One image x [channels, height, width], weights w [out, channels, 3, 3], result y [out, height, width].
struct Convolution {
  int64_t channels, out, height, width;
  const float *x, *w;
  float at(int64_t c, int64_t h, int64_t v) const {  // x, and 0 around it
    return h < 0 || h >= height || v < 0 || v >= width ? 0 : x[(c * height + h) * width + v];
  }
};
// [/image]

// [definition]
void by_definition(const Convolution& p, float* y) {
  for (int64_t o = 0; o < p.out; ++o)
    for (int64_t h = 0; h < p.height; ++h)
      for (int64_t v = 0; v < p.width; ++v) {
        float sum = 0;
        for (int64_t c = 0; c < p.channels; ++c)
          for (int64_t t = 0; t < 9; ++t)
            sum += p.w[(o * p.channels + c) * 9 + t] * p.at(c, h + t / 3 - 1, v + t % 3 - 1);
        y[(o * p.height + h) * p.width + v] = sum;
      }
}
// [/definition]

// [columns]
/// y = W X, where row (c, t) of X holds what each output meets at tap t of channel c.
void by_columns(const Convolution& p, float* y) {
  const Tensor columns = Tensor::empty({p.channels * 9, p.height * p.width});
  float* to = columns.data<float>();
  for (int64_t c = 0; c < p.channels; ++c)
    for (int64_t t = 0; t < 9; ++t)
      for (int64_t h = 0; h < p.height; ++h)
        for (int64_t v = 0; v < p.width; ++v) *to++ = p.at(c, h + t / 3 - 1, v + t % 3 - 1);
  const Tensor w = Tensor::empty({p.out, p.channels * 9});
  std::copy_n(p.w, w.numel(), w.data<float>());
  const Tensor product = matmul(w, columns);
  std::copy_n(product.data<float>(), product.numel(), y);
}
// [/columns]

// [padded]
constexpr hn::ScalableTag<float> d;
constexpr int64_t kLanes = hn::MaxLanes(d);

/// The image with its padding, so that no tap asks where it is; weights [out / lanes][c, t][lanes].
struct Packed {
  std::vector<float> x, w;
  int64_t pitch;
  explicit Packed(const Convolution& p) : pitch(p.width + 2) {
    x.resize(static_cast<size_t>(p.channels * (p.height + 2) * pitch));
    w.resize(static_cast<size_t>(p.out * p.channels * 9));
    float* to = x.data();
    for (int64_t c = 0; c < p.channels; ++c)
      for (int64_t h = -1; h <= p.height; ++h)
        for (int64_t v = -1; v <= p.width; ++v) *to++ = p.at(c, h, v);
    to = w.data();
    for (int64_t o = 0; o < p.out; o += kLanes)
      for (int64_t i = 0; i < p.channels * 9; ++i)
        for (int64_t l = 0; l < kLanes; ++l) *to++ = p.w[(o + l) * p.channels * 9 + i];
  }
};
// [/padded]

// [lanes]
/// The channels of one output in the lanes of a vector.
void output_by_output(const Convolution& p, float* y) {
  const Packed packed(p);
  for (int64_t o = 0; o < p.out; o += kLanes)
    for (int64_t h = 0; h < p.height; ++h)
      for (int64_t v = 0; v < p.width; ++v) {
        auto sum = hn::Zero(d);
        const float* w = packed.w.data() + o * p.channels * 9;
        for (int64_t c = 0; c < p.channels; ++c)
          for (int64_t t = 0; t < 9; ++t, w += kLanes) {
            const float x =
                packed.x[static_cast<size_t>((c * (p.height + 2) + h + t / 3) * packed.pitch + v + t % 3)];
            sum = hn::MulAdd(hn::Set(d, x), hn::LoadU(d, w), sum);
          }
        float lanes[kLanes];
        hn::StoreU(sum, d, lanes);
        for (int64_t l = 0; l < kLanes; ++l) y[((o + l) * p.height + h) * p.width + v] = lanes[l];
      }
}
// [/lanes]

// [tile]
/// Eight neighbouring outputs of 2 vectors of channels in registers.
void tile_by_tile(const Convolution& p, float* y) {
  constexpr int64_t kOutputs = 8;
  const Packed packed(p);
  const int64_t steps = p.channels * 9;
  for (int64_t o = 0; o < p.out; o += 2 * kLanes)
    for (int64_t h = 0; h < p.height; ++h)
      for (int64_t v = 0; v < p.width; v += kOutputs) {
        hn::Vec<decltype(d)> sum[kOutputs][2];
        for (auto& pair : sum) pair[0] = pair[1] = hn::Zero(d);
        const float *w0 = packed.w.data() + o * steps, *w1 = w0 + kLanes * steps;
        for (int64_t c = 0; c < p.channels; ++c)
          for (int64_t t = 0; t < 9; ++t, w0 += kLanes, w1 += kLanes) {
            const float* x = packed.x.data() + (c * (p.height + 2) + h + t / 3) * packed.pitch + v + t % 3;
            const auto a = hn::LoadU(d, w0), b = hn::LoadU(d, w1);
            for (int64_t q = 0; q < kOutputs; ++q) {
              sum[q][0] = hn::MulAdd(hn::Set(d, x[q]), a, sum[q][0]);
              sum[q][1] = hn::MulAdd(hn::Set(d, x[q]), b, sum[q][1]);
            }
          }
        for (int64_t q = 0; q < kOutputs; ++q) {
          float lanes[2 * kLanes];
          hn::StoreU(sum[q][0], d, lanes), hn::StoreU(sum[q][1], d, lanes + kLanes);
          for (int64_t l = 0; l < 2 * kLanes; ++l) y[((o + l) * p.height + h) * p.width + v + q] = lanes[l];
        }
      }
}
// [/tile]

void check_same(const std::string& rung, const Tensor& y, const Tensor& expected) {
  for (int64_t i = 0; i < y.numel(); ++i)
    TENON_CHECK(std::fabs(y.data<float>()[i] - expected.data<float>()[i]) < 1e-3f, "ladder: rung '", rung,
                "' gives ", y.data<float>()[i], " at ", i, ", the first ", expected.data<float>()[i]);
}

// The shipped direct kernel, where filtering would take its place.
Tensor directly(const Tensor& x, const Tensor& w) {
  const int64_t channels = w.shape()[1], out = w.shape()[0], height = x.shape()[2], width = x.shape()[3];
  const Tensor y = Tensor::empty({1, out, height, width});
  ConvPlan plan;
  plan.images = 1, plan.in_channels = channels, plan.out_channels = out, plan.direct = true;
  plan.in[1] = plan.out[1] = height, plan.in[2] = plan.out[2] = width;
  plan.kernel[1] = plan.kernel[2] = 3, plan.padding[1] = plan.padding[2] = 1;
  plan.x = {channels * height * width, height * width, 1}, plan.y = {out * height * width, height * width, 1};
  cpu::conv(plan, float32, y.raw(), x.raw(), w.raw(), nullptr, nullptr);
  return y;
}

// The shipped kernel first: it is what the others are compared with.
std::vector<Contestant> rungs(int64_t channels, int64_t extent) {
  Generator g(1);
  const Tensor x = random_normal({1, channels, extent, extent}, g);
  const Tensor w = affine(random_normal({channels, channels, 3, 3}, g), 0.1, 0);
  const Tensor y = Tensor::zeros({1, channels, extent, extent});
  // The closures hold the tensors that p points into.
  const Convolution p{channels, channels, extent, extent, x.data<float>(), w.data<float>()};
  auto rung = [=](void (*f)(const Convolution&, float*)) {
    return [=] { f(p, y.data<float>()), (void)x, (void)w; };
  };
  std::vector<Contestant> out = {{"shipped", [=] { conv(x, w, {}, {.padding = {1}}); }},
                                 {"definition", rung(by_definition)},
                                 {"columns", rung(by_columns)},
                                 {"lanes", rung(output_by_output)},
                                 {"tiles", rung(tile_by_tile)},
                                 {"direct", [=] { directly(x, w); }}};
  by_definition(p, y.data<float>());
  const Tensor expected = y.clone();
  check_same("shipped", conv(x, w, {}, {.padding = {1}}), expected);
  check_same("direct", directly(x, w), expected);
  for (size_t i = 2; i + 1 < out.size(); ++i) {
    y.fill_(0);
    out[i].run();
    check_same(out[i].name, y, expected);
  }
  return out;
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (!device.is_cpu()) return out;
  for (const auto& [channels, extent] : {std::pair<int64_t, int64_t>{32, 32}, {64, 16}, {256, 16}}) {
    const double weights = static_cast<double>(channels * channels * 9);
    const double positions = static_cast<double>(extent * extent);
    out.push_back({concat("ladder/conv/", channels, "x", extent, "x", extent), 2 * weights * positions,
                   4 * (weights + 2 * static_cast<double>(channels) * positions),
                   [channels = channels, extent = extent] { return rungs(channels, extent); }});
  }
  return out;
}

const Family family("ladder", cases);

}  // namespace
}  // namespace tenon::bench
