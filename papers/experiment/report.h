// The page of a run: one self-contained HTML file with charts, tables, images and claims, readable on a phone
// and in dark mode, without script and without anything loaded from elsewhere.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "papers/experiment/charts.h"
#include "papers/experiment/claims.h"
#include "papers/experiment/table.h"

namespace tenon::experiment {

/// Collects the parts of a page in order. All text is escaped.
///
/// @code
///   Report report("DeepHoyer on LeNet-300-100", "Sparser networks from a scale-invariant penalty");
///   report.facts({{"Data set", "MNIST"}, {"Seeds", "1, 2, 3"}});
///   report.section("Claims");
///   report.claims(claims);
///   report.section("Training");
///   report.chart(curves);
///   report.write(run.path() / "report.html");
/// @endcode
class Report {
 public:
  explicit Report(std::string title, std::string subtitle = {});

  /// Name and value pairs, set small in columns: data set, device, seeds, build.
  void facts(const std::vector<std::pair<std::string, std::string>>& facts);
  /// A heading; the page's list of contents links to it.
  void section(std::string_view heading);
  void text(std::string_view paragraph);
  void table(const Table& table);
  /// The claims with coloured verdicts, and a summary line counting them.
  void claims(const std::vector<Claim>& claims);
  // Charts stand side by side where the window is wide enough.
  void chart(const XyChart& chart);
  void chart(const HistogramChart& chart);
  void chart(const BarChart& chart);
  void images(const ImageGrid& grid);

  /// The complete page.
  std::string html() const;
  /// Writes the page, whole or not at all. @throws Error.
  void write(const std::filesystem::path& path) const;

 private:
  void add_block(const std::string& markup);
  void add_figure(std::string_view title, std::string_view caption, const std::string& markup);

  std::string title_, subtitle_;
  std::string body_;
  std::vector<std::string> headings_;
  bool in_figures_ = false;  // charts that follow each other share a grid
};

}  // namespace tenon::experiment
