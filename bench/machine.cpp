#include "bench/machine.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cmath>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "bench/card.h"

namespace tenon::bench {
namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
typedef float Vector __attribute__((vector_size(kVectorBytes)));
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(float));

constexpr double kSmallest = 1 << 14, kLargest = 1 << 28;  // working sets, bytes

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds from the first thread's start to the last one's end, the least of `bursts`. `work(t)` is thread t's
// part of a burst; the threads start each burst together, so what one has because another waits counts
// nothing.
double best_burst(int threads, int bursts, const std::function<void(int)>& work) {
  std::vector<double> begin(static_cast<size_t>(threads)), end(begin);
  double best = INFINITY;
  std::barrier together(threads);
  auto thread_body = [&](int t) {
    const size_t own = static_cast<size_t>(t);
    for (int burst = 0; burst < bursts; ++burst) {
      together.arrive_and_wait();
      begin[own] = now();
      work(t);
      end[own] = now();
      together.arrive_and_wait();
      if (t == 0)
        best = std::min(
            best, *std::max_element(end.begin(), end.end()) - *std::min_element(begin.begin(), begin.end()));
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(thread_body, t);
  thread_body(0);
  for (std::thread& other : others) other.join();
  return best;
}

// Twelve chains hide the latency of a multiply-add on two units (4 or 5 cycles), and with the two constants
// they fit the 16 registers of AVX2. The chains are named one by one: an array of them stays in memory where
// the compiler does not unroll, and then the loop measures loads and stores.
constexpr int kChains = 12;
constexpr int64_t kPasses = 4000;  // some 25 us on one unit of 512 bits: bursts fall between interruptions

// So that the passes can be neither merged nor left out.
inline void changed_in_a_register(Vector& chain) { asm volatile("" : "+v"(chain)); }

template <size_t... Chain>
float multiply_adds(std::index_sequence<Chain...>) {
  Vector scale = {}, shift = {};
  for (int lane = 0; lane < kLanes; ++lane) scale[lane] = 0.999f, shift[lane] = 0.001f;
  Vector chains[sizeof...(Chain)] = {((void)Chain, shift)...};
  for (int64_t pass = 0; pass < kPasses; ++pass) {
    ((chains[Chain] = chains[Chain] * scale + shift), ...);
    (changed_in_a_register(chains[Chain]), ...);
  }
  Vector total = shift;
  ((total += chains[Chain]), ...);
  return total[0];
}

double measure_flops(int threads) {
  std::vector<float> sink(static_cast<size_t>(threads) * 16);  // a cache line a thread
  const int repeats = 8;
  const double seconds = best_burst(threads, 400, [&](int t) {
    for (int repeat = 0; repeat < repeats; ++repeat)
      sink[static_cast<size_t>(t) * 16] += multiply_adds(std::make_index_sequence<kChains>());
  });
  return 2.0 * kLanes * kChains * static_cast<double>(kPasses) * repeats * threads / seconds;
}

// Each with its own count of bytes a float of the arrays: what the loop asks for, not what caches add to it.
float read(const Vector* x, int64_t n) {
  Vector sums[8] = {};
  for (int64_t i = 0; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; ++k) sums[k] += x[i + k];
  float total = 0;
  for (const Vector& sum : sums) total += sum[0];
  return total;
}

void triad(Vector* z, const Vector* x, const Vector* y, int64_t n) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) z[i] = x[i] + 0.5f * y[i];
}

double measure_bytes(int threads, double working_set) {
  // Each thread works on its own part.
  const int64_t n = std::max<int64_t>(64, static_cast<int64_t>(working_set / threads / kVectorBytes));
  std::vector<std::vector<Vector>> arrays(static_cast<size_t>(threads));
  std::vector<float> sink(static_cast<size_t>(threads) * 16);
  const double bytes = static_cast<double>(n) * kVectorBytes;
  const int repeats = static_cast<int>(std::max(1.0, 1e6 / bytes));
  const int bursts = static_cast<int>(std::clamp(1e9 / (bytes * repeats), 8.0, 200.0));
  best_burst(threads, 1, [&](int t) { arrays[static_cast<size_t>(t)].resize(static_cast<size_t>(n)); });
  auto rate = [&](const std::function<void(Vector*, float&)>& loop) {
    return bytes * repeats * threads / best_burst(threads, bursts, [&](int t) {
             for (int repeat = 0; repeat < repeats; ++repeat)
               loop(arrays[static_cast<size_t>(t)].data(), sink[static_cast<size_t>(t) * 16]);
           });
  };
  const int64_t half = n / 2, third = n / 3;
  return std::max({rate([&](Vector* x, float& total) { total += read(x, n); }), rate([&](Vector* x, float&) {
                     std::memcpy(x, x + half, static_cast<size_t>(half) * sizeof(Vector));
                   }),
                   rate([&](Vector* x, float&) { triad(x, x + third, x + 2 * third, third); })});
}

}  // namespace

#ifdef TENON_CUDA_OFF
#define TENON_MEASURE(device, on_host, on_card) on_host
#else
#define TENON_MEASURE(device, on_host, on_card) ((device).is_cuda() ? on_card : on_host)
#endif

Machine::Machine(Device device, int threads)
    : device_(device),
      threads_(threads),
      flops_per_second_(TENON_MEASURE(device, measure_flops(threads), card_flops_per_second())) {}

double Machine::bytes_per_second(double working_set) {
  const double rounded = device_.is_cuda() ? kLargest : std::clamp(working_set, kSmallest, kLargest);
  const int power = static_cast<int>(std::floor(std::log2(rounded)));
  auto found = bytes_per_second_.find(power);
  if (found == bytes_per_second_.end()) {
    const double measured =
        TENON_MEASURE(device_, measure_bytes(threads_, std::ldexp(1, power)), card_bytes_per_second());
    found = bytes_per_second_.emplace(power, measured).first;
  }
  return found->second;
}

double Machine::floor_seconds(double flops, double bytes) {
  return std::max(flops / flops_per_second_, bytes > 0 ? bytes / bytes_per_second(bytes) : 0);
}

}  // namespace tenon::bench
