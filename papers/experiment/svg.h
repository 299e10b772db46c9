// Charts as inline SVG. Colours are CSS variables (--ink, --grid, --series-1 ...) so that a chart follows the
// page's light or dark mode; hovering over a mark shows its figures. The page's style sheet is in report.cpp.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "papers/experiment/charts.h"

namespace tenon::experiment {

/// Number of series colours that the style sheet defines; more series start over.
inline constexpr int kSeriesColours = 8;

/// `text` with & < > " ' escaped, fit for element content and attribute values.
std::string escape_html(std::string_view text);

// Each returns a complete <svg> element (without the title and caption, which the page sets as text). They
// throw Error when lengths disagree; a chart without any drawable point says "no data".
std::string to_svg(const XyChart& chart);
std::string to_svg(const HistogramChart& chart);
std::string to_svg(const BarChart& chart);

/// Round tick positions covering [low, high], about `count` of them (1, 2 or 5 times a power of ten apart).
std::vector<double> linear_ticks(double low, double high, int count);

/// A tick's label: "0.5", "20k", "1e-05".
std::string tick_label(double value);

/// The image as a `data:image/png;base64,...` URI. @throws Error if the pixels do not match the extents.
std::string png_data_uri(const Image& image);

}  // namespace tenon::experiment
