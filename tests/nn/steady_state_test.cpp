// Once a training loop has run a few times, a step asks neither the heap nor the system for memory: tensors
// come from the caching allocator, what the tape makes from pools.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "core/allocator.h"
#include "core/memory_trace.h"
#include "core/parallel.h"
#include "core/pool.h"
#include "nn/loss.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
#include "nn/models/volume.h"
#include "nn/optim.h"
#include "tests/heap_count.h"
#include "tests/seed.h"

namespace tenon {
namespace {

template <class Step>
void check_steady(const Step& step) {
  if (!counts_heap()) return;
  for (int i = 0; i < 4; ++i) step();
  const uint64_t heap = heap_allocations(), system = memory_stats().system_calls;
  for (int i = 0; i < 3; ++i) step();
  const uint64_t asked = heap_allocations() - heap;
  CHECK(asked == 0);
  CHECK(memory_stats().system_calls == system);
}

struct Classifier {
  Classifier(std::shared_ptr<Sequential> network, const Shape& input) : model(std::move(network)) {
    Generator generator(test_seed());
    images = Variable(random_uniform(input, generator));
    labels = random_integers({input[0]}, generator, 0, 10);
  }
  void step(Optimizer& optimizer) const {
    optimizer.zero_grad();
    backward(cross_entropy(model->forward(images), labels));
    optimizer.step();
  }
  std::shared_ptr<Sequential> model;
  Variable images;
  Tensor labels;
};

// Threads of their own would allocate where this one does not count.
struct OneThread {
  int before = num_threads();
  OneThread() { set_num_threads(1); }
  ~OneThread() { set_num_threads(before); }
};

// Bytes of a step's peak beyond what was live before it, which are the parameters, Adam's state and the
// batch.
template <class Step>
double peak_of_step(const Step& step) {
  for (int i = 0; i < 2; ++i) step();
  const MemoryTrace trace;
  step();
  const MemoryTrace::Peak peak = trace.peak();
  return static_cast<double>(peak.bytes - peak.older_bytes);
}

// What a step cannot do without: parameters, Adam's two moments, gradients, the images, and what the rules read on the
// way back (`saved` numbers). Adds up to 1.1 times that, or with `flowing` the gradient of so many numbers beside it.
void check_peak(const std::string& name, std::shared_ptr<Sequential> network, const Shape& input,
                int64_t saved, int64_t flowing = 0) {
  OneThread one_thread;
  const Classifier classifier(std::move(network), input);
  Adam adam(classifier.model->named_parameters(), AdamOptions());
  const double parameters = 4 * static_cast<double>(classifier.model->parameter_count());
  const double before = 3 * parameters + 4 * static_cast<double>(input.numel());
  const double peak = before + peak_of_step([&] { classifier.step(adam); });
  const double needed = before + parameters + 4 * static_cast<double>(saved);
  MESSAGE(name, ": peak over what a step needs ", peak / needed);
  CHECK(peak <= 1.1 * (needed + 4 * static_cast<double>(flowing)));
}

}  // namespace

TEST_CASE("steady state: a step of a perceptron allocates nothing") {
  OneThread one_thread;
  Generator generator(test_seed());
  auto model = make_mlp({16, 16, 16, 1}, generator);
  const Variable x(random_normal({1, 16}, generator)), y(random_normal({1, 1}, generator));
  SGD sgd(model->named_parameters(), {.lr = 0.01, .momentum = 0.9});
  Adam adam(model->named_parameters(), AdamOptions());
  for (Optimizer* optimizer : {static_cast<Optimizer*>(&sgd), static_cast<Optimizer*>(&adam)})
    check_steady([&] {
      optimizer->zero_grad();
      backward(mse_loss(model->forward(x), y));
      optimizer->step();
    });
}

TEST_CASE("steady state: a step of LeNet-5 allocates nothing") {
  OneThread one_thread;
  Generator generator(test_seed());
  const Classifier classifier(make_lenet_5(generator), {4, 1, 28, 28});
  Adam adam(classifier.model->named_parameters(), AdamOptions());
  check_steady([&] { classifier.step(adam); });
}

TEST_CASE("steady state: a step of ResNet-20 allocates nothing") {
  OneThread one_thread;
  Generator generator(test_seed());
  const Classifier classifier(make_cifar_resnet(20, 10, Block::basic, generator), {2, 3, 32, 32});
  SGD sgd(classifier.model->named_parameters(), {.lr = 0.1, .momentum = 0.9});
  check_steady([&] { classifier.step(sgd); });
}

TEST_CASE("steady state: a thread that frees what another one makes does not keep all of it") {
  constexpr size_t kBlocks = 100'000, kBytes = 64, kMostKept = size_t{1} << 20;
  std::vector<void*> blocks(kBlocks);
  std::thread([&] {
    for (void*& block : blocks) block = pool_take(kBytes);
  }).join();
  for (void* block : blocks) pool_give(block, kBytes);
  const uint64_t before = heap_allocations();
  for (void*& block : blocks) block = pool_take(kBytes);
  if (counts_heap()) CHECK(heap_allocations() - before >= kBlocks - kMostKept / kBytes);
  for (void* block : blocks) pool_give(block, kBytes);
}

TEST_CASE("steady state: the peak of a step is what the step needs") {
  Generator generator(test_seed());
  // The outputs of the ReLUs, which are the inputs of the layers above, and the logits.
  check_peak("LeNet-300-100", make_lenet_300_100(generator), {100, 784}, 100 * (300 + 100 + 10));
  // And those of the poolings with their indices. Scratch of a convolution's weights' gradient (2 MB) and the gradient of
  // the pooled image are there beside them.
  const int64_t lenet5 = 20 * (24 * 24 + 2 * 12 * 12) + 50 * (8 * 8 + 2 * 4 * 4) + 500 + 10;
  check_peak("LeNet-5", make_lenet_5(generator), {100, 1, 28, 28}, 100 * lenet5, 100 * 20 * 24 * 24);
  // A batch norm reads what the convolution made, a ReLU what it made itself; then as above.
  const auto volume_stage = [](int64_t channels, int64_t side) {
    return channels * (2 * side * side * side + 2 * (side / 2) * (side / 2) * (side / 2));
  };
  check_peak("volume", make_volume_network(generator), {1, 1, 64, 64, 64},
             volume_stage(8, 64) + volume_stage(16, 32) + volume_stage(32, 16) + volume_stage(64, 8));
  // What each convolution made, and each ReLU, which is the next one's input; a shortcut of 1 x 1 convolutions reads
  // its block's input, and its batch norm what it made.
  const auto resnet_stage = [](int64_t channels, int64_t side, int64_t convolutions, int64_t relus) {
    return channels * side * side * (convolutions + relus);
  };
  check_peak("ResNet-20", make_cifar_resnet(20, 10, Block::basic, generator), {32, 3, 32, 32},
             32 * (resnet_stage(16, 32, 7, 7) + resnet_stage(32, 16, 7, 6) + resnet_stage(64, 8, 7, 6)));
}

}  // namespace tenon
