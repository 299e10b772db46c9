// How large are the balls in a noisy volume? A small 3D network learns to tell, and its stages can be computed again on
// the way back in place of being kept.
#pragma once

#include <memory>
#include <vector>

#include "core/memory_trace.h"
#include "core/random.h"
#include "nn/module.h"

namespace tenon {

/// Made-up volumes, and what is to be told of them.
struct Volumes {
  Tensor images;  ///< [N, 1, size, size, size]: one to three balls of brightness 1 in noise of deviation 0.5
  Tensor radii;   ///< [N, 1], in [-1, 1]: from size / 8 voxels to size / 4; the balls of a volume share it
};
/// The radius in voxels that is 1 off 0: how an error of `radii` becomes one in voxels.
double voxels_per_unit(int64_t size);
/// Throws Error unless count >= 1 and size >= 8.
Volumes draw_volumes(int64_t count, int64_t size, Generator& generator);

/// [N, 1, D, H, W] to radii [N, 1]: three stages of a 3 x 3 x 3 convolution, batch norm, ReLU and max pooling, then the mean
/// and a linear layer. Channels grow by six where pooling takes eight, so every stage holds about as many numbers.
class VolumeNetwork : public Module {
 public:
  /// With `recompute`, backward computes each stage again (autograd/checkpoint.h): the same gradients, less memory.
  VolumeNetwork(bool recompute, Generator& generator);
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "VolumeNetwork"; }

 private:
  bool recompute_;
  std::vector<std::shared_ptr<Module>> stages_;
  std::shared_ptr<Module> head_;
};

struct VolumeRecipe {
  int64_t size = 32;  ///< voxels a side
  int64_t batch = 8, steps = 150;
  double lr = 0.003;  ///< Adam, along a cosine to 0
  bool recompute = false;
};

struct VolumeOutcome {
  std::vector<double> losses;  ///< of each step: mean square error of radii
  double error;                ///< mean error on 64 unseen volumes, in voxels
  double error_of_a_guess;     ///< the same of the mean radius
  MemoryTrace::Peak peak;      ///< of the second step, which is like all that follow
};

/// Every step sees volumes of its own. Throws Error on a recipe of fewer than two steps, and as draw_volumes.
VolumeOutcome train_volume(const VolumeRecipe& recipe, uint64_t seed);

}  // namespace tenon
