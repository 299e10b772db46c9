#include "papers/deephoyer/toy.h"

#include <cmath>

#include "core/ops/lists.h"
#include "core/ops/sparsity.h"
#include "core/random.h"

namespace tenon::deephoyer {

ToyPath toy_path(uint64_t seed, int64_t count, int64_t steps, double rate) {
  constexpr int64_t kRecordEvery = 50;
  Generator generator(seed);
  const Tensor w = random_normal({count}, generator, 0, 1, float64);
  const Tensor gradient = Tensor::zeros({count}, float64);
  ToyPath path;
  path.weights.resize(static_cast<size_t>(count));
  for (int64_t step = 0; step <= steps; ++step) {
    const std::vector<double> sums = abs_sum_sq_sum({&w, 1}).to_vector<double>();
    const double s1 = sums[0], s2 = sums[1];
    path.hoyer_square.push_back(s1 * s1 / s2);
    path.tau.push_back(s2 / s1);
    path.norm.push_back(std::sqrt(s2));
    if (step % kRecordEvery == 0) {
      path.recorded.push_back(static_cast<double>(step));
      const std::vector<double> now = w.to_vector<double>();
      for (size_t i = 0; i < now.size(); ++i) path.weights[i].push_back(std::fabs(now[i]));
    }
    if (step == steps) break;
    gradient.fill_(0);
    hoyer_square_gradient_add({&w, 1}, {&gradient, 1}, 1);
    lists_axpy(-rate, {&gradient, 1}, {&w, 1});
  }
  return path;
}

}  // namespace tenon::deephoyer
