#include "papers/neural_predictor/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "core/error.h"

namespace tenon::neural_predictor {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double pairs(int64_t count) { return 0.5 * static_cast<double>(count) * static_cast<double>(count - 1); }

// Pairs of equal neighbours in a sorted range.
template <class Equal>
double tied_pairs(size_t count, Equal&& equal) {
  double total = 0;
  for (size_t begin = 0, end = 0; begin < count; begin = end) {
    for (end = begin + 1; end < count && equal(begin, end); ++end) {
    }
    total += pairs(static_cast<int64_t>(end - begin));
  }
  return total;
}

// Sorts, and returns how many pairs stood in the wrong order.
double merge_sort(std::span<double> values, std::span<double> room) {
  if (values.size() < 2) return 0;
  const size_t half = values.size() / 2;
  double swaps =
      merge_sort(values.first(half), room.first(half)) + merge_sort(values.subspan(half), room.subspan(half));
  size_t left = 0, right = half;
  for (double& out : room.first(values.size())) {
    if (right == values.size() || (left < half && values[left] <= values[right])) {
      out = values[left++];
    } else {
      swaps += static_cast<double>(half - left);
      out = values[right++];
    }
  }
  std::copy_n(room.begin(), values.size(), values.begin());
  return swaps;
}

std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> out(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    for (end = begin; end < order.size() && values[order[end]] == values[order[begin]]; ++end) {
    }
    for (size_t i = begin; i < end; ++i) out[order[i]] = 0.5 * static_cast<double>(begin + end - 1);
  }
  return out;
}

void check_lengths(const char* who, size_t a, size_t b) {
  TENON_CHECK(a == b, who, ": expects as many values on both sides, got ", a, " and ", b);
}

}  // namespace

double mean_squared_error(std::span<const double> truth, std::span<const double> predicted, double floor) {
  check_lengths("mean_squared_error", truth.size(), predicted.size());
  double sum = 0;
  int64_t count = 0;
  for (size_t i = 0; i < truth.size(); ++i)
    if (truth[i] >= floor) {
      sum += (truth[i] - predicted[i]) * (truth[i] - predicted[i]);
      ++count;
    }
  return count == 0 ? kNan : sum / static_cast<double>(count);
}

double kendall_tau(std::span<const double> a, std::span<const double> b) {
  check_lengths("kendall_tau", a.size(), b.size());
  std::vector<size_t> order(a.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(),
            [&](size_t i, size_t j) { return a[i] != a[j] ? a[i] < a[j] : b[i] < b[j]; });
  const auto same_a = [&](size_t i, size_t j) { return a[order[i]] == a[order[j]]; };
  const auto same_both = [&](size_t i, size_t j) { return same_a(i, j) && b[order[i]] == b[order[j]]; };
  const double tied_a = tied_pairs(a.size(), same_a), tied_both = tied_pairs(a.size(), same_both);
  std::vector<double> sorted(b.size()), room(b.size());
  for (size_t i = 0; i < order.size(); ++i) sorted[i] = b[order[i]];
  const double discordant = merge_sort(sorted, room);
  const double tied_b = tied_pairs(b.size(), [&](size_t i, size_t j) { return sorted[i] == sorted[j]; });
  const double all = pairs(static_cast<int64_t>(a.size()));
  const double concordant_minus = all - tied_a - tied_b + tied_both - 2 * discordant;
  const double scale = std::sqrt((all - tied_a) * (all - tied_b));
  return scale > 0 ? concordant_minus / scale : kNan;
}

double spearman(std::span<const double> a, std::span<const double> b) {
  check_lengths("spearman", a.size(), b.size());
  const std::vector<double> x = ranks(a), y = ranks(b);
  const double centre = 0.5 * (static_cast<double>(a.size()) - 1);
  double xx = 0, yy = 0, xy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - centre) * (x[i] - centre);
    yy += (y[i] - centre) * (y[i] - centre);
    xy += (x[i] - centre) * (y[i] - centre);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : kNan;
}

double precision_at(std::span<const double> truth, std::span<const double> predicted, size_t count,
                    double part) {
  check_lengths("precision_at", truth.size(), predicted.size());
  const auto highest = static_cast<size_t>(std::ceil(part * static_cast<double>(truth.size())));
  TENON_CHECK(count >= 1 && count <= truth.size() && highest >= 1 && highest <= truth.size(),
              "precision_at: expects a count and a part of the ", truth.size(), " values, got ", count,
              " and ", part);
  std::vector<double> sorted(truth.begin(), truth.end());
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<int64_t>(highest - 1), sorted.end(),
                   std::greater<>());
  const double threshold = sorted[highest - 1];
  std::vector<size_t> order(predicted.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::partial_sort(
      order.begin(), order.begin() + static_cast<int64_t>(count), order.end(),
      [&](size_t i, size_t j) { return predicted[i] != predicted[j] ? predicted[i] > predicted[j] : i < j; });
  const auto found = std::count_if(order.begin(), order.begin() + static_cast<int64_t>(count),
                                   [&](size_t i) { return truth[i] >= threshold; });
  return static_cast<double>(found) / static_cast<double>(count);
}

double median(std::vector<double> values) {
  TENON_CHECK(!values.empty(), "median: expects a value at least");
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : 0.5 * (values[half - 1] + values[half]);
}

}  // namespace tenon::neural_predictor
