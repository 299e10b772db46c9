// The test program. Linking it asks for every part of every op (core/ops/contract.h).
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/ops/contract.h"
#include "core/parallel.h"
#include "cuda/runtime/device_runtime.h"
#include "tests/catalogue/row.h"
#include "tests/seed.h"

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  tenon::set_wakes_for_short_loops(true);  // results of one thread and of several differ if they ever can
  tenon::cuda::set_memory_guard(true);     // a host access to device memory ends the run at its line
  int count = 0;
  const tenon::contract::OpInfo* const list = tenon::contract::ops(count);
  const auto skipped = std::count_if(
      list, list + count, [](const auto& op) { return op.devices != tenon::contract::Devices::both; });
  std::printf(
      "%d ops (%d with a backward, %d with a CUDA kernel, %d catalogue rows; rows skipped on CUDA: %d), "
      "seed %llu, %d threads, CUDA=%s\n",
      count, tenon::contract::linked_backwards(), tenon::contract::linked_cuda_entries(),
      tenon::catalogue::linked_rows(), static_cast<int>(skipped),
      static_cast<unsigned long long>(tenon::test_seed()), tenon::num_threads(), tenon::cuda::build_mode());
  return context.run();
}
