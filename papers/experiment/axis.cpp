#include "papers/experiment/axis.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace tenon::experiment {

namespace {

std::string general(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.6g", value);
  return buffer;
}

std::string superscript(int number) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = number < 0 ? "⁻" : "";
  for (char digit : std::to_string(std::abs(number))) out += kDigits[digit - '0'];
  return out;
}

}  // namespace

bool showable(double value, bool log) {
  constexpr double kLargest = 1e300;  // so that a range of such values is finite
  return std::abs(value) < kLargest && (!log || value > 1 / kLargest);
}

void Range::include(double value) {
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

Range Range::padded(double part, bool log) const {
  if (empty) return *this;
  Range result = *this;
  if (log) {
    const double factor = low < high ? std::pow(high / low, part) : 2;
    result.low /= factor;
    result.high *= factor;
  } else {
    const double room = low < high ? part * (high - low) : std::max(std::abs(low) * 0.1, 1e-6);
    result.low -= room;
    result.high += room;
  }
  return result;
}

std::vector<double> linear_ticks(double low, double high, int count) {
  // Nor can ticks be told apart when the range is next to nothing beside the values themselves.
  if (count < 1 || !(high - low > 1e-9 * std::max(std::abs(low), std::abs(high)))) return {low};
  const double rough = (high - low) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double slack = 1e-9 * (high - low);
  // Whole multiples of the step, not a running sum: 0.3, not 0.30000000000000004, and 0, not 1e-17.
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; ++i)
    ticks.push_back(i * step + 0.0);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int count) {
  const int first = static_cast<int>(std::ceil(std::log10(low) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(high) + 1e-9));
  const int every = std::max(1, (last - first + count) / std::max(1, count));
  std::vector<double> ticks;
  if (last - first >= 2) {
    for (int power = first; power <= last; power += every) ticks.push_back(std::pow(10, power));
    return ticks;
  }
  for (int power = first - 1; power <= last; ++power) {
    for (double factor : {1.0, 2.0, 5.0}) {
      const double tick = factor * std::pow(10, power);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks.size() >= 2 ? ticks : linear_ticks(low, high, count);
}

std::string tick_label(double value) {
  const double size = std::abs(value);
  if (value == 0) return "0";
  if (size >= 1e4 && size < 1e6) return general(value / 1e3) + "k";
  if (size >= 1e6 && size < 1e9) return general(value / 1e6) + "M";
  if (size >= 1e-3 && size < 1e9) return general(value);
  const int power = static_cast<int>(std::floor(std::log10(size) + 1e-9));
  const std::string mantissa = general(value / std::pow(10, power));
  return (mantissa == "1" ? "" : mantissa + "·") + "10" + superscript(power);
}

Axis::Axis(const Range& range, bool log, double start, double end, int tick_count)
    : low_(range.empty ? (log ? 0.1 : 0) : range.low),
      high_(range.empty ? 1 : range.high),
      log_(log),
      start_(start),
      end_(end) {
  if (!(low_ < high_)) high_ = log ? low_ * 10 : low_ + 1;
  ticks_ = log ? log_ticks(low_, high_, tick_count) : linear_ticks(low_, high_, tick_count);
}

double Axis::pixel(double value) const {
  const double part =
      log_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
  return start_ + part * (end_ - start_);
}

}  // namespace tenon::experiment
