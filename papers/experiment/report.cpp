#include "papers/experiment/report.h"

#include "core/atomic_file.h"
#include "core/error.h"
#include "papers/experiment/page.h"
#include "papers/experiment/svg.h"

namespace tenon::experiment {

namespace {

std::string section_id(std::size_t number) { return concat("section-", number); }

std::string_view right_class(const Table& table, std::size_t column) {
  return column < table.align.size() && table.align[column] == Align::kRight ? " class=\"right\"" : "";
}

std::string table_markup(const Table& table) {
  std::string out = "<div class=\"scroll\"><table>\n";
  if (!table.title.empty()) out += concat("<caption>", escape_html(table.title), "</caption>\n");
  out += "<thead><tr>";
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    out += concat("<th", right_class(table, i), ">", escape_html(table.header[i]), "</th>");
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    TENON_CHECK(row.size() <= table.header.size(), "table \"", table.title, "\": a row has ", row.size(),
                " cells, the header ", table.header.size());
    out += "<tr>";
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      out += concat("<td", right_class(table, i), ">", i < row.size() ? escape_html(row[i]) : "", "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table></div>\n";
}

std::string per_seed_text(const Condition& condition) {
  std::string out;
  for (const auto& [seed, value] : condition.measured) {
    out += concat(out.empty() ? "" : ", ", "seed ", seed, ": ", format_number(value, condition.decimals + 1));
  }
  return out;
}

// One row; on a narrow screen the style sheet turns it into a card whose lines carry the data-labels.
std::string claim_markup(const Claim& claim) {
  const Judgement judgement = judge(claim);
  std::string out =
      concat("<tr><td class=\"id\">", escape_html(claim.id), "</td><td>", escape_html(claim.statement));
  if (!judgement.reason.empty())
    out += concat("<div class=\"reason\">", escape_html(judgement.reason), "</div>");
  out += concat("</td><td data-label=\"published\"><div>",
                claim.published.empty() ? "–" : escape_html(claim.published), "</div></td>");
  std::string required, measured;
  for (const Condition& condition : claim.conditions) {
    required += concat("<div>", escape_html(required_text(condition)), "</div>");
    measured += concat("<div title=\"", escape_html(per_seed_text(condition)), "\">",
                       escape_html(measured_text(condition)), "</div>");
  }
  out += concat("<td class=\"figure\" data-label=\"required\"><div>", required, "</div></td>");
  out += concat("<td class=\"figure\" data-label=\"measured\"><div>", measured, "</div></td>");
  return out + concat("<td class=\"verdict\">", verdict_badge(judgement.verdict), "</td></tr>\n");
}

std::string image_markup(const Image& image, int display_width) {
  return concat("<div><img src=\"", png_data_uri(image), "\" width=\"", display_width, "\" alt=\"",
                escape_html(image.caption), "\"/>", escape_html(image.caption), "</div>\n");
}

}  // namespace

Report::Report(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

void Report::facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string out = "<dl class=\"facts\">\n";
  for (const auto& [name, value] : facts) {
    out += concat("<div><dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd></div>\n");
  }
  add_block(out + "</dl>\n");
}

void Report::section(std::string_view heading) {
  headings_.emplace_back(heading);
  add_block(concat("<h2 id=\"", section_id(headings_.size()), "\">", escape_html(heading), "</h2>\n"));
}

void Report::text(std::string_view paragraph) { add_block(concat("<p>", escape_html(paragraph), "</p>\n")); }

void Report::table(const Table& table) { add_block(table_markup(table)); }

void Report::claims(const std::vector<Claim>& claims) {
  std::string out = verdict_summary(count_verdicts(claims));
  out +=
      "<div class=\"scroll\"><table class=\"cards\">\n<thead><tr><th></th><th>claim</th><th>published</th>"
      "<th>required</th><th>measured</th><th>verdict</th></tr></thead>\n<tbody>\n";
  for (const Claim& claim : claims) out += claim_markup(claim);
  add_block(out + "</tbody>\n</table></div>\n");
}

void Report::chart(const XyChart& chart) { add_figure(chart.title, chart.caption, to_svg(chart)); }
void Report::chart(const HistogramChart& chart) { add_figure(chart.title, chart.caption, to_svg(chart)); }
void Report::chart(const BarChart& chart) { add_figure(chart.title, chart.caption, to_svg(chart)); }

void Report::images(const ImageGrid& grid) {
  std::string out = "<div class=\"images\">\n";
  for (const Image& image : grid.images) out += image_markup(image, grid.display_width);
  add_figure(grid.title, grid.caption, out + "</div>\n");
}

void Report::add_block(const std::string& markup) {
  if (in_figures_) body_ += "</div>\n";
  in_figures_ = false;
  body_ += markup;
}

void Report::add_figure(std::string_view title, std::string_view caption, const std::string& markup) {
  if (!in_figures_) body_ += "<div class=\"figures\">\n";
  in_figures_ = true;
  body_ += concat("<figure>\n<h3>", escape_html(title), "</h3>\n", markup);
  if (!caption.empty()) body_ += concat("<figcaption>", escape_html(caption), "</figcaption>\n");
  body_ += "</figure>\n";
}

std::string Report::html() const {
  std::string head = concat("<header><h1>", escape_html(title_), "</h1>\n");
  if (!subtitle_.empty()) head += concat("<p class=\"subtitle\">", escape_html(subtitle_), "</p>\n");
  head += "</header>\n";
  if (headings_.size() > 1) {
    head += "<nav>";
    for (std::size_t i = 0; i < headings_.size(); ++i) {
      head += concat("<a href=\"#", section_id(i + 1), "\">", escape_html(headings_[i]), "</a>");
    }
    head += "</nav>\n";
  }
  return html_page(title_, concat(head, body_, in_figures_ ? "</div>\n" : ""));
}

void Report::write(const std::filesystem::path& path) const { write_file_atomically(path, html()); }

}  // namespace tenon::experiment
