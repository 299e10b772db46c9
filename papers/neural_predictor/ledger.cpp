#include "papers/neural_predictor/ledger.h"

#include <cmath>

#include "core/error.h"

namespace tenon::neural_predictor {
namespace {

constexpr int kImages = 10000;

// log(n!)
double log_factorial(int n) {
  static const std::vector<double> table = [] {
    std::vector<double> logs = {0};
    for (int i = 1; i <= kImages; ++i) logs.push_back(logs.back() + std::log(i));
    return logs;
  }();
  return table[static_cast<size_t>(n)];
}

// How many of kImages are right if each is with probability p, by inversion: the probabilities of counts are taken off
// a uniform number, from the likeliest count outwards, until it is used up; some 2 sqrt(kImages p (1 - p)) of them.
int draw_right(double p, Generator& generator) {
  if (p <= 0) return 0;
  if (p >= 1) return kImages;
  const int mode = static_cast<int>((kImages + 1) * p);
  double left = generator.next() * 0x1p-32;
  left += generator.next() * 0x1p-64;
  const double odds = p / (1 - p);
  double up = std::exp(log_factorial(kImages) - log_factorial(mode) - log_factorial(kImages - mode) +
                       mode * std::log(p) + (kImages - mode) * std::log1p(-p));
  double down = up;
  int high = mode, low = mode;
  for (left -= up; left >= 0 && (low > 0 || high < kImages);) {
    if (high < kImages) {
      up *= odds * (kImages - high) / (high + 1);
      ++high;
      if ((left -= up) < 0) return high;
    }
    if (low > 0) {
      down *= low / (odds * (kImages - low + 1));
      --low;
      if ((left -= down) < 0) return low;
    }
  }
  return mode;
}

}  // namespace

double Ledger::pay(int64_t row) {
  TENON_CHECK(row >= 0 && row < members(), "Ledger: expects a member below ", members(), ", got ", row);
  double accuracy = table_->validation[static_cast<size_t>(row)];
  if (table_->signal == Signal::simulated) {
    accuracy = 100.0 * draw_right(accuracy / 100, noise_) / kImages;
  }
  known_[row] = accuracy;
  const bool better = accuracy > best_;
  if (better) best_ = accuracy;
  picks_.push_back(better ? table_->test[static_cast<size_t>(row)] : picks_.back());
  return accuracy;
}

double Ledger::validation(int64_t row) const {
  const auto found = known_.find(row);
  TENON_CHECK(found != known_.end(), "Ledger: member ", row, " was not paid for");
  return found->second;
}

}  // namespace tenon::neural_predictor
