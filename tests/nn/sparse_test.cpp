// Sparse layers and sparse compilation.
#include "nn/sparse.h"

#include <doctest/doctest.h>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/compress/mask.h"
#include "nn/compress/sparse.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

// Cuts all weights but the largest `share` of each.
void prune(Module& net, double share, Generator& generator) {
  for (const Variable& p : net.parameters())
    if (p.rank() >= 2) {
      Tensor keep = less(random_uniform(p.shape(), generator), Tensor::full({}, share));
      p.value().copy_(where(keep, p.value(), Tensor::zeros({})));
    }
}

double largest_difference(const Tensor& a, const Tensor& b) {
  return amax(abs(sub(a, b))).item() / std::max(1.0, amax(abs(a)).item());
}

}  // namespace

TEST_CASE("sparse layer: computes and differentiates as a Linear with zeros") {
  Generator generator(test_seed());
  Linear dense(20, 13, Bias::yes, generator);
  prune(dense, 0.3, generator);
  const Variable x(random_normal({5, 20}, generator), true);
  for (int64_t block_rows : {1, 4}) {
    const SparsePattern pattern = SparsePattern::from_mask(dense.weight.value(), block_rows);
    SparseLinear sparse({pattern, pattern.gather(dense.weight.value())}, dense.bias.value());
    CHECK(largest_difference(dense(x).value(), sparse(x).value()) < 1e-6);
    const Variable want = sum(square(dense(x))), got = sum(square(sparse(x)));
    const auto a = gradients({want}, {dense.weight, dense.bias, x});
    const auto b = gradients({got}, {sparse.values, sparse.bias, x});
    CHECK(largest_difference(pattern.gather(a[0].value()), b[0].value()) < 1e-5);
    CHECK(largest_difference(a[1].value(), b[1].value()) < 1e-5);
    CHECK(largest_difference(a[2].value(), b[2].value()) < 1e-5);
  }
  const CsrMatrix w = CsrMatrix::from_dense(dense.weight.value());
  CHECK_THROWS_WITH_AS(SparseLinear(w, Tensor::zeros({4})), doctest::Contains("bias [13]"), Error);
  SparseLinear layer(w);
  CHECK_THROWS_WITH_AS(layer(Variable(Tensor::zeros({2, 3}))), doctest::Contains("[N, 20], got [2, 3]"),
                       Error);
  LayerUses uses;
  CHECK(layer.walk({3, 20}, uses) == Shape{3, 13});
  CHECK(uses[0].macs == 3 * w.pattern.entries());
}

TEST_CASE("sparse layer: fused ReLU has the gradient of ReLU, and moves to a device with its pattern") {
  Generator generator(test_seed());
  const Tensor weight = random_normal({9, 6}, generator);
  SparseLinear fused(CsrMatrix::from_dense(weight), Tensor::zeros({9}), Epilogue::relu);
  SparseLinear plain(CsrMatrix::from_dense(weight), Tensor::zeros({9}));
  const Variable x(random_normal({4, 6}, generator), true);
  const Variable a = relu(plain(x)), b = fused(x);
  CHECK(largest_difference(a.value(), b.value()) == 0);
  CHECK(largest_difference(gradients({sum(a)}, {x})[0].value(), gradients({sum(b)}, {x})[0].value()) == 0);
  if (!Device::has_cuda()) return;
  fused.to(Device::cuda());
  const Tensor on_device = fused(Variable(x.value().to(Device::cuda()))).value();
  CHECK(on_device.device().is_cuda());
  CHECK(largest_difference(a.value(), on_device.to(Device::cpu())) < 1e-6);
}

TEST_CASE("sparse compilation: a pruned network computes the same at every batch, and can be trained on") {
  Generator generator(test_seed());
  auto net = make_lenet_300_100(generator);
  prune(*net, 0.02, generator);
  for (int64_t batch : {1, 3, 128}) {
    const Variable x(random_normal({batch, 1, 28, 28}, generator));
    const Compiled compiled = compile_sparse(*net, x.shape());
    REQUIRE(compiled.layers.size() == 3);
    CHECK(compiled.layers[0].name == "fc1");
    CHECK(compiled.layers[0].form.block_rows == 1);
    CHECK(compiled.layers[0].form.cost < compiled.layers[0].dense_cost);
    CHECK(largest_difference((*net)(x).value(), (*compiled.network)(x).value()) < 1e-5);
    backward(sum((*compiled.network)(x)));
    for (const Variable& p : compiled.network->parameters()) CHECK(p.grad().defined());
    CHECK(compiled.network->at("fc1").named_parameters()[0].variable.numel() == compiled.layers[0].nonzero);
  }
}

TEST_CASE("sparse compilation: dense where dense is cheaper, blocks where zeros come in blocks") {
  Generator generator(test_seed());
  Sequential chain;
  chain.add("full", std::make_shared<Linear>(64, 48, Bias::no, generator))
      .add("blocks", std::make_shared<Linear>(48, 32, Bias::yes, generator))
      .add("relu", std::make_shared<ReLU>());
  Tensor w = dynamic_cast<Linear&>(chain[1]).weight.value();
  for (int64_t top = 0; top < 32; top += 8)
    for (int64_t c = 0; c < 48; ++c)
      if (generator.next_uniform() < 0.8) w.slice(0, top, top + 8).select(1, c).fill_(0);
  const Compiled compiled = compile_sparse(chain, {64, 64});
  CHECK(compiled.layers[0].form.str() == "dense");
  CHECK(&(*compiled.network)[0] == &chain[0]);
  CHECK(compiled.layers[1].form.str() == "4x1 blocks");
  CHECK(compiled.network->size() == 2);  // the ReLU went into the layer
  const Variable x(random_normal({64, 64}, generator));
  CHECK(largest_difference(chain(x).value(), (*compiled.network)(x).value()) < 1e-5);
}

TEST_CASE("sparse compilation: LeNet-5 with its convolutions") {
  Generator generator(test_seed());
  auto net = make_lenet_5(generator);
  prune(*net, 0.05, generator);
  for (int64_t batch : {1, 5}) {
    const Variable x(random_normal({batch, 1, 28, 28}, generator));
    const Compiled compiled = compile_sparse(*net, x.shape());
    std::string kinds;
    for (size_t i = 0; i < compiled.network->size(); ++i) kinds += concat((*compiled.network)[i].kind(), " ");
    CHECK(kinds == "SparseConv MaxPool2d SparseConv MaxPool2d Flatten SparseLinear " +
                       std::string(batch == 1 ? "SparseLinear " : "Linear "));
    CHECK(largest_difference((*net)(x).value(), (*compiled.network)(x).value()) < 1e-5);
    backward(sum((*compiled.network)(x)));
    for (const Variable& p : compiled.network->parameters()) CHECK(p.grad().defined());
    LayerUses uses;
    CHECK(compiled.network->walk(x.shape(), uses) == Shape{batch, 10});
  }
}

TEST_CASE("sparse compilation: what has no sparse form stays as it is") {
  Generator generator(test_seed());
  Sequential chain;
  chain
      .add("strided",
           std::make_shared<Conv2d>(2, 4, Dims{3}, ConvOptions{.stride = {2}}, Bias::yes, generator))
      .add("padded",
           std::make_shared<Conv2d>(4, 4, Dims{3}, ConvOptions{.padding = {1}}, Bias::no, generator));
  prune(chain, 0.05, generator);
  const Variable x(random_normal({2, 2, 20, 20}, generator));
  const Compiled compiled = compile_sparse(chain, x.shape());
  REQUIRE(compiled.layers.size() == 1);
  CHECK(compiled.layers[0].name == "padded");
  CHECK(&(*compiled.network)[0] == &chain[0]);
  CHECK(largest_difference(chain(x).value(), (*compiled.network)(x).value()) < 1e-5);
}
