#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/mma.h"

#include "cuda/emulation/block_runner.h"

namespace tenon::cuda {
namespace {

float cut_to_tf32(float x) { return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & ~0x1fffu); }

// The matrices that a warp brings, one for each warp of the block that runs on this host thread.
struct Operands {
  float a[16][8];
  float b[8][8];
};
thread_local Operands operands_of_warp[32];

}  // namespace

void mma_m16n8k8(float (&d)[4], const float (&a)[4], const float (&b)[2], const emulation::Site& site) {
  emulation::BlockRunner& runner = emulation::BlockRunner::current("mma_m16n8k8");
  Operands& of = operands_of_warp[runner.thread() / warpSize];
  const int group = runner.lane() / 4, in_group = runner.lane() % 4;
  for (int i = 0; i < 4; ++i) of.a[group + i % 2 * 8][in_group + i / 2 * 4] = cut_to_tf32(a[i]);
  for (int i = 0; i < 2; ++i) of.b[in_group + i * 4][group] = cut_to_tf32(b[i]);
  runner.ballot("mma_m16n8k8", 0xffffffffu, false, site);
  for (int i = 0; i < 4; ++i) {
    const int row = group + i / 2 * 8, column = in_group * 2 + i % 2;
    for (int k = 0; k < 8; ++k) d[i] += of.a[row][k] * of.b[k][column];
  }
  runner.ballot("mma_m16n8k8", 0xffffffffu, false, site);  // before the operands are replaced
}

}  // namespace tenon::cuda

#endif
