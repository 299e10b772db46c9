// The emulated CUDA device runs right kernels right: launches of odd sizes, barriers and collectives under
// several schedules. tests/cuda/faults_test.cpp has the wrong ones.
#if defined(TENON_CUDA_EMULATED)

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/cuda/device_array.h"
#include "tests/cuda/schedules.h"

namespace tenon::cuda {
namespace {

__global__ void index_kernel(int* out, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) out[i] = i * 3 + 1;
}

__global__ void coordinates_kernel(int* out) {
  const Dim3 b = blockIdx, t = threadIdx;
  const unsigned block = (b.z * gridDim.y + b.y) * gridDim.x + b.x;
  const unsigned thread = (t.z * blockDim.y + t.y) * blockDim.x + t.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] =
      static_cast<int>(b.x + 10 * b.y + 100 * b.z + 1000 * t.x + 10000 * t.y + 100000 * t.z);
}

// Sums each block's values by a tree in shared memory.
__global__ void tree_sum_kernel(const float* x, float* sums, int n) {
  TENON_SHARED(float, part, 256);
  const unsigned t = threadIdx.x;
  const unsigned i = blockIdx.x * blockDim.x + t;
  part[t] = i < static_cast<unsigned>(n) ? x[i] : 0.0f;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (t < half) part[t] += part[t + half];
  }
  if (t == 0) sums[blockIdx.x] = part[0];
}

// Turns each block's values around through dynamic shared memory.
__global__ void reverse_kernel(const float* x, float* y) {
  TENON_DYNAMIC_SHARED(float, tile);
  const unsigned t = threadIdx.x, base = blockIdx.x * blockDim.x;
  tile[t] = x[base + t];
  __syncthreads();
  y[base + t] = tile[blockDim.x - 1 - t];
}

__global__ void warp_sum_kernel(const double* x, double* sums, unsigned* ballots) {
  double value = x[threadIdx.x];
  ballots[threadIdx.x] = __ballot_sync(0xffffffffu, value > 0);
  for (unsigned delta = 16; delta > 0; delta /= 2) value += __shfl_down_sync(0xffffffffu, value, delta);
  value = __shfl_sync(0xffffffffu, value, 0);
  sums[threadIdx.x] = value;
}

__global__ void butterfly_kernel(int* out) {
  int value = static_cast<int>(threadIdx.x);
  for (int step = 1; step < 8; step *= 2) value += __shfl_xor_sync(0xffffffffu, value, step, 8);
  out[threadIdx.x] = value;  // each group of 8 holds its sum
}

// The two halves of a warp sum apart, each under its own mask.
__global__ void half_warp_kernel(int* out) {
  const unsigned mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u;
  int value = 1 + static_cast<int>(threadIdx.x / 16);
  if (threadIdx.x < 16) {
    for (int step = 1; step < 16; step *= 2) value += __shfl_xor_sync(mask, value, step);
  } else {
    for (int step = 1; step < 16; step *= 2) value += __shfl_xor_sync(mask, value, step);
  }
  __syncwarp();
  out[threadIdx.x] = value;
}

__global__ void histogram_kernel(const int* x, int* counts, int* largest, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= n) return;
  atomicAdd(&counts[x[i] % 7], 1);
  atomicMax(largest, x[i]);
}

__global__ void throwing_kernel(unsigned block, unsigned thread) {
  __syncthreads();
  TENON_CHECK(blockIdx.x < block || threadIdx.x != thread, "planted in block ", blockIdx.x);
  __syncthreads();
}

}  // namespace

TEST_CASE("cuda emulation: launches cover every thread of odd grids, in any order") {
  for_schedules([] {
    for (int n : {1, 31, 257, 5000}) {
      DeviceArray<int> out(std::vector<int>(static_cast<size_t>(n), -1));
      const uint64_t before = launch_count();
      launch("index", index_kernel, {static_cast<unsigned>((n + 95) / 96)}, {96}, 0, out.data(), n);
      CHECK(launch_count() == before + 1);
      CHECK(last_kernel() == std::string("index"));
      const std::vector<int> host = out.to_host();
      int wrong = 0;
      for (int i = 0; i < n; ++i) wrong += host[static_cast<size_t>(i)] != i * 3 + 1;
      CHECK(wrong == 0);
    }
  });
}

TEST_CASE("cuda emulation: three-dimensional indices") {
  DeviceArray<int> out(std::vector<int>(2 * 3 * 4 * 5 * 3 * 2, -1));
  launch("coordinates", coordinates_kernel, {2, 3, 4}, {5, 3, 2}, 0, out.data());
  const std::vector<int> host = out.to_host();
  size_t at = 0;
  int wrong = 0;
  for (int bz = 0; bz < 4; ++bz)
    for (int by = 0; by < 3; ++by)
      for (int bx = 0; bx < 2; ++bx)
        for (int tz = 0; tz < 2; ++tz)
          for (int ty = 0; ty < 3; ++ty)
            for (int tx = 0; tx < 5; ++tx)
              wrong += host[at++] != bx + 10 * by + 100 * bz + 1000 * tx + 10000 * ty + 100000 * tz;
  CHECK(wrong == 0);
}

TEST_CASE("cuda emulation: barriers make the tree sum right under every schedule") {
  const int n = 3 * 256 - 17;
  std::vector<float> x(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<float>(i % 13);
  std::vector<float> expected(3, 0.0f);  // small integers: exact in float
  for (int i = 0; i < n; ++i) expected[static_cast<size_t>(i / 256)] += x[static_cast<size_t>(i)];
  DeviceArray<float> device_x(x), sums(std::vector<float>(3, 0.0f));
  for_schedules([&] {
    launch("tree_sum", tree_sum_kernel, {3}, {256}, 0, device_x.data(), sums.data(), n);
    CHECK(sums.to_host() == expected);
  });
}

TEST_CASE("cuda emulation: dynamic shared memory, where the launch asked for some") {
  std::vector<float> x(4 * 64);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  DeviceArray<float> device_x(x), y(std::vector<float>(x.size(), 0.0f));
  launch("reverse", reverse_kernel, {4}, {64}, 64 * sizeof(float), device_x.data(), y.data());
  const std::vector<float> host = y.to_host();
  for (size_t i = 0; i < x.size(); ++i) CHECK(host[i] == x[i / 64 * 64 + 63 - i % 64]);
  CHECK(
      contains(error_of([&] { launch("reverse", reverse_kernel, {4}, {64}, 0, device_x.data(), y.data()); }),
               "the launch asked for none"));
}

TEST_CASE("cuda emulation: warp collectives") {
  std::vector<double> x(64);
  for (size_t i = 0; i < 64; ++i) x[i] = i % 3 == 0 ? 1.5 : -0.25;
  DeviceArray<double> device_x(x), sums(x);
  DeviceArray<unsigned> ballots(std::vector<unsigned>(64, 0));
  DeviceArray<int> groups(std::vector<int>(64, 0)), halves(std::vector<int>(32, 0));
  for_schedules([&] {
    launch("warp_sum", warp_sum_kernel, {1}, {64}, 0, device_x.data(), sums.data(), ballots.data());
    launch("butterfly", butterfly_kernel, {1}, {64}, 0, groups.data());
    launch("half_warp", half_warp_kernel, {1}, {32}, 0, halves.data());
    for (size_t i = 0; i < 64; ++i) {
      double sum = 0;
      unsigned bits = 0;
      for (size_t j = 0; j < 32; ++j) sum += x[i / 32 * 32 + j];
      for (size_t j = 0; j < 32; ++j) bits |= (x[i / 32 * 32 + j] > 0 ? 1u : 0u) << j;
      CHECK(sums.to_host()[i] == sum);
      CHECK(ballots.to_host()[i] == bits);
      const int first = static_cast<int>(i / 8 * 8);
      CHECK(groups.to_host()[i] == 8 * first + 28);
      if (i < 32) CHECK(halves.to_host()[i] == (i < 16 ? 16 : 32));
    }
  });
}

TEST_CASE("cuda emulation: integer atomics") {
  std::vector<int> x(1000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<int>(i * 7919 % 1009);
  std::vector<int> expected(7, 0);
  int largest = 0;
  for (int value : x) ++expected[static_cast<size_t>(value % 7)], largest = std::max(largest, value);
  DeviceArray<int> device_x(x), counts(std::vector<int>(7, 0)), maximum(std::vector<int>(1, 0));
  launch("histogram", histogram_kernel, {8}, {128}, 0, device_x.data(), counts.data(), maximum.data(), 1000);
  CHECK(counts.to_host() == expected);
  CHECK(maximum.to_host()[0] == largest);
}

TEST_CASE(
    "cuda emulation: an error in a kernel reaches the launcher, the lowest block's first; the next launch "
    "works") {
  for_schedules([] {
    CHECK(error_of([] { launch("throwing", throwing_kernel, {100}, {64}, 0, 40u, 63u); }) ==
          "planted in block 40");
    CHECK(error_of([] { launch("throwing", throwing_kernel, {100}, {64}, 0, 100u, 0u); }) == "no error");
  });
}

TEST_CASE("cuda emulation: refuses what a card refuses") {
  DeviceArray<int> out(std::vector<int>(64, 0));
  CHECK(contains(error_of([&] { launch("index", index_kernel, {1}, {1025}, 0, out.data(), 1); }),
                 "1 to 1024 threads"));
  CHECK(contains(error_of([&] { launch("index", index_kernel, {0}, {32}, 0, out.data(), 1); }),
                 "a grid has 1 to"));
  CHECK(contains(error_of([&] {
                   launch("index", index_kernel, {1, 70000}, {32}, 0, out.data(), 1);
                 }),
                 "65535"));
  CHECK(contains(error_of([] { emulation::lane(); }), "called outside a kernel"));
}

}  // namespace tenon::cuda

#endif
