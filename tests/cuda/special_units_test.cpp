// What the emulated device offers of the card's special units. Asynchronous copies land at the wait for their group
// and not before, and what is done wrong with them is found. The tensor cores' product keeps to PTX's layout.
#if defined(TENON_CUDA_EMULATED)

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "cuda/runtime/kernel.h"
#include "tests/cuda/device_array.h"
#include "tests/cuda/faulty_kernels.h"
#include "tests/cuda/schedules.h"

namespace tenon::cuda {
namespace {

// Turns four pieces of x around, each through shared memory, the copy of the next under way; zeros from `end` on.
template <bool with_wait>
__global__ void reverse_kernel(const float* x, float* y, int end) {
  TENON_SHARED(float, buffer, 2 * 32);
  const int t = static_cast<int>(threadIdx.x);
  copy_async(buffer + t, x + t, t < end);
  commit_copies();
  for (int piece = 0; piece < 4; ++piece) {
    const int next = (piece + 1) * 32 + t;
    if (piece < 3) copy_async(buffer + (piece + 1) % 2 * 32 + t, x + next, next < end);
    commit_copies();
    if (with_wait) wait_for_copies<1>();
    __syncthreads();
    y[piece * 32 + t] = buffer[piece % 2 * 32 + 31 - t];
    __syncthreads();
  }
  wait_for_copies<0>();
}

// D = A B of 16 x 8 and 8 x 8 matrices, loaded by the words of the PTX manual.
__global__ void product_kernel(const float* a, const float* b, float* d) {
  const int lane = static_cast<int>(threadIdx.x), group = lane >> 2, in_group = lane & 3;
  const float a_part[4] = {a[group * 8 + in_group], a[(group + 8) * 8 + in_group],
                           a[group * 8 + in_group + 4], a[(group + 8) * 8 + in_group + 4]};
  const float b_part[2] = {b[in_group * 8 + group], b[(in_group + 4) * 8 + group]};
  float d_part[4] = {};
  for (int turn = 0; turn < 2; ++turn) mma_m16n8k8(d_part, a_part, b_part);
  d[group * 8 + in_group * 2] = d_part[0], d[group * 8 + in_group * 2 + 1] = d_part[1];
  d[(group + 8) * 8 + in_group * 2] = d_part[2], d[(group + 8) * 8 + in_group * 2 + 1] = d_part[3];
}

}  // namespace

TEST_CASE("cuda emulation: asynchronous copies land at their wait") {
  std::vector<float> values(128);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  DeviceArray<float> x(values), y(std::vector<float>(128));
  launch("reverse", reverse_kernel<true>, {1}, {32}, 0, x.data(), y.data(), 100);
  const std::vector<float> turned = y.to_host();
  for (size_t i = 0; i < turned.size(); ++i) {
    const size_t source = i / 32 * 32 + 31 - i % 32;
    CHECK(turned[i] == (source < 100 ? values[source] : 0.0f));
  }
  launch("reverse", reverse_kernel<false>, {1}, {32}, 0, x.data(), y.data(), 100);
  CHECK(std::isnan(y.to_host()[0]));
}

TEST_CASE(
    "cuda emulation: asynchronous copies that nobody waits for, or that are not aligned, are reported") {
  DeviceArray<float> x(std::vector<float>(32));
  const std::string forgotten =
      error_of([&] { launch("forget", faulty::copy_without_wait, {1}, {32}, 0, x.data()); });
  CHECK(contains(forgotten, "'forget'"));
  CHECK(contains(forgotten, "never waited for"));
  const std::string misaligned =
      error_of([&] { launch("misaligned", faulty::copy_misaligned, {1}, {1}, 0, x.data()); });
  CHECK(contains(misaligned, "aligned to the 8 bytes"));
}

TEST_CASE("cuda emulation: the tensor cores' product, operands cut to TF32") {
  std::vector<float> a(16 * 8), b(8 * 8), expected(16 * 8);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 13) - 6;
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 3;
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j)
      for (size_t k = 0; k < 8; ++k) expected[i * 8 + j] += 2 * a[i * 8 + k] * b[k * 8 + j];
  a[0] -= 0x1p-9f;  // below the last place of 6 in TF32
  DeviceArray<float> da(a), db(b), d(std::vector<float>(16 * 8));
  launch("product", product_kernel, {1}, {32}, 0, da.data(), db.data(), d.data());
  CHECK(d.to_host() == expected);
  CHECK(to_tf32(1 + 0x1p-11f) == 1 + 0x1p-10f);
  CHECK(to_tf32(-1 - 0x1p-12f) == -1.0f);
  CHECK(std::isinf(to_tf32(HUGE_VALF)));
}

}  // namespace tenon::cuda

#endif
