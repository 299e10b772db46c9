// Charts as inline SVG. Colours are CSS variables (--ink, --grid, --series-1 ...) set by the page's style
// sheet, so that a chart follows the page's light or dark mode; hovering over a mark shows its figures.
#pragma once

#include <string>
#include <string_view>

#include "papers/experiment/charts.h"

namespace tenon::experiment {

/// Number of series colours that the style sheet defines; more series start over.
inline constexpr int kSeriesColours = 8;

/// `text` with & < > " ' escaped, fit for element content and attribute values.
std::string escape_html(std::string_view text);

// Each returns the chart's legend (a list; nothing for a single series) and one <svg> element, without the
// title and caption, which the page sets as text. They throw Error when lengths disagree; a chart without any
// drawable point says "no data".
std::string to_svg(const XyChart& chart);
std::string to_svg(const HistogramChart& chart);
std::string to_svg(const BarChart& chart);

/// The image as a `data:image/png;base64,...` URI. @throws Error if the pixels do not match the extents.
std::string png_data_uri(const Image& image);

}  // namespace tenon::experiment
