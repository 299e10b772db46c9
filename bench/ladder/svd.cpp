// The ladder of the SVD of many small matrices on the host: the rungs of docs/lane-parallel-svd.md, from one matrix
// at a time to the shipped kernel. Each rung is checked against the first before any is timed. One thread; float32.
#include <algorithm>
#include <cmath>
#include <vector>

#include "bench/harness.h"
#include "core/cpu/jacobi.h"
#include "core/error.h"
#include "core/ops/linalg.h"

namespace tenon::bench {
namespace {

// [one]
/// One-sided Jacobi on one matrix of n columns, column by column in w; v becomes the product of the turns.
void one_matrix(int64_t n, float* w, float* v) {
  for (int64_t i = 0; i < n * n; ++i) v[i] = i % (n + 1) == 0 ? 1.0f : 0.0f;
  for (bool turned = true; turned;) {
    turned = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        float pp = 0, qq = 0, pq = 0;
        for (int64_t i = 0; i < n; ++i) {
          pp += w[p * n + i] * w[p * n + i];
          qq += w[q * n + i] * w[q * n + i];
          pq += w[p * n + i] * w[q * n + i];
        }
        if (orthogonal(pp, qq, pq, orthogonal_tolerance<float>(n))) continue;
        turned = true;
        const PairTurn<float> turn = turn_for(pp, qq, pq);
        for (int64_t i = 0; i < n; ++i) turn.apply(w[p * n + i], w[q * n + i]);
        for (int64_t i = 0; i < n; ++i) turn.apply(v[p * n + i], v[q * n + i]);
      }
  }
}
// [/one]

// [lanes]
/// The same for kLanes matrices, element by element side by side: w[(j * n + i) * kLanes + lane]. All take the same
/// steps, those whose columns are orthogonal already by the angle 0.
constexpr int64_t kLanes = 16;
using Lanes = float[kLanes];

void many_matrices(int64_t n, Lanes* w, Lanes* v) {
  const float tolerance = orthogonal_tolerance<float>(n);
  for (int64_t i = 0; i < n * n; ++i) std::fill_n(v[i], kLanes, i % (n + 1) == 0 ? 1.0f : 0.0f);
  for (bool turned = true; turned;) {
    turned = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        Lanes pp = {}, qq = {}, pq = {}, s, r;
        for (int64_t i = 0; i < n; ++i)
          for (int64_t l = 0; l < kLanes; ++l) {
            const float a = w[p * n + i][l], b = w[q * n + i][l];
            pp[l] += a * a, qq[l] += b * b, pq[l] += a * b;
          }
        for (int64_t l = 0; l < kLanes; ++l) {
          const bool done = orthogonal(pp[l], qq[l], pq[l], tolerance);
          const PairTurn<float> turn = turn_for(pp[l], qq[l], done ? 0.0f : pq[l]);
          s[l] = done ? 0.0f : turn.s, r[l] = done ? 0.0f : turn.r;
          turned = turned || !done;
        }
        for (Lanes* const x : {w, v})
          for (int64_t i = 0; i < n; ++i)
            for (int64_t l = 0; l < kLanes; ++l) {
              float &a = x[p * n + i][l], &b = x[q * n + i][l];
              const float before = a;
              a = before - s[l] * (b + r[l] * before);
              b = b + s[l] * (before - r[l] * b);
            }
      }
  }
}
// [/lanes]

// Lengths of the n columns at w, whose elements are `step` apart, largest first.
std::vector<float> singular_values(int64_t n, const float* w, int64_t step) {
  std::vector<float> s;
  for (int64_t j = 0; j < n; ++j) {
    float square = 0;
    for (int64_t i = 0; i < n; ++i) square += w[(j * n + i) * step] * w[(j * n + i) * step];
    s.push_back(std::sqrt(square));
  }
  std::sort(s.rbegin(), s.rend());
  return s;
}

// A batch of count matrices, and memory for either way.
struct Batch {
  int64_t count, n;
  Tensor a;
  std::vector<float> w, v;

  Batch(int64_t matrices, int64_t size) : count(matrices), n(size), w(matrices * n * n), v(w.size()) {
    Generator g(1);
    a = random_normal({count, n, n}, g);
  }
  void run_one_by_one() {
    const float* const from = a.data<float>();
    for (int64_t b = 0; b < count; ++b)
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j) w[(b * n + j) * n + i] = from[(b * n + i) * n + j];
    for (int64_t b = 0; b < count; ++b) one_matrix(n, &w[b * n * n], &v[b * n * n]);
  }
  void run_in_lanes() {
    const float* const from = a.data<float>();
    const int64_t size = n * n;
    for (int64_t b = 0; b < count; ++b)
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
          w[(b / kLanes * size + j * n + i) * kLanes + b % kLanes] = from[b * size + i * n + j];
    for (int64_t b = 0; b < count; b += kLanes)
      many_matrices(n, reinterpret_cast<Lanes*>(&w[b * size]), reinterpret_cast<Lanes*>(&v[b * size]));
  }
  std::vector<float> values_of(int64_t b, bool lanes) const {
    return lanes ? singular_values(n, &w[b / kLanes * kLanes * n * n + b % kLanes], kLanes)
                 : singular_values(n, &w[b * n * n], 1);
  }
};

void check_same(const char* rung, const std::vector<float>& s, const std::vector<float>& expected) {
  for (size_t i = 0; i < s.size(); ++i)
    TENON_CHECK(std::fabs(s[i] - expected[i]) <= 1e-5f * expected[0], "ladder: rung '", rung,
                "' gives singular value ", s[i], ", the first ", expected[i]);
}

// The shipped kernel first: it is what the others are compared with.
std::vector<Contestant> rungs(int64_t count, int64_t n) {
  auto batch = std::make_shared<Batch>(count, n);
  const Tensor shipped = svd(batch->a).s;
  batch->run_one_by_one();
  std::vector<std::vector<float>> expected;
  for (int64_t b = 0; b < count; ++b) expected.push_back(batch->values_of(b, false));
  batch->run_in_lanes();
  for (int64_t b = 0; b < count; ++b) {
    check_same("lanes", batch->values_of(b, true), expected[static_cast<size_t>(b)]);
    check_same("shipped", shipped.select(0, b).to_vector<float>(), expected[static_cast<size_t>(b)]);
  }
  return {{"shipped", [=] { svd(batch->a); }},
          {"one by one", [=] { batch->run_one_by_one(); }},
          {"lanes", [=] { batch->run_in_lanes(); }}};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  if (!device.is_cpu()) return out;
  for (int64_t n : {8, 16, 32}) {
    // 7 n^3 flops a sweep, and some 6 sweeps.
    const double flops = 64 * 6 * 7. * static_cast<double>(n * n * n);
    out.push_back({concat("ladder/svd/", n, "x", n), flops, 64 * 12. * static_cast<double>(n * n),
                   [=] { return rungs(64, n); }});
  }
  return out;
}

const Family family("ladder", cases);

}  // namespace
}  // namespace tenon::bench
