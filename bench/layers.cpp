// What stands between the products of a network: batch norm, pooling, upsampling, softmax and cross-entropy, dropout. All
// are bound by memory. Images are the first stage of ResNet-20 at batch 128; logits those of a language model's
// head, and of CIFAR-10.
#include "bench/harness.h"
#include "core/ops/dropout.h"
#include "core/ops/norm.h"
#include "core/ops/pool.h"
#include "core/ops/softmax.h"
#include "core/ops/upsample.h"

namespace tenon::bench {
namespace {

const Shape kImages = {128, 16, 32, 32};

std::vector<Case> norm_cases(Device device) {
  const double n = static_cast<double>(kImages.numel());
  const auto draw = [](Generator& g) {
    return Tensors{random_normal(kImages, g), random_uniform({16}, g), random_uniform({16}, g)};
  };
  return {tenon_case("norm/batch-norm", device, 5 * n, 8 * n, draw,
                     [](const Tensors& in) { batch_norm(in[0], in[1], in[2]); }),
          tenon_case(
              "norm/batch-norm-backward", device, 8 * n, 12 * n,
              [=](Generator& g) {
                Tensors in = draw(g);
                in.push_back(random_normal(kImages, g));
                const Normalized forward = batch_norm(in[0], in[1], in[2]);
                in.push_back(forward.mean), in.push_back(forward.variance);
                return in;
              },
              [](const Tensors& in) { batch_norm_backward(in[3], in[0], in[1], in[4], in[5]); }),
          tenon_case(
              "norm/residual-relu", device, 7 * n, 12 * n,
              [=](Generator& g) {
                Tensors in = draw(g);
                in.push_back(random_normal(kImages, g));
                return in;
              },
              [](const Tensors& in) { batch_norm_relu(in[0], in[1], in[2], in[3]); }),
          tenon_case(
              "norm/residual-relu-backward", device, 9 * n, 20 * n,
              [=](Generator& g) {
                Tensors in = draw(g);
                in.push_back(random_normal(kImages, g));
                const Normalized forward = batch_norm_relu(in[0], in[1], in[2], in[3]);
                in.insert(in.end(), {forward.y, forward.mean, forward.variance});
                return in;
              },
              [](const Tensors& in) {
                batch_norm_relu_backward(in[3], in[0], in[4], in[1], in[5], in[6], true);
              })};
}

// The same numbers with the channels innermost in memory.
Tensor channels_inside(const Tensor& x) { return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2}); }

// Pooling of one shape, forward and backward. A maximum is written with its place, of 4 bytes.
void push_pooling(std::vector<Case>& out, Device device, const char* name, const Shape& shape,
                  const PoolOptions& options, bool last) {
  const auto draw = [=](Generator& g) {
    const Tensor x = random_normal(shape, g);
    return Tensors{last ? channels_inside(x) : x};
  };
  const auto draw_gradient = [=](Generator& g) {
    Tensors in = draw(g);
    auto [y, index] = max_pool(in[0], options);
    return Tensors{y, index};
  };
  Dims in;
  double n = static_cast<double>(shape[0] * shape[1]), m = n;  // elements of the input and of the result
  const int64_t padding = options.padding.rank() > 0 ? options.padding[0] : 0;
  const int64_t stride = options.stride.rank() > 0 ? options.stride[0] : options.kernel[0];
  for (int i = 2; i < shape.rank(); ++i) {
    in.push_back(shape[i]);
    n *= static_cast<double>(shape[i]);
    const int64_t windows = (shape[i] + 2 * padding - options.kernel[0]) / stride + 1;
    m *= static_cast<double>(windows);
  }
  const auto label = [&](const char* op) { return concat("pool/", op, name, last ? "-channels-last" : ""); };
  out.push_back(tenon_case(label("max-"), device, n, 4 * n + 8 * m, draw,
                           [=](const Tensors& t) { max_pool(t[0], options); }));
  out.push_back(tenon_case(label("max-backward-"), device, m, 4 * n + 8 * m, draw_gradient,
                           [=](const Tensors& t) { max_pool_backward(t[0], t[1], in); }));
  out.push_back(tenon_case(label("avg-"), device, n, 4 * n + 4 * m, draw,
                           [=](const Tensors& t) { avg_pool(t[0], options); }));
  out.push_back(tenon_case(label("avg-backward-"), device, n, 4 * n + 4 * m, draw_gradient,
                           [=](const Tensors& t) { avg_pool_backward(t[0], in, options); }));
}

std::vector<Case> pool_cases(Device device) {
  std::vector<Case> out;
  for (bool last : {false, true}) {
    push_pooling(out, device, "2x2", kImages, {.kernel = {2}}, last);
    push_pooling(out, device, "3x3-stride-2", {8, 64, 112, 112},
                 {.kernel = {3}, .stride = {2}, .padding = {1}}, last);
  }
  push_pooling(out, device, "2x2x2", {4, 16, 48, 48, 48}, {.kernel = {2}}, false);
  push_pooling(out, device, "2x2-lenet5", {64, 10, 24, 24}, {.kernel = {2}}, false);
  out.push_back(tenon_case(
      "pool/global-avg", device, static_cast<double>(kImages.numel()),
      4 * static_cast<double>(kImages.numel()),
      [](Generator& g) { return Tensors{random_normal(kImages, g)}; },
      [](const Tensors& in) { global_avg_pool(in[0]); }));
  return out;
}

// Twice the extent along every axis, forward and backward.
std::vector<Case> upsample_cases(Device device) {
  std::vector<Case> out;
  for (const Shape& shape : {Shape{8, 32, 64, 64}, Shape{2, 16, 32, 32, 32}}) {
    Dims in, size;
    Shape large{shape[0], shape[1]};
    for (int i = 2; i < shape.rank(); ++i) {
      in.push_back(shape[i]);
      size.push_back(2 * shape[i]);
      large.push_back(2 * shape[i]);
    }
    const double bytes = 4 * static_cast<double>(shape.numel() + large.numel());
    const auto label = [&](const char* op) { return concat("upsample/", op, "-", shape.rank() - 2, "d"); };
    const auto drawn = [](const Shape& s) {
      return [=](Generator& g) { return Tensors{random_normal(s, g)}; };
    };
    out.push_back(tenon_case(label("nearest"), device, 0, bytes, drawn(shape),
                             [=](const Tensors& t) { upsample_nearest(t[0], size); }));
    out.push_back(tenon_case(label("nearest-backward"), device, 0, bytes, drawn(large),
                             [=](const Tensors& t) { upsample_nearest_backward(t[0], in); }));
    out.push_back(tenon_case(label("linear"), device, 0, bytes, drawn(shape),
                             [=](const Tensors& t) { upsample_linear(t[0], size); }));
    out.push_back(tenon_case(label("linear-backward"), device, 0, bytes, drawn(large),
                             [=](const Tensors& t) { upsample_linear_backward(t[0], in); }));
  }
  return out;
}

std::vector<Case> softmax_cases(Device device) {
  std::vector<Case> out;
  for (const Shape& shape : {Shape{8192, 10}, Shape{4096, 4096}}) {
    const double n = static_cast<double>(shape.numel());
    const auto name = [&](const char* op) { return concat("softmax/", op, "/", shape[0], "x", shape[1]); };
    const auto draw = [=](Generator& g) {
      return Tensors{random_normal(shape, g), random_integers({shape[0]}, g, 0, shape[1])};
    };
    out.push_back(tenon_case(name("softmax"), device, 25 * n, 8 * n, draw,
                             [](const Tensors& in) { softmax(in[0], 1); }));
    out.push_back(tenon_case(name("cross-entropy"), device, 25 * n, 4 * n, draw,
                             [](const Tensors& in) { softmax_cross_entropy(in[0], in[1]); }));
    out.push_back(tenon_case(
        name("cross-entropy-backward"), device, 25 * n, 8 * n,
        [=](Generator& g) {
          Tensors in = draw(g);
          in.push_back(Tensor::scalar(1));
          return in;
        },
        [](const Tensors& in) { softmax_cross_entropy_backward(in[2], in[0], in[1]); }));
  }
  return out;
}

std::vector<Case> dropout_cases(Device device) {
  const int64_t n = int64_t{4} << 20;
  const auto generator = std::make_shared<Generator>(1);
  // A mask of a byte an element is written beside the result.
  return {tenon_case(
      concat("dropout/", n), device, 10. * n, 9. * n,
      [=](Generator& g) { return Tensors{random_normal({n}, g)}; },
      [=](const Tensors& in) { dropout(in[0], 0.5, *generator); })};
}

const Family norm("norm", norm_cases);
const Family pool("pool", pool_cases);
const Family upsample("upsample", upsample_cases);
const Family softmax_family("softmax", softmax_cases);
const Family dropout_family("dropout", dropout_cases);

}  // namespace
}  // namespace tenon::bench
