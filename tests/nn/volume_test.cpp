// The example on volumes: recomputation changes memory and no bit.
#include <doctest/doctest.h>

#include "examples/volume_training.h"
#include "nn/loss.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

struct Step {
  double loss;
  std::vector<std::vector<float>> gradients, state;
  size_t bytes;  // at the peak, without what is older
};

Step one_step(bool recompute) {
  Generator generator(test_seed());
  VolumeNetwork net(recompute, generator);
  const Volumes batch = draw_volumes(8, 16, generator);
  const MemoryTrace trace;
  const Variable loss = mse_loss(net(Variable(batch.images)), Variable(batch.radii));
  backward(loss);
  Step out{loss.item(), {}, {}, trace.peak().bytes - trace.peak().older_bytes};
  for (const Variable& p : net.parameters()) out.gradients.push_back(p.grad().value().to_vector<float>());
  for (const auto& [name, tensor] : net.state()) out.state.push_back(tensor.to_vector<float>());
  return out;
}

}  // namespace

TEST_CASE("volume: recomputed stages give the same bits in less memory") {
  const Step kept = one_step(false), recomputed = one_step(true);
  CHECK(recomputed.loss == kept.loss);
  CHECK(recomputed.gradients == kept.gradients);
  CHECK(recomputed.state == kept.state);
  MESSAGE("peak of a step: " << kept.bytes << " bytes, recomputed " << recomputed.bytes);
  CHECK(1.3 * static_cast<double>(recomputed.bytes) <= static_cast<double>(kept.bytes));
}

TEST_CASE("volume: the network learns the radius, with the same losses either way") {
  VolumeRecipe recipe{.size = 16, .steps = 60};
  const VolumeOutcome kept = train_volume(recipe, 1);
  recipe.recompute = true;
  const VolumeOutcome recomputed = train_volume(recipe, 1);
  CHECK(recomputed.losses == kept.losses);
  CHECK(recomputed.error == kept.error);
  CHECK(kept.error < 0.7 * kept.error_of_a_guess);
  CHECK_THROWS_AS(train_volume({.size = 4}, 1), Error);
  CHECK_THROWS_AS(train_volume({.steps = 1}, 1), Error);
}
