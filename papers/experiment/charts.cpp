#include "papers/experiment/charts.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace tenon::experiment {

namespace {

Histogram empty_histogram(std::string name, double low, double high, int bins) {
  TENON_CHECK(low < high, "histogram \"", name, "\": low < high expected, got ", low, " and ", high);
  TENON_CHECK(bins > 0, "histogram \"", name, "\": at least one bin expected, got ", bins);
  return {std::move(name), low, high, std::vector<double>(static_cast<std::size_t>(bins), 0.0)};
}

// The caller has checked that low <= value <= high; the upper edge belongs to the last bin.
void count(Histogram& histogram, double value) {
  const double part = (value - histogram.low) / (histogram.high - histogram.low);
  const auto bin = static_cast<std::size_t>(part * static_cast<double>(histogram.counts.size()));
  ++histogram.counts[std::min(bin, histogram.counts.size() - 1)];
}

template <class T>
Histogram histogram_of(std::string name, std::span<const T> values, double low, double high, int bins) {
  Histogram histogram = empty_histogram(std::move(name), low, high, bins);
  for (T value : values) {
    if (value >= low && value <= high) count(histogram, static_cast<double>(value));
  }
  return histogram;
}

}  // namespace

Histogram make_histogram(std::string name, std::span<const double> values, double low, double high,
                         int bins) {
  return histogram_of(std::move(name), values, low, high, bins);
}

Histogram make_histogram(std::string name, std::span<const float> values, double low, double high, int bins) {
  return histogram_of(std::move(name), values, low, high, bins);
}

Histogram log_magnitude_histogram(std::string name, std::span<const float> values, double low, double high,
                                  int bins) {
  Histogram histogram = empty_histogram(std::move(name), low, high, bins);
  for (float value : values) {
    if (value == 0 || std::isnan(value)) continue;
    count(histogram, std::clamp(std::log10(std::abs(static_cast<double>(value))), low, high));
  }
  return histogram;
}

}  // namespace tenon::experiment
