// The counters of the emulation (make cuda-counters) against kernels whose answers are known, and the table of
// Tenon's kernels at ordinary sizes. Other builds count nothing, and pass over these.
#if defined(TENON_CUDA_EMULATED)

#include "cuda/emulation/counters.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "core/atomic_file.h"
#include "core/json.h"
#include "core/ops/conv.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/norm.h"
#include "core/ops/pool.h"
#include "core/ops/reduce.h"
#include "core/ops/softmax.h"
#include "core/random.h"
#include "cuda/runtime/kernel.h"
#include "tests/cuda/device_array.h"

namespace tenon::cuda {
namespace {

using emulation::Accesses;
using emulation::KernelCounts;

// Reads x[i * step] and writes y[i].
template <class T>
__global__ void strided_kernel(const T* x, T* y, int step) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  y[i] = x[i * step] + T(1);
}

// Writes to shared memory at t * step and reads it back.
template <class T>
__global__ void bank_kernel(T* y, int step) {
  TENON_DYNAMIC_SHARED(T, tile);
  const int t = static_cast<int>(threadIdx.x);
  tile[t * step] = T(t);
  __syncthreads();
  y[t] = tile[t * step] + __shfl_xor_sync(0xffffffffu, T(t), 1);
}

// Each lane reads its own number of values in a loop.
__global__ void ragged_kernel(const int* x, int* y) {
  int sum = 0;
  for (int k = 0; k <= static_cast<int>(threadIdx.x); ++k) sum += x[k * 32 + static_cast<int>(threadIdx.x)];
  y[threadIdx.x] = sum;
}

KernelCounts counts_of(const char* kernel) { return emulation::kernel_counts()[kernel]; }

void check_same(const Accesses& a, const Accesses& expected) {
  CHECK(a.requests == expected.requests);
  CHECK(a.taken == expected.taken);
  CHECK(a.least == expected.least);
}

template <class T>
void check_strided(int step, uint64_t lines_a_warp) {
  CAPTURE(step);
  CAPTURE(sizeof(T));
  DeviceArray<T> x(std::vector<T>(static_cast<size_t>(128 * step), T(1))), y(std::vector<T>(128, T(0)));
  emulation::reset_kernel_counts();
  launch("strided", strided_kernel<T>, {2}, {64}, 0, x.data(), y.data(), step);
  const KernelCounts counts = counts_of("strided");
  CHECK(counts.launches == 1);
  CHECK(counts.blocks == 2);
  CHECK(counts.barriers == 0);
  const uint64_t least = 32 * sizeof(T) / 128;
  check_same(counts.global_loads, {4, 4 * lines_a_warp, 4 * least});
  check_same(counts.global_stores, {4, 4 * least, 4 * least});
  check_same(counts.shared_loads, {});
}

template <class T>
void check_banks(int step, uint64_t passes, uint64_t least) {
  CAPTURE(step);
  CAPTURE(sizeof(T));
  DeviceArray<T> y(std::vector<T>(32, T(0)));
  emulation::reset_kernel_counts();
  launch("banks", bank_kernel<T>, {1}, {32}, static_cast<size_t>(32 * step + 1) * sizeof(T), y.data(), step);
  const KernelCounts counts = counts_of("banks");
  CHECK(counts.barriers == 1);
  CHECK(counts.collectives == 1);
  check_same(counts.shared_stores, {1, passes, least});
  check_same(counts.shared_loads, {1, passes, least});
}

}  // namespace

TEST_CASE("cuda counters: lines of global memory, side by side and strided") {
  if (!emulation::kAccessesCounted) return;
  check_strided<float>(1, 1);
  check_strided<float>(2, 2);
  check_strided<float>(32, 32);
  check_strided<float>(100, 32);
  check_strided<double>(1, 2);
  check_strided<double>(3, 6);
}

TEST_CASE("cuda counters: banks of shared memory, without conflict, in pairs, 32 ways") {
  if (!emulation::kAccessesCounted) return;
  check_banks<float>(1, 1, 1);
  check_banks<float>(33, 1, 1);
  check_banks<float>(2, 2, 1);
  check_banks<float>(32, 32, 1);
  check_banks<float>(0, 1, 1);  // one word for all
  check_banks<double>(1, 2, 2);
  check_banks<double>(2, 4, 2);
}

TEST_CASE("cuda counters: lanes that leave a loop are missing from its later rounds") {
  if (!emulation::kAccessesCounted) return;
  DeviceArray<int> x(std::vector<int>(32 * 32, 1)), y(std::vector<int>(32, 0));
  emulation::reset_kernel_counts();
  launch("ragged", ragged_kernel, {1}, {32}, 0, x.data(), y.data());
  check_same(counts_of("ragged").global_loads, {32, 32, 32});  // round k is lanes k to 31 of line k
}

namespace {

struct Work {
  const char* name;
  std::function<void()> run;
};

// A call of each family, forward, at sizes that fill some blocks. Contiguous, as most tensors are.
std::vector<Work> works() {
  Generator generator(1);
  const auto draw = [&](const Shape& shape) { return random_normal(shape, generator).to(Device::cuda()); };
  const Tensor a = draw({192, 192}), b = draw({192, 192}), rows = draw({256, 1000}),
               image = draw({8, 16, 32, 32});
  const Tensor filter = draw({32, 16, 3, 3}), scale = draw({16}), bias = draw({1000});
  return {
      {"relu [256, 1000]", [=] { relu(rows); }},
      {"add a row [256, 1000]", [=] { add(rows, bias); }},
      {"copy transposed [256, 1000]", [=] { rows.t().contiguous(); }},
      {"sum of rows [256, 1000]", [=] { sum(rows, {1}); }},
      {"sum of columns [256, 1000]", [=] { sum(rows, {0}); }},
      {"softmax [256, 1000]", [=] { softmax(rows, 1); }},
      {"matmul 192", [=] { matmul(a, b); }},
      {"matmul 192, both transposed", [=] { matmul(a.t(), b.t()); }},
      {"conv 3x3 [8, 16, 32, 32] -> 32",
       [=] {
         conv(image, filter, {}, {.padding = {1, 1}});
       }},
      {"batch_norm [8, 16, 32, 32]", [=] { batch_norm(image, scale, scale); }},
      {"max_pool 2x2 [8, 16, 32, 32]",
       [=] {
         max_pool(image, {.kernel = {2, 2}, .stride = {2, 2}});
       }},
  };
}

Json as_json(const Accesses& a) {
  return Json::object({{"requests", a.requests}, {"taken", a.taken}, {"least", a.least}});
}

std::string over_least(const Accesses& a) {
  char text[64] = "-";
  if (a.requests > 0)
    std::snprintf(text, sizeof text, "%.2f", static_cast<double>(a.taken) / static_cast<double>(a.least));
  return text;
}

}  // namespace

// Writes $TENON_CUDA_COUNTERS.txt and .json.
TEST_CASE("cuda counters: the table of the kernels") {
  if (!emulation::kAccessesCounted) return;
  const char* const path = std::getenv("TENON_CUDA_COUNTERS");
  if (path == nullptr) return;
  std::string text =
      "Counted in the emulation, float32. lines: of 128 bytes, that the warps' loads and stores of global "
      "memory\n"
      "touch; passes: over the banks of shared memory; over least: by how much more than the same bytes side "
      "by\n"
      "side would take. A card's caches are not in it.\n\n";
  char line[256];
  const char* const heads[] = {"kernel",     "launch",    "blocks",     "barrier", "collect",   "lines read",
                               "over least", "lines wrt", "over least", "passes",  "over least"};
  const auto add_line = [&](const std::vector<std::string>& cells) {
    std::snprintf(line, sizeof line, "  %-26s %6s %6s %8s %8s %10s %10s %10s %10s %10s %10s\n",
                  cells[0].c_str(), cells[1].c_str(), cells[2].c_str(), cells[3].c_str(), cells[4].c_str(),
                  cells[5].c_str(), cells[6].c_str(), cells[7].c_str(), cells[8].c_str(), cells[9].c_str(),
                  cells[10].c_str());
    text += line;
  };
  add_line({std::begin(heads), std::end(heads)});
  Json json = Json::array();
  for (const Work& work : works()) {
    emulation::reset_kernel_counts();
    work.run();
    text += std::string(work.name) + "\n";
    CHECK(!emulation::kernel_counts().empty());
    for (const auto& [kernel, c] : emulation::kernel_counts()) {
      Accesses shared = c.shared_loads;
      shared += c.shared_stores;
      const auto number = [](uint64_t n) { return std::to_string(n); };
      add_line({kernel, number(c.launches), number(c.blocks), number(c.barriers), number(c.collectives),
                number(c.global_loads.taken), over_least(c.global_loads), number(c.global_stores.taken),
                over_least(c.global_stores), number(shared.taken), over_least(shared)});
      json.push_back(Json::object({{"work", work.name},
                                   {"kernel", kernel},
                                   {"launches", c.launches},
                                   {"blocks", c.blocks},
                                   {"barriers", c.barriers},
                                   {"collectives", c.collectives},
                                   {"global_loads", as_json(c.global_loads)},
                                   {"global_stores", as_json(c.global_stores)},
                                   {"shared_loads", as_json(c.shared_loads)},
                                   {"shared_stores", as_json(c.shared_stores)}}));
    }
  }
  std::fputs(text.c_str(), stdout);
  write_file_atomically(std::string(path) + ".txt", text);
  write_file_atomically(std::string(path) + ".json", json.dump(1) + "\n");
}

}  // namespace tenon::cuda

#endif
