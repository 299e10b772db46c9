// Charts as data: what a report page draws. svg.h turns them into SVG.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tenon::experiment {

enum class Marks { kLine, kPoints, kLineAndPoints };

/// Points of one name, drawn in one colour. x and y have equal length; points that are not finite (or not
/// positive on a log axis) break the line and are not drawn.
struct Series {
  std::string name;
  std::vector<double> x, y;
  Marks marks = Marks::kLine;
  std::vector<std::string> labels;  ///< per point, shown on hover instead of its coordinates; may be empty
  std::vector<double> spread = {};  ///< per point, half the height of a band around the line; may be empty
};

/// A straight line across an XyChart, e.g. a published figure.
struct Reference {
  std::string name;
  double value = 0;
  bool horizontal = true;
};

/// Curves over time, and fronts such as accuracy against density.
struct XyChart {
  std::string title, caption, x_label, y_label;
  std::vector<Series> series;
  std::vector<Reference> references;
  bool log_x = false, log_y = false;
};

/// Counts in equal bins over [low, high].
struct Histogram {
  std::string name;
  double low = 0, high = 1;
  std::vector<double> counts;
};

/// Counts `values` in `bins` equal bins; values outside [low, high] and NaN are left out.
/// @throws Error unless low < high and bins > 0.
Histogram make_histogram(std::string name, std::span<const double> values, double low, double high, int bins);
Histogram make_histogram(std::string name, std::span<const float> values, double low, double high, int bins);

/// log10|w| of the non-zero values, in bins over [low, high] (values beyond count in the outermost bins).
Histogram log_magnitude_histogram(std::string name, std::span<const float> values, double low = -8,
                                  double high = 1, int bins = 90);

/// Up to a few histograms, laid over each other.
struct HistogramChart {
  std::string title, caption, x_label, y_label = "count";
  std::vector<Histogram> histograms;
  std::vector<Reference> references;  ///< vertical ones, e.g. a threshold
  bool log_y = false;
};

/// Groups of vertical bars: one group a category, one bar a series.
struct BarChart {
  std::string title, caption, y_label;
  std::vector<std::string> categories;
  struct Bars {
    std::string name;
    std::vector<double> values;  ///< one a category
  };
  std::vector<Bars> series;
};

/// An 8-bit image, rows from the top, channels interleaved.
struct Image {
  int width = 0, height = 0;
  int channels = 1;  ///< 1 (gray) or 3 (RGB)
  std::vector<std::uint8_t> pixels;
  std::string caption;
};

struct ImageGrid {
  std::string title, caption;
  std::vector<Image> images;
  int display_width = 84;  ///< CSS pixels of one image
};

}  // namespace tenon::experiment
