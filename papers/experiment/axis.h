// Axes of a chart: round ticks, and the way from values to pixels, linear or logarithmic.
#pragma once

#include <string>
#include <vector>

namespace tenon::experiment {

/// The interval spanned by the values given to include(), as far as an axis can show them.
struct Range {
  double low = 0, high = 0;
  bool empty = true;

  void include(double value);
  /// Widened by `part` of its length at both ends (in decades if `log`); one value alone gets some room.
  Range padded(double part, bool log) const;
};

/// True if an axis can show the value: finite (below 1e300), and positive (above 1e-300) if the axis is
/// logarithmic.
bool showable(double value, bool log);

/// Round tick positions inside [low, high], about `count` of them: 1, 2 or 5 times a power of ten apart.
/// {low} for a range that is empty or narrower than a billionth of the values.
std::vector<double> linear_ticks(double low, double high, int count);

/// Ticks of a logarithmic axis inside [low, high], low > 0: powers of ten, every so many if there are more
/// than `count`, with 2 and 5 between them if there are few; linear ticks if even those are fewer than two.
std::vector<double> log_ticks(double low, double high, int count);

/// A tick's label: "0.5", "20k", "3M", "10⁻⁵".
std::string tick_label(double value);

class Axis {
 public:
  /// Maps `range` to [start, end] in pixels (end < start for an axis that points up). An empty range shows 0
  /// to 1.
  Axis(const Range& range, bool log, double start, double end, int tick_count);

  double pixel(double value) const;
  bool log() const { return log_; }
  double low() const { return low_; }
  double high() const { return high_; }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  double low_, high_;
  bool log_;
  double start_, end_;
  std::vector<double> ticks_;
};

}  // namespace tenon::experiment
