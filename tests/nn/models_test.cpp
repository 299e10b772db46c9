// Golden counts of the model families, by the walk of shapes; and each family runs, at a size that costs
// nothing.
#include <doctest/doctest.h>

#include "nn/compress/accounting.h"
#include "nn/loss.h"
#include "nn/models/alexnet.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"

namespace tenon {
namespace {

int64_t buffers_of(const Module& net) {
  int64_t count = 0;
  for (const NamedVariable& b : net.named_buffers()) count += b.variable.numel();
  return count;
}

// Of weights drawn at random one in 2^24 is 0.
template <class Net>
Net without_zeros(Net net) {
  for (const Variable& p : net->parameters()) p.value().fill_(1);
  return net;
}

}  // namespace

TEST_CASE("models: LeNet-300-100 and LeNet-5 have the published weights, biases and MACs") {
  Account mlp = account(*without_zeros(make_lenet_300_100()), {1, 1, 28, 28});
  CHECK(mlp.weights == 266200);
  CHECK(mlp.parameters == 266200 + 410);
  CHECK(mlp.macs == 266200);
  CHECK(mlp.nonzero == 266200);
  CHECK(mlp.output == Shape{1, 10});

  auto net = make_lenet_5();
  Account lenet = account(*net, {1, 1, 28, 28});
  CHECK(lenet.weights == 430500);
  CHECK(lenet.parameters == 430500 + 580);
  CHECK(lenet.macs == 2293000);
  REQUIRE(lenet.layers.size() == 4);
  CHECK(lenet.layers[1].name == "conv2");
  CHECK(lenet.layers[1].kind == "Conv2d");
  CHECK(lenet.layers[1].weights == 25000);
  CHECK(lenet.layers[1].macs == 25000 * 64);
  CHECK(lenet.layers[1].output == Shape{1, 50, 8, 8});
  CHECK_THROWS_AS(account(*net, {1, 3, 28, 28}), Error);
}

TEST_CASE("models: non-zero weights are counted, with the MACs that they cost") {
  auto net = without_zeros(make_lenet_5());
  static_cast<Conv2d&>(net->at("conv2")).weight.value().narrow(0, 0, 10).fill_(0);
  Account lenet = account(*net, {1, 1, 28, 28});
  CHECK(lenet.nonzero == 430500 - 10 * 500);
  CHECK(lenet.layers[1].macs_nonzero == 20000 * 64);
  CHECK(lenet.macs_nonzero == 2293000 - 5000 * 64);
}

// torchvision 0.15 publishes 11,689,512, 21,797,672 and 25,557,032 parameters, and 1.81, 3.66 and 4.09 GFLOPS
// (MACs).
TEST_CASE("models: ImageNet ResNets have torchvision's parameters and MACs") {
  Account r18 = account(*make_imagenet_resnet(18), {1, 3, 224, 224});
  CHECK(r18.parameters == 11689512);
  CHECK(r18.macs == 1814073344);
  CHECK(account(*make_imagenet_resnet(34), {1, 3, 224, 224}).parameters == 21797672);
  auto net = make_imagenet_resnet(50);
  CHECK(buffers_of(*net) == 53120);
  Account r50 = account(*net, {1, 3, 224, 224});
  CHECK(r50.parameters == 25557032);
  CHECK(r50.macs == 4089184256);
  CHECK(r50.output == Shape{1, 1000});
  CHECK(net->at("layer1.0.downsample.0").parameter_count() == 64 * 256);
  CHECK_THROWS_AS(make_imagenet_resnet(20), Error);
}

// Worked out by hand for the projections of He et al.'s option B: ResNet-20 is 0.27 M weights and 40.6 M MACs
// with option A, and the two projections add 2,752 parameters and 262,144 MACs.
TEST_CASE("models: CIFAR ResNets and plain nets") {
  Account r20 = account(*make_cifar_resnet(20), {1, 3, 32, 32});
  CHECK(r20.parameters == 269722 + 2752);
  CHECK(r20.macs == 40551040 + 262144);
  CHECK(account(*make_cifar_resnet(56), {1, 3, 32, 32}).macs == 125485696 + 262144);
  CHECK(account(*make_cifar_resnet(110), {1, 3, 32, 32}).macs == 252887680 + 262144);
  CHECK(account(*make_cifar_resnet(29, 10, Block::bottleneck), {1, 3, 32, 32}).output == Shape{1, 10});
  CHECK_THROWS_AS(make_cifar_resnet(21), Error);

  // A plain net of depth d - d - d: the convolutions of the stages, two batch norm numbers a channel, stem
  // and classifier.
  Account plain = account(*make_resnet({.block = Block::plain, .depths = {2, 2, 2}, .widths = {16, 32, 64}}),
                          {1, 3, 32, 32});
  const int64_t convs = 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64);
  CHECK(plain.weights == convs + 640);
  CHECK(plain.parameters == convs + 640 + 10 + 2 * (16 + 2 * (16 + 32 + 64)));
}

TEST_CASE("models: AlexNet has 60.9 M weights") {
  Account alexnet = account(*make_alexnet(), {1, 3, 227, 227});
  CHECK(alexnet.weights == 60954656);
  CHECK(alexnet.parameters == 60954656 + 10568);
  const int64_t convs[] = {34848, 307200, 884736, 663552, 442368};
  for (size_t i = 0; i < 5; ++i) CHECK(alexnet.layers[i].weights == convs[i]);
  CHECK(alexnet.layers[0].macs == 34848 * 55 * 55);
  CHECK(alexnet.layers[1].macs == 307200 * 27 * 27);
  CHECK(alexnet.layers[4].macs == 442368 * 13 * 13);
}

TEST_CASE("models: every family runs forward and back, where the walk says") {
  Generator generator(3);
  struct Model {
    const char* name;
    std::shared_ptr<Sequential> net;
    Shape input;
  };
  const std::vector<Model> models = {
      {"lenet 5", make_lenet_5(), {2, 1, 28, 28}},
      {"basic", make_resnet({.depths = {1, 2}, .widths = {4, 8}}), {2, 3, 8, 8}},
      {"bottleneck",
       make_resnet({.block = Block::bottleneck, .depths = {1, 1}, .widths = {4, 8}}),
       {2, 3, 8, 8}},
      {"plain",
       make_resnet(
           {.block = Block::plain, .depths = {2, 1}, .widths = {4, 8}, .init = ConvInit::layer_default}),
       {2, 3, 8, 8}},
      {"imagenet", make_resnet({.depths = {1, 1}, .widths = {4, 8}, .stem = Stem::imagenet}), {2, 3, 32, 32}},
  };
  for (const Model& m : models) {
    CAPTURE(m.name);
    Variable x(random_normal(m.input, generator));
    Variable y = (*m.net)(x);
    LayerUses uses;
    CHECK(y.shape() == m.net->walk(m.input, uses));
    backward(cross_entropy(y, random_integers({2}, generator, 0, 10)));
    for (const NamedVariable& p : m.net->named_parameters()) {
      CAPTURE(p.name);
      CHECK(p.variable.grad().defined());
    }
    m.net->eval();
    const std::vector<float> once = (*m.net)(x).value().to_vector<float>();
    CHECK((*m.net)(x).value().to_vector<float>() == once);
  }
}

}  // namespace tenon
