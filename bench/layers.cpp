// What stands between the products of a network: batch norm, pooling, softmax and cross-entropy, dropout. All
// are bound by memory. Images are the first stage of ResNet-20 at batch 128; logits those of a language model's
// head, and of CIFAR-10.
#include "bench/harness.h"
#include "core/ops/dropout.h"
#include "core/ops/norm.h"
#include "core/ops/pool.h"
#include "core/ops/softmax.h"

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
              [](const Tensors& in) { batch_norm_backward(in[3], in[0], in[1], in[4], in[5]); })};
}

std::vector<Case> pool_cases(Device device) {
  const double n = static_cast<double>(kImages.numel());
  const auto draw = [](Generator& g) { return Tensors{random_normal(kImages, g)}; };
  // A quarter of the numbers comes back, and for a maximum its place, of 4 bytes.
  return {tenon_case("pool/max-2x2", device, n, 4 * n + 2 * n, draw,
                     [](const Tensors& in) { max_pool(in[0], {.kernel = {2}}); }),
          tenon_case("pool/avg-2x2", device, n, 4 * n + n, draw,
                     [](const Tensors& in) { avg_pool(in[0], {.kernel = {2}}); }),
          tenon_case("pool/global-avg", device, n, 4 * n, draw,
                     [](const Tensors& in) { global_avg_pool(in[0]); })};
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
const Family softmax_family("softmax", softmax_cases);
const Family dropout_family("dropout", dropout_cases);

}  // namespace
}  // namespace tenon::bench
