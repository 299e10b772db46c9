#include "examples/volume_training.h"

#include <cmath>
#include <optional>

#include "autograd/checkpoint.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/layers.h"
#include "nn/loss.h"
#include "nn/optim.h"
#include "nn/schedule.h"

namespace tenon {
namespace {

constexpr int64_t kChannels[] = {4, 24, 144};
constexpr int64_t kUnseen = 64;

// Convolution, batch norm, ReLU, max pooling.
class Stage : public Module {
 public:
  Stage(std::string name, int64_t in, int64_t out, Generator& generator)
      : name_(std::move(name)),
        conv_(add_module("conv", std::make_shared<Conv3d>(in, out, Dims{3}, ConvOptions{.padding = {1}},
                                                          Bias::no, generator))),
        norm_(add_module("norm", std::make_shared<BatchNorm3d>(out))),
        pool_(add_module("pool", std::make_shared<MaxPool3d>(PoolOptions{.kernel = {2}}))) {}
  Variable forward(const Variable& x) override {
    const MemoryLabel label(name_.c_str());
    return (*pool_)(norm_->forward_relu((*conv_)(x)));
  }
  const char* kind() const override { return "Stage"; }

 private:
  std::string name_;
  std::shared_ptr<Conv3d> conv_;
  std::shared_ptr<BatchNorm3d> norm_;
  std::shared_ptr<MaxPool3d> pool_;
};

// Adds 1 within a ball.
void add_ball(float* volume, int64_t size, const double (&centre)[3], double radius) {
  const auto squared = [](double x) { return x * x; };
  for (int64_t z = 0; z < size; ++z)
    for (int64_t y = 0; y < size; ++y)
      for (int64_t x = 0; x < size; ++x) {
        const double distance = squared(static_cast<double>(z) - centre[0]) +
                                squared(static_cast<double>(y) - centre[1]) +
                                squared(static_cast<double>(x) - centre[2]);
        if (distance <= radius * radius) volume[(z * size + y) * size + x] += 1;
      }
}

double mean_of_abs(const Tensor& x) { return mean(abs(x)).item(); }

}  // namespace

double voxels_per_unit(int64_t size) { return static_cast<double>(size) / 16; }

Volumes draw_volumes(int64_t count, int64_t size, Generator& generator) {
  TENON_CHECK(count >= 1 && size >= 8,
              "draw_volumes: expects a count of at least 1 and a size of at least 8, got ", count, " and ",
              size);
  Volumes out{random_normal({count, 1, size, size, size}, generator, 0, 0.5),
              random_uniform({count, 1}, generator, -1, 1)};
  for (int64_t n = 0; n < count; ++n) {
    const double radius = (3 + static_cast<double>(out.radii.data<float>()[n])) * voxels_per_unit(size);
    const uint32_t balls = 1 + generator.next_below(3);
    for (uint32_t ball = 0; ball < balls; ++ball) {
      double centre[3];
      for (double& c : centre)
        c = radius + generator.next_uniform() * (static_cast<double>(size - 1) - 2 * radius);
      add_ball(out.images.data<float>() + n * size * size * size, size, centre, radius);
    }
  }
  return out;
}

VolumeNetwork::VolumeNetwork(bool recompute, Generator& generator) : recompute_(recompute) {
  int64_t in = 1;
  for (const int64_t out : kChannels) {
    const std::string name = concat("stage", stages_.size() + 1);
    stages_.push_back(add_module(name, std::make_shared<Stage>(name, in, out, generator)));
    in = out;
  }
  auto head = std::make_shared<Sequential>();
  head->add("mean", std::make_shared<GlobalAvgPool>())
      .add("flatten", std::make_shared<Flatten>())
      .add("linear", std::make_shared<Linear>(in, 1, Bias::yes, generator));
  head_ = add_module("head", head);
}

Variable VolumeNetwork::forward(const Variable& x) {
  Variable y = x;
  for (const std::shared_ptr<Module>& stage : stages_) {
    const VariableFunction segment = [stage](const std::vector<Variable>& in) {
      return std::vector<Variable>{(*stage)(in[0])};
    };
    y = recompute_ ? checkpoint(segment, {y})[0] : segment({y})[0];
  }
  return (*head_)(y);
}

VolumeOutcome train_volume(const VolumeRecipe& recipe, uint64_t seed) {
  TENON_CHECK(recipe.steps >= 2, "train_volume: expects at least 2 steps, got ", recipe.steps);
  Generator generator(seed);
  VolumeNetwork net(recipe.recompute, generator);
  Adam optimizer(net.named_parameters(), {.lr = recipe.lr});
  Schedule schedule(optimizer, cosine(recipe.steps));
  VolumeOutcome outcome{};
  for (int64_t step = 0; step < recipe.steps; ++step) {
    std::optional<MemoryTrace> trace;
    if (step == 1) trace.emplace();
    const Volumes batch = draw_volumes(recipe.batch, recipe.size, generator);
    net.zero_grad();
    const Variable loss = mse_loss(net(Variable(batch.images)), Variable(batch.radii));
    backward(loss);
    optimizer.step();
    schedule.step();
    outcome.losses.push_back(loss.item());
    if (trace) outcome.peak = trace->peak();
  }

  const NoGrad no_grad;
  net.eval();
  double error = 0, guess = 0;
  for (int64_t seen = 0; seen < kUnseen; seen += 8) {
    const Volumes batch = draw_volumes(8, recipe.size, generator);
    error += 8 * mean_of_abs(sub(net(Variable(batch.images)).value(), batch.radii));
    guess += 8 * mean_of_abs(batch.radii);
  }
  outcome.error = error / kUnseen * voxels_per_unit(recipe.size);
  outcome.error_of_a_guess = guess / kUnseen * voxels_per_unit(recipe.size);
  return outcome;
}

}  // namespace tenon
