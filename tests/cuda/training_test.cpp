// Training on the device end to end: networks learn there as they do on the host, and nothing of a step happens
// on the host. How that is seen: device memory is closed to the host throughout (tests/main.cpp), so a host
// kernel would need its operands copied into tensors on the host; and the host's allocator, which all tensors
// there come from, gives out not a byte between the first step and the last.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <vector>

#include "core/allocator.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/ops/sparsity.h"
#include "nn/checkpoint.h"
#include "nn/clip.h"
#include "nn/ema.h"
#include "nn/loss.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
#include "nn/optim.h"
#include "tests/cuda/device_array.h"
#include "tests/temporary_folder.h"

namespace tenon {
namespace {

constexpr int kSteps = 20;

struct Training {
  std::function<std::shared_ptr<Sequential>(Generator&)> make;
  std::function<std::unique_ptr<Optimizer>(const Module&)> optimizer;
  Shape images;
  /// What is done to the gradients between backward and step.
  std::function<void(const std::vector<Variable>&)> regularise = [](const std::vector<Variable>&) {};
};

struct Trained {
  std::shared_ptr<Sequential> net;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<double> losses;
};

Trained train(const Training& how, Device device) {
  Generator generator(3);
  Trained out;
  out.net = how.make(generator);
  out.net->to(device);
  out.optimizer = how.optimizer(*out.net);
  Ema average(*out.net, 0.9);
  // Four batches of noise, over and over: learned by heart.
  std::vector<Tensor> images, labels, losses;
  for (int i = 0; i < 4; ++i) {
    images.push_back(random_normal(how.images, generator).to(device));
    labels.push_back(random_integers({how.images[0]}, generator, 0, 10).to(device));
  }
  const uint64_t launches = cuda::launch_count();
  reset_peak_memory(Device::cpu());
  const size_t host_bytes = memory_stats(Device::cpu()).peak_bytes;
  for (size_t step = 0; step < kSteps; ++step) {
    const Variable loss = cross_entropy((*out.net)(Variable(images[step % 4])), labels[step % 4]);
    out.optimizer->zero_grad();
    backward(loss);
    NoGrad no_grad;
    how.regularise(out.net->parameters());
    clip_grad_norm(out.net->parameters(), 5);
    out.optimizer->step();
    average.update();
    losses.push_back(loss.value());
  }
  if (device.is_cuda()) {
    // No tensor on the host: activations have 16 KiB. Long lists of handles come from the host's allocator.
    CHECK(memory_stats(Device::cpu()).peak_bytes < host_bytes + 4096);
    CHECK(cuda::launch_count() - launches > kSteps * out.net->parameters().size());
  } else {
    CHECK(cuda::launch_count() == launches);
  }
  for (const Variable& p : out.net->parameters()) {
    CHECK(p.value().device() == device);
    CHECK(p.grad().value().device() == device);
  }
  for (const auto& [name, tensor] : average.state()) CHECK(tensor.device() == device);
  for (const Tensor& loss : losses) out.losses.push_back(loss.item());
  return out;
}

void check_trains_as_on_the_host(const Training& how) {
  const Trained host = train(how, Device::cpu()), device = train(how, Device::cuda());
  for (size_t i = 0; i < host.losses.size(); ++i) {
    CAPTURE(i);
    CHECK(std::fabs(host.losses[i] - device.losses[i]) < 1e-3);
  }
  CHECK(device.losses.back() < 0.8 * device.losses.front());
}

}  // namespace

TEST_CASE("cuda training: LeNet-300-100 with Adam under Hoyer-Square, and its checkpoint") {
  if (cuda::skip_without_device()) return;
  const Training how{.make = [](Generator& generator) { return make_lenet_300_100(generator); },
                     .optimizer =
                         [](const Module& net) {
                           return std::make_unique<Adam>(net.named_parameters(),
                                                         AdamOptions{.lr = 1e-3, .weight_decay = 1e-4});
                         },
                     .images = {4, 1, 28, 28},
                     .regularise =
                         [](const std::vector<Variable>& parameters) {
                           std::vector<Tensor> weights, gradients;
                           for (const Variable& p : parameters)
                             weights.push_back(p.value()), gradients.push_back(p.grad().value());
                           hoyer_square_gradient_add(weights, gradients, 1e-5);
                         }};
  check_trains_as_on_the_host(how);

  // What the device saved, the host and the device go on with alike.
  const Trained trained = train(how, Device::cuda());
  const test::TemporaryFolder folder;
  const std::string path = (folder.path() / "checkpoint.safetensors").string();
  Checkpoint saved;
  saved.put("model", trained.net->state());
  saved.put("optimizer", trained.optimizer->state());
  saved.save(path);
  const Checkpoint loaded = Checkpoint::load(path);
  for (Device device : {Device::cpu(), Device::cuda()}) {
    CAPTURE(device.str());
    Generator generator(8);
    auto net = how.make(generator);
    net->to(device);
    auto optimizer = how.optimizer(*net);
    net->load_state(loaded.state("model"));
    optimizer->load_state(loaded.state("optimizer"));
    const State expected = trained.optimizer->state();
    for (const auto& [name, tensor] : optimizer->state()) {
      const bool is_number = tensor.rank() == 0 || name == "lr" || name == "weight_decay";
      if (!is_number) CHECK(tensor.device() == device);
      const Tensor a = tensor.to(Device::cpu()).to(float64),
                   b = expected.at(name).to(Device::cpu()).to(float64);
      CHECK(a.to_vector<double>() == b.to_vector<double>());
    }
  }
}

TEST_CASE("cuda training: LeNet-5 with Nesterov's momentum under group lasso") {
  if (cuda::skip_without_device()) return;
  check_trains_as_on_the_host({.make = [](Generator& generator) { return make_lenet_5(generator); },
                               .optimizer =
                                   [](const Module& net) {
                                     return std::make_unique<SGD>(
                                         net.named_parameters(),
                                         SgdOptions{.lr = 0.02, .momentum = 0.9, .nesterov = true});
                                   },
                               .images = {2, 1, 28, 28},
                               .regularise =
                                   [](const std::vector<Variable>& parameters) {
                                     std::vector<Tensor> weights, gradients;
                                     for (const Variable& p : parameters) {
                                       if (p.rank() < 2) continue;
                                       weights.push_back(p.value());
                                       gradients.push_back(p.grad().value());
                                     }
                                     group_lasso_gradient_add(weights, gradients, {1e-4, 1e-4});
                                   }});
}

TEST_CASE("cuda training: a ResNet-8 for CIFAR with RMSprop") {
  if (cuda::skip_without_device()) return;
  check_trains_as_on_the_host(
      {.make = [](Generator& generator) { return make_cifar_resnet(8, 10, Block::basic, generator); },
       .optimizer =
           [](const Module& net) {
             return std::make_unique<RMSprop>(net.named_parameters(),
                                              RmspropOptions{.lr = 1e-3, .momentum = 0.5});
           },
       .images = {4, 3, 8, 8}});
}

}  // namespace tenon

#endif
