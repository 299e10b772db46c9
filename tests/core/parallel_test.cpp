// Parallel loops: the partition depends on sizes alone, and errors arrive.
#include "core/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"

using namespace tenon;

namespace {

struct WithThreads {
  explicit WithThreads(int count) : before(num_threads()) { set_num_threads(count); }
  ~WithThreads() { set_num_threads(before); }
  int before;
};

struct ShortLoopsAlone {
  ShortLoopsAlone() { set_wakes_for_short_loops(false); }
  ~ShortLoopsAlone() { set_wakes_for_short_loops(true); }  // as tests/main.cpp has it
};

// Whether a second thread comes to help. The caller's first chunk waits for it, or it might take all of them.
bool wakes(int64_t n, Grain grain) {
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<bool> helped{false};
  parallel_for(n, grain, [&](int64_t begin, int64_t) {
    if (std::this_thread::get_id() != caller) helped = true;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (begin == 0 && !helped && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  return helped;
}

std::set<std::pair<int64_t, int64_t>> chunks_of(int64_t n, Grain grain) {
  std::set<std::pair<int64_t, int64_t>> chunks;
  std::mutex mutex;
  parallel_for(n, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard lock(mutex);
    CHECK(chunks.insert({begin, end}).second);
  });
  return chunks;
}

}  // namespace

TEST_CASE("parallel_for: chunks cover the range, the same ones for any number of threads") {
  for (auto [n, grain] : {std::pair<int64_t, int64_t>{1, 1}, {10, 3}, {9, 3}, {1000, 7}, {5, 100}, {64, 1}}) {
    std::set<std::pair<int64_t, int64_t>> expected;
    for (int64_t begin = 0; begin < n; begin += grain) expected.insert({begin, std::min(n, begin + grain)});
    for (int threads : {1, 2, 7}) {
      WithThreads scope(threads);
      CHECK(chunks_of(n, grain) == expected);
    }
  }
  CHECK(chunks_of(0, 4).empty());
  CHECK(chunks_of(-3, 4).empty());
}

TEST_CASE("parallel_for: no thread wakes for less than some 50 us of work") {
  WithThreads threads(2);
  ShortLoopsAlone scope;
  constexpr int64_t kAdd = 12;                         // bytes of an element of float32 add
  CHECK_FALSE(wakes(30'000, grain_for_bytes(kAdd)));   // 4 us on one thread, 15 on two
  CHECK_FALSE(wakes(235'200, grain_for_bytes(kAdd)));  // 32 us
  CHECK(wakes(400'000, grain_for_bytes(kAdd)));
  CHECK_FALSE(wakes(64, grain_for_flops(32 * 32 * 32)));  // 40 us
  CHECK(wakes(96, grain_for_flops(32 * 32 * 32)));
  CHECK(wakes(2, grain_for_flops(int64_t{1} << 40)));  // an item is long enough
  CHECK(wakes(2, 1));                                  // a grain that knows no cost

  set_wakes_for_short_loops(true);
  CHECK(wakes(30'000, grain_for_bytes(kAdd)));
  CHECK_FALSE(wakes(20'000, grain_for_bytes(kAdd)));  // one chunk
}

TEST_CASE("parallel_for: chunks are the same whether threads wake or not") {
  WithThreads threads(2);
  const auto woken = chunks_of(30'000, grain_for_bytes(12));
  ShortLoopsAlone scope;
  CHECK(chunks_of(30'000, grain_for_bytes(12)) == woken);
}

TEST_CASE("parallel_for: an exception reaches the caller, and the next loop runs") {
  for (int threads : {1, 2, 7}) {
    WithThreads scope(threads);
    for (int64_t grain : {1, 100}) {
      auto loop = [&] {
        parallel_for(100, grain, [](int64_t begin, int64_t) {
          if (begin == 0) fail("chunk ", begin, " fails");
        });
      };
      CHECK_THROWS_WITH_AS(loop(), "chunk 0 fails", Error);
      CHECK(chunks_of(100, 10).size() == 10);
    }
  }
}

TEST_CASE("parallel_for: nested loops run on the thread that calls them") {
  WithThreads scope(2);
  std::mutex mutex;
  int64_t total = 0;
  parallel_for(8, 1, [&](int64_t begin, int64_t) {
    const std::thread::id outer = std::this_thread::get_id();
    parallel_for(8, 1, [&](int64_t inner, int64_t) {
      std::lock_guard lock(mutex);
      CHECK(std::this_thread::get_id() == outer);
      total += begin * inner;
    });
  });
  CHECK(total == 28 * 28);
}

TEST_CASE("parallel_for: the number of threads is checked") {
  CHECK_THROWS_AS(set_num_threads(0), Error);
  CHECK_THROWS_AS(set_num_threads(-1), Error);
  CHECK_THROWS_AS(set_num_threads(5000), Error);
  CHECK(num_threads() >= 1);
}
