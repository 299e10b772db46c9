// Training steps with Adam: LeNet-300-100 at batch 100, without and with the Hoyer-Square regulariser on every
// parameter; LeNet-5 at batch 64, a small network on a volume of 96^3, ResNet-20 at batch 128 on 32 x 32 images; what
// recording one op costs; and Adam alone, over the parameters of ResNet-20 and of ResNet-50.
#include "autograd/ops/elementwise.h"
#include "bench/harness.h"
#include "core/ops/lists.h"
#include "core/ops/sparsity.h"
#include "nn/loss.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
#include "nn/models/volume.h"
#include "nn/optim.h"

namespace tenon::bench {
namespace {

// Tenon's own step with the products of cuBLAS and cuDNN.
constexpr cuda::Settings kLibraries{.matmul_by_cublas = true, .conv_by_cudnn = true};

struct Trainer {
  Trainer(std::shared_ptr<Sequential> network, const Shape& input, Device device, double lambda)
      : strength(lambda), model(std::move(network)) {
    Generator generator(1);
    model->to(device);
    images = Variable(random_uniform(input, generator).to(device));
    labels = random_integers({input[0]}, generator, 0, 10).to(device);
    optimizer = std::make_unique<Adam>(model->named_parameters(), AdamOptions{});
  }

  void step() {
    optimizer->zero_grad();
    backward(cross_entropy(model->forward(images), labels));
    if (strength > 0) add_regulariser();
    optimizer->step();
  }

  void add_regulariser() {
    values.clear(), grads.clear();
    for (const Variable& p : model->parameters()) {
      values.push_back(p.value());
      grads.push_back(p.grad().value());
    }
    hoyer_square_gradient_add(values, grads, strength);
  }

  double strength;
  std::shared_ptr<Sequential> model;
  Variable images;
  Tensor labels;
  std::unique_ptr<Adam> optimizer;
  std::vector<Tensor> values, grads;
};

std::shared_ptr<Trainer> lenet_trainer(Device device, double lambda) {
  Generator generator(1);
  return std::make_shared<Trainer>(make_lenet_300_100(generator), Shape{100, 784}, device, lambda);
}

std::vector<Case> lenet_cases(Device device) {
  // 266,200 multiply-adds an image forward, as many for the weights' gradients, and those of the two upper
  // layers again for the gradients of their inputs; each weight, gradient and Adam moment is read or written
  // once or twice.
  const double flops = 2.0 * 100 * (2 * 266200 + 31000);
  const double bytes = 4.0 * 266610 * 9;
  const auto step = [=](double lambda) {
    return [=] {
      auto trainer = lenet_trainer(device, lambda);
      return beside_library(
          device, [=] { trainer->step(); }, "libraries", kLibraries);
    };
  };
  return {{"lenet300/step", flops, bytes, step(0)},
          {"lenet300/step-hoyer", flops, bytes, step(2e-4)},
          {"lenet300/hoyer-alone", 4.0 * 266610, 4.0 * 266610 * 4,
           [=] {
             auto trainer = lenet_trainer(device, 2e-4);
             trainer->step();
             return std::vector<Contestant>{{"tenon", [=] { trainer->add_regulariser(); }}};
           }},
          {"lenet300/recorded-add", 0, 0, [=] {
             Variable x(Tensor::ones({1}, float32, device), true);
             return std::vector<Contestant>{{"tenon", [=] { add(x, x); }}};
           }}};
}

Case step_case(const char* name, Device device, double flops, double bytes, const Shape& input,
               std::shared_ptr<Sequential> (*make)(Generator&)) {
  return {name, flops, bytes, [=] {
            Generator generator(1);
            auto trainer = std::make_shared<Trainer>(make(generator), input, device, 0);
            return beside_library(
                device, [=] { trainer->step(); }, "libraries", kLibraries);
          }};
}

std::vector<Case> network_cases(Device device) {
  // Multiply-adds an image: forward, and twice that on the way back, without the gradient of the images. The numbers
  // that the convolutions make are written and read once, and their gradients too, even if all else were fused into
  // them.
  return {step_case("lenet5/step", device, 2.0 * 64 * (3 * 2293000 - 288000), 4.0 * 64 * (11520 + 3200) * 4,
                    {64, 1, 28, 28}, make_lenet_5),
          step_case("volume/step", device, 2 * (3 * 860e6 - 191.1e6), 4.0 * 9.4e6 * 4, {1, 1, 96, 96, 96},
                    make_volume_network),
          step_case("resnet20/step", device, 2 * 128 * (3 * 40.8e6 - 442368), 4.0 * 128 * 188416 * 4,
                    {128, 3, 32, 32}, [](Generator& g) -> std::shared_ptr<Sequential> {
                      return make_cifar_resnet(20, 10, Block::basic, g);
                    })};
}

// One fused step over a network's parameters: p, m and v are read and written, g is read.
Case adam_case(const char* name, Device device, double parameters,
               std::shared_ptr<Sequential> (*make)(Generator&)) {
  return {name, 14 * parameters, 28 * parameters, [=] {
            Generator generator(1);
            Tensors p, g, m, v;
            for (const Variable& variable : make(generator)->parameters()) {
              p.push_back(variable.value().to(device));
              for (Tensors* list : {&g, &m, &v})
                list->push_back(Tensor::full(variable.shape(), 1e-3, float32, device));
            }
            const std::vector<int64_t> counts(p.size(), 10);
            AdamStep step{};
            return std::vector<Contestant>{{"tenon", [=] { adam_step(p, g, m, v, {}, counts, step); }}};
          }};
}

std::vector<Case> adam_cases(Device device) {
  return {adam_case("adam/resnet20", device, 0.27e6,
                    [](Generator& g) { return make_cifar_resnet(20, 10, Block::basic, g); }),
          adam_case("adam/resnet50", device, 25557032,
                    [](Generator& g) { return make_imagenet_resnet(50, 1000, g); })};
}

const Family lenet("lenet300", lenet_cases);
const Family networks("networks", network_cases);
const Family adam("adam", adam_cases);

}  // namespace
}  // namespace tenon::bench
