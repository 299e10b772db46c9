// Once a training loop has run a few times, a step asks neither the heap nor the system for memory: tensors
// come from the caching allocator, what the tape makes from pools.
#include <doctest/doctest.h>

#include "core/allocator.h"
#include "core/memory_trace.h"
#include "core/parallel.h"
#include "nn/loss.h"
#include "nn/models/lenet.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
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

// What a step cannot do without: parameters, Adam's two moments, gradients, the images, what the rules read on the
// way back (`saved` bytes), and the gradient of the largest activation, which is there beside it (`flowing` bytes).
void check_peak(std::shared_ptr<Sequential> network, const Shape& input, double saved, double flowing) {
  OneThread one_thread;
  const Classifier classifier(std::move(network), input);
  Adam adam(classifier.model->named_parameters(), AdamOptions());
  const double parameters = 4 * static_cast<double>(classifier.model->parameter_count());
  const double before = 3 * parameters + 4 * static_cast<double>(input.numel());
  const double peak = before + peak_of_step([&] { classifier.step(adam); });
  const double needed = before + parameters + saved + flowing;
  INFO("peak ", peak, " bytes, needed ", needed);
  CHECK(peak <= 1.1 * needed);
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

TEST_CASE("steady state: the peak of a step is what the step needs") {
  Generator generator(test_seed());
  constexpr double batch = 4 * 100;
  // The outputs of the ReLUs, which are the inputs of the layers above, and the logits.
  check_peak(make_lenet_300_100(generator), {100, 784}, batch * (300 + 100 + 10), batch * 300);
  // And those of the poolings with their indices.
  check_peak(make_lenet_5(generator), {100, 1, 28, 28},
             batch * (20 * (24 * 24 + 2 * 12 * 12) + 50 * (8 * 8 + 2 * 4 * 4) + 500 + 10),
             batch * 20 * 24 * 24);
}

}  // namespace tenon
