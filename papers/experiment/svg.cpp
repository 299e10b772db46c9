#include "papers/experiment/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "core/error.h"
#include "papers/experiment/axis.h"

namespace tenon::experiment {

namespace {

// One size for all charts: small enough that its text is readable when a phone scales it down, and fine when
// a wide page scales it up.
constexpr double kWidth = 420, kHeight = 264;
constexpr double kCharacter = 6.2;  // width of a digit of the tick labels
constexpr double kRightMargin = 12;
constexpr double kXTicks = 6, kYTicks = 5;
constexpr std::size_t kHoverPoints = 160;  // more points of a line than this share hover marks

// A pixel coordinate, to a tenth.
std::string px(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.1f", value);
  std::string text = buffer;
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string figures(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.5g", value);
  return buffer;
}

double text_width(std::string_view text) {
  return kCharacter *
         static_cast<double>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string text_at(double x, double y, std::string_view css_class, std::string_view anchor,
                    std::string_view text) {
  return concat("<text class=\"", css_class, "\" x=\"", px(x), "\" y=\"", px(y), "\" text-anchor=\"", anchor,
                "\">", escape_html(text), "</text>\n");
}

std::string line_at(double x1, double y1, double x2, double y2, std::string_view css_class) {
  return concat("<line class=\"", css_class, "\" x1=\"", px(x1), "\" y1=\"", px(y1), "\" x2=\"", px(x2),
                "\" y2=\"", px(y2), "\"/>\n");
}

std::string series_class(std::size_t index) { return concat("s", index % kSeriesColours + 1); }

std::string hover_title(std::string_view text) { return concat("<title>", escape_html(text), "</title>"); }

// Marks differ in shape as well as in colour: circle, square, triangle, diamond.
std::string mark_at(double x, double y, std::size_t index, std::string_view title) {
  const std::string open = concat("<path class=\"mark ", series_class(index), "\" d=\"M", px(x), " ", px(y));
  static constexpr const char* kShapes[] = {
      "m-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0 -7.2 0z",  // circle
      "m-3.3 -3.3h6.6v6.6h-6.6z",                           // square
      "m0 -4.4l4.2 7.4h-8.4z",                              // triangle
      "m0 -4.6l4.2 4.6l-4.2 4.6l-4.2 -4.6z",                // diamond
  };
  const std::string end = title.empty() ? "\"/>" : concat("\">", hover_title(title), "</path>\n");
  return concat(open, kShapes[index % std::size(kShapes)], end);
}

struct LegendEntry {
  std::string name;
  bool line = false, mark = false, area = false;
};

std::string legend(const std::vector<LegendEntry>& entries) {
  if (entries.size() < 2) return "";
  std::string out = "<ul class=\"legend\">";
  for (std::size_t i = 0; i < entries.size(); ++i) {
    out += "<li><svg viewBox=\"0 0 22 12\" aria-hidden=\"true\">";
    if (entries[i].area)
      out +=
          concat("<rect class=\"area ", series_class(i), "\" x=\"2\" y=\"1\" width=\"18\" height=\"10\"/>");
    if (entries[i].line) out += concat("<path class=\"curve ", series_class(i), "\" d=\"M1 6H21\"/>");
    if (entries[i].mark) out += mark_at(11, 6, i, "");
    out += concat("</svg>", escape_html(entries[i].name), "</li>");
  }
  return out + "</ul>\n";
}

// Where the curves go, and the two axes.
struct Frame {
  double left, right, top, bottom;
  Axis x, y;
};

// Room for the labels: above for the y label, left for the widest y tick, below for x ticks and label.
Frame make_frame(const Range& x, bool log_x, const Range& y, bool log_y, std::string_view x_label,
                 std::string_view y_label, double label_room) {
  const double top = y_label.empty() ? 8 : 26;
  const double bottom = kHeight - label_room - (x_label.empty() ? 6 : 22);
  const Axis y_axis(y, log_y, bottom, top, static_cast<int>(kYTicks));
  double widest = 0;
  for (double tick : y_axis.ticks()) widest = std::max(widest, text_width(tick_label(tick)));
  const double left = widest + 10, right = kWidth - kRightMargin;
  return {left, right, top, bottom, Axis(x, log_x, left, right, static_cast<int>(kXTicks)), y_axis};
}

std::string draw_y_axis(const Frame& frame, std::string_view label) {
  std::string out;
  for (double tick : frame.y.ticks()) {
    const double y = frame.y.pixel(tick);
    out += line_at(frame.left, y, frame.right, y, "grid");
    out += text_at(frame.left - 6, y + 4, "tick", "end", tick_label(tick));
  }
  if (!label.empty()) out += text_at(2, 12, "label", "start", label);
  return out;
}

std::string draw_x_axis(const Frame& frame, std::string_view label) {
  std::string out = line_at(frame.left, frame.bottom, frame.right, frame.bottom, "axis");
  double free_from = 0;  // labels do not run into each other
  for (double tick : frame.x.ticks()) {
    const double x = frame.x.pixel(tick);
    out += line_at(x, frame.bottom, x, frame.bottom + 4, "axis");
    const double half = text_width(tick_label(tick)) / 2;
    if (x - half < free_from) continue;
    const double shift = std::min(0.0, kWidth - (x + half));
    out += text_at(x + shift, frame.bottom + 17, "tick", "middle", tick_label(tick));
    free_from = x + half + 6;
  }
  if (!label.empty()) out += text_at((frame.left + frame.right) / 2, kHeight - 5, "label", "middle", label);
  return out;
}

std::string draw_reference(const Frame& frame, const Reference& reference) {
  const Axis& axis = reference.horizontal ? frame.y : frame.x;
  if (!showable(reference.value, axis.log())) return "";
  const double at = axis.pixel(reference.value);
  if (reference.horizontal) {
    return line_at(frame.left, at, frame.right, at, "reference") +
           text_at(frame.right, at - 5, "note", "end", reference.name);
  }
  const bool left_side = at > (frame.left + frame.right) / 2;
  return line_at(at, frame.top, at, frame.bottom, "reference") +
         text_at(left_side ? at - 5 : at + 5, frame.top + 10, "note", left_side ? "end" : "start",
                 reference.name);
}

std::string open_svg(std::string_view title) {
  return concat("<svg class=\"chart\" viewBox=\"0 0 ", px(kWidth), " ", px(kHeight),
                "\" role=\"img\" aria-label=\"", escape_html(title), "\">\n");
}

std::string no_data(std::string_view title) {
  return open_svg(title) + text_at(kWidth / 2, kHeight / 2, "label", "middle", "no data") + "</svg>\n";
}

bool point_shown(const XyChart& chart, const Series& series, std::size_t i) {
  return showable(series.x[i], chart.log_x) && showable(series.y[i], chart.log_y);
}

std::string draw_curve(const XyChart& chart, const Frame& frame, std::size_t index) {
  const Series& series = chart.series[index];
  std::string path;
  bool pen_down = false;
  for (std::size_t i = 0; i < series.x.size(); ++i) {
    const bool shown = point_shown(chart, series, i);
    if (shown)
      path +=
          concat(pen_down ? "L" : "M", px(frame.x.pixel(series.x[i])), " ", px(frame.y.pixel(series.y[i])));
    pen_down = shown;
  }
  return concat("<path class=\"curve ", series_class(index), "\" d=\"", path, "\"/>\n");
}

// The points that a band hangs on: the lower ends, then the upper ends on the way back, which make up its outline.
std::string draw_band(const XyChart& chart, const Frame& frame, std::size_t index) {
  const Series& series = chart.series[index];
  std::string there, back;
  for (std::size_t i = 0; i < series.spread.size(); ++i) {
    const double low = series.y[i] - series.spread[i], high = series.y[i] + series.spread[i];
    if (!point_shown(chart, series, i) || !showable(low, chart.log_y) || !showable(high, chart.log_y))
      continue;
    const std::string x = px(frame.x.pixel(series.x[i]));
    there += concat(there.empty() ? "M" : "L", x, " ", px(frame.y.pixel(low)));
    back = concat("L", x, " ", px(frame.y.pixel(high)), back);
  }
  if (there.empty()) return "";
  return concat("<path class=\"band ", series_class(index), "\" d=\"", there, back, "Z\"/>\n");
}

std::string draw_points(const XyChart& chart, const Frame& frame, std::size_t index) {
  const Series& series = chart.series[index];
  const bool marks = series.marks != Marks::kLine;
  const std::size_t every = marks ? 1 : std::max<std::size_t>(1, series.x.size() / kHoverPoints);
  std::string out;
  for (std::size_t i = 0; i < series.x.size(); i += every) {
    if (!point_shown(chart, series, i)) continue;
    const std::string text = i < series.labels.size() ? concat(series.name, ": ", series.labels[i])
                                                      : concat(series.name, ": ", figures(series.x[i]), ", ",
                                                               figures(series.y[i]));
    const double x = frame.x.pixel(series.x[i]), y = frame.y.pixel(series.y[i]);
    if (marks) {
      out += mark_at(x, y, index, text);
    } else {  // invisible until the pointer is on it
      out += concat("<circle class=\"spot ", series_class(index), "\" cx=\"", px(x), "\" cy=\"", px(y),
                    "\" r=\"5\">", hover_title(text), "</circle>\n");
    }
  }
  return out;
}

// The outline of a histogram as a path that starts and ends on the base line.
std::string steps(const Histogram& histogram, const Frame& frame, double base) {
  const double bins = static_cast<double>(histogram.counts.size());
  std::string path = concat("M", px(frame.x.pixel(histogram.low)), " ", px(base));
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const double count = histogram.counts[i];
    const double right = histogram.low + (histogram.high - histogram.low) * static_cast<double>(i + 1) / bins;
    const double y = showable(count, frame.y.log()) && count > 0 ? frame.y.pixel(count) : base;
    path += concat("V", px(y), "H", px(frame.x.pixel(right)));
  }
  return path + concat("V", px(base), "Z");
}

// One invisible bar a bin that shows every histogram's count, for histograms of equal bins.
std::string draw_bin_hovers(const HistogramChart& chart, const Frame& frame) {
  const Histogram& first = chart.histograms.front();
  const auto same_bins = [&](const Histogram& h) {
    return h.low == first.low && h.high == first.high && h.counts.size() == first.counts.size();
  };
  if (!std::ranges::all_of(chart.histograms, same_bins)) return "";
  std::string out;
  const double width = (first.high - first.low) / static_cast<double>(first.counts.size());
  for (std::size_t i = 0; i < first.counts.size(); ++i) {
    const double low = first.low + width * static_cast<double>(i);
    std::string text = concat(figures(low), " to ", figures(low + width));
    double total = 0;
    for (const Histogram& histogram : chart.histograms) {
      text += concat("; ", histogram.name, ": ", figures(histogram.counts[i]));
      total += histogram.counts[i];
    }
    if (total == 0) continue;
    out += concat("<rect class=\"bin\" x=\"", px(frame.x.pixel(low)), "\" y=\"", px(frame.top), "\" width=\"",
                  px(frame.x.pixel(low + width) - frame.x.pixel(low)), "\" height=\"",
                  px(frame.bottom - frame.top), "\">", hover_title(text), "</rect>\n");
  }
  return out;
}

// A long name keeps its end, where the names of layers differ.
std::string short_name(const std::string& name) {
  constexpr std::size_t kLongest = 16;
  if (name.size() <= kLongest) return name;
  std::size_t begin = name.size() - (kLongest - 1);
  while (begin < name.size() && (name[begin] & 0xC0) == 0x80) ++begin;  // not inside a character
  return "…" + name.substr(begin);
}

// Names of bars: level if they fit, else slanted, and only every so many if even those would touch.
std::string draw_categories(const BarChart& chart, const Frame& frame, double group, bool slanted) {
  std::string out;
  const std::size_t every = slanted ? static_cast<std::size_t>(std::ceil(13 / group)) : 1;
  for (std::size_t i = 0; i < chart.categories.size(); i += every) {
    const double x = frame.left + group * (static_cast<double>(i) + 0.5), y = frame.bottom + 15;
    if (!slanted) {
      out += text_at(x, y, "tick", "middle", short_name(chart.categories[i]));
      continue;
    }
    out += concat("<text class=\"tick\" text-anchor=\"end\" transform=\"translate(", px(x + 4), " ",
                  px(y - 3), ") rotate(-40)\">", escape_html(short_name(chart.categories[i])), "</text>\n");
  }
  return out;
}

std::string draw_bars(const BarChart& chart, const Frame& frame, double group) {
  const double bar = 0.76 * group / static_cast<double>(chart.series.size());
  const double base = frame.y.pixel(0);
  const bool print_values = bar >= 22;
  std::string out;
  for (std::size_t k = 0; k < chart.series.size(); ++k) {
    for (std::size_t i = 0; i < chart.categories.size(); ++i) {
      const double value = chart.series[k].values[i];
      if (!std::isfinite(value)) continue;
      const double x = frame.left + group * (static_cast<double>(i) + 0.12) + bar * static_cast<double>(k);
      const double y = frame.y.pixel(value);
      const std::string name = chart.series.size() > 1 ? ", " + chart.series[k].name : "";
      out += concat("<rect class=\"bar ", series_class(k), "\" x=\"", px(x), "\" y=\"", px(std::min(y, base)),
                    "\" width=\"", px(std::max(1.0, bar - 1.5)), "\" height=\"", px(std::abs(base - y)),
                    "\" rx=\"1.5\">", hover_title(concat(chart.categories[i], name, ": ", figures(value))),
                    "</rect>\n");
      if (print_values)
        out += text_at(x + bar / 2, std::min(y, base) - 4, "tick", "middle", tick_label(value));
    }
  }
  return out;
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string to_svg(const XyChart& chart) {
  Range x, y;
  bool any_marks = false;
  std::vector<LegendEntry> entries;
  for (const Series& series : chart.series) {
    TENON_CHECK(series.x.size() == series.y.size(), "chart \"", chart.title, "\", series \"", series.name,
                "\": ", series.x.size(), " x values, ", series.y.size(), " y values");
    TENON_CHECK(series.spread.empty() || series.spread.size() == series.y.size(), "chart \"", chart.title,
                "\", series \"", series.name, "\": ", series.y.size(), " y values, ", series.spread.size(),
                " spreads");
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (!point_shown(chart, series, i)) continue;
      x.include(series.x[i]);
      y.include(series.y[i]);
      if (series.spread.empty()) continue;
      for (double end : {series.y[i] - series.spread[i], series.y[i] + series.spread[i]})
        if (showable(end, chart.log_y)) y.include(end);
    }
    any_marks = any_marks || series.marks != Marks::kLine;
    entries.push_back({series.name, series.marks != Marks::kPoints, series.marks != Marks::kLine, false});
  }
  if (x.empty) return legend(entries) + no_data(chart.title);
  for (const Reference& reference : chart.references) {
    const bool log = reference.horizontal ? chart.log_y : chart.log_x;
    if (showable(reference.value, log)) (reference.horizontal ? y : x).include(reference.value);
  }
  const Frame frame = make_frame(any_marks || x.low == x.high ? x.padded(0.04, chart.log_x) : x, chart.log_x,
                                 y.padded(0.05, chart.log_y), chart.log_y, chart.x_label, chart.y_label, 18);
  std::string out = legend(entries) + open_svg(chart.title);
  out += draw_y_axis(frame, chart.y_label) + draw_x_axis(frame, chart.x_label);
  for (std::size_t i = 0; i < chart.series.size(); ++i) out += draw_band(chart, frame, i);
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    if (chart.series[i].marks != Marks::kPoints) out += draw_curve(chart, frame, i);
  }
  for (std::size_t i = 0; i < chart.series.size(); ++i) out += draw_points(chart, frame, i);
  for (const Reference& reference : chart.references) out += draw_reference(frame, reference);
  return out + "</svg>\n";
}

std::string to_svg(const HistogramChart& chart) {
  Range x, y;
  std::vector<LegendEntry> entries;
  double highest = 0;
  for (const Histogram& histogram : chart.histograms) {
    TENON_CHECK(histogram.low < histogram.high && !histogram.counts.empty(), "chart \"", chart.title,
                "\", histogram \"", histogram.name, "\": bins over a range expected");
    x.include(histogram.low);
    x.include(histogram.high);
    for (double count : histogram.counts) highest = std::max(highest, count);
    entries.push_back({histogram.name, false, false, true});
  }
  if (highest == 0) return legend(entries) + no_data(chart.title);
  y.include(chart.log_y ? std::min(0.8, highest / 2) : 0);
  y.include(chart.log_y ? highest * 1.5 : highest * 1.05);
  const Frame frame = make_frame(x, false, y, chart.log_y, chart.x_label, chart.y_label, 18);
  std::string out = legend(entries) + open_svg(chart.title) + draw_y_axis(frame, chart.y_label);
  for (std::size_t i = 0; i < chart.histograms.size(); ++i) {
    out += concat("<path class=\"area ", series_class(i), "\" d=\"",
                  steps(chart.histograms[i], frame, frame.bottom), "\"/>\n");
  }
  out += draw_x_axis(frame, chart.x_label) + draw_bin_hovers(chart, frame);
  for (const Reference& reference : chart.references) out += draw_reference(frame, reference);
  return out + "</svg>\n";
}

std::string to_svg(const BarChart& chart) {
  Range y;
  std::vector<LegendEntry> entries;
  for (const BarChart::Bars& bars : chart.series) {
    TENON_CHECK(bars.values.size() == chart.categories.size(), "chart \"", chart.title, "\", bars \"",
                bars.name, "\": ", chart.categories.size(), " values expected, got ", bars.values.size());
    for (double value : bars.values) {
      if (std::isfinite(value)) y.include(value);
    }
    entries.push_back({bars.name, false, false, true});
  }
  if (y.empty) return legend(entries) + no_data(chart.title);
  y.include(0);
  Range padded = y.padded(0.08, false);
  if (y.low == 0) padded.low = 0;
  if (y.high == 0) padded.high = 0;

  double widest = 0;
  for (const std::string& name : chart.categories) widest = std::max(widest, text_width(short_name(name)));
  const double groups = static_cast<double>(chart.categories.size());
  const bool slanted = widest + 6 > (kWidth - 50) / groups;
  const double label_room = slanted ? 14 + 0.64 * widest : 18;  // sin 40° = 0.64
  Frame frame = make_frame({}, false, padded, false, "", chart.y_label, label_room);
  if (slanted)
    frame.left = std::max(frame.left, 0.77 * widest - 0.5 * (frame.right - frame.left) / groups);  // cos 40°
  const double group = (frame.right - frame.left) / groups;
  std::string out = legend(entries) + open_svg(chart.title) + draw_y_axis(frame, chart.y_label);
  out += draw_bars(chart, frame, group);
  const double base = frame.y.pixel(0);
  out += line_at(frame.left, base, frame.right, base, "axis") + draw_categories(chart, frame, group, slanted);
  return out + "</svg>\n";
}

}  // namespace tenon::experiment
