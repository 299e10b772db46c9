// Trains a small 3D network to tell the radius of balls in noisy volumes.
//
//   volume [--size VOXELS] [--steps N] [--recompute] [--memory]
//
// --recompute keeps no stage's numbers for the way back, but computes them again; --memory prints what held the memory
// at the peak of a step.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>

#include "examples/number_option.h"
#include "examples/volume_training.h"

using namespace tenon;

namespace {

void print_peak(const MemoryTrace::Peak& peak) {
  std::printf("\n  %10s  what for\n", "KiB");
  std::printf("  %10.1f  from before the step: parameters, optimiser's state, gradients\n",
              static_cast<double>(peak.older_bytes) / 1024);
  for (const auto& [maker, bytes] : peak.by_maker())
    std::printf("  %10.1f  %s\n", static_cast<double>(bytes) / 1024,
                maker.empty() ? "the step itself" : maker.c_str());
}

void run(const VolumeRecipe& recipe, bool memory) {
  const auto start = std::chrono::steady_clock::now();
  const VolumeOutcome outcome = train_volume(recipe, 1);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  constexpr size_t kEvery = 25;
  for (size_t step = kEvery; step <= outcome.losses.size(); step += kEvery) {
    double sum = 0;
    for (size_t i = step - kEvery; i < step; ++i) sum += outcome.losses[i];
    std::printf("steps to %4zu  loss %.4f\n", step, sum / kEvery);
  }
  std::printf("unseen volumes: radius off by %.2f voxels on average (the mean radius would be by %.2f)\n",
              outcome.error, outcome.error_of_a_guess);
  std::printf("%.1f s; peak memory of a step %.2f MiB%s\n", seconds.count(),
              static_cast<double>(outcome.peak.bytes) / (1 << 20),
              recipe.recompute ? ", stages computed again" : "");
  if (memory) print_peak(outcome.peak);
}

}  // namespace

int main(int argc, char** argv) {
  VolumeRecipe recipe;
  bool memory = false;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--size") == 0) {
      if (!read_number("volume", argc, argv, i, 8, recipe.size)) return 2;
    } else if (std::strcmp(argv[i], "--steps") == 0) {
      if (!read_number("volume", argc, argv, i, 2, recipe.steps)) return 2;
    } else if (std::strcmp(argv[i], "--recompute") == 0) {
      recipe.recompute = true;
    } else if (std::strcmp(argv[i], "--memory") == 0) {
      memory = true;
    } else {
      std::fprintf(stderr, "volume: expects --size, --steps, --recompute or --memory, got '%s'\n", argv[i]);
      return 2;
    }
  }
  try {
    run(recipe, memory);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
