#include "papers/experiment/index.h"

#include <algorithm>
#include <vector>

#include "core/atomic_file.h"
#include "core/error.h"
#include "core/json.h"
#include "papers/experiment/page.h"
#include "papers/experiment/results.h"
#include "papers/experiment/svg.h"

namespace tenon::experiment {

namespace {

// The folders in `folder`, by name; none if it does not exist.
std::vector<std::filesystem::path> subfolders(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  if (!std::filesystem::is_directory(folder)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.is_directory()) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

// A run's name becomes part of a link; everything but letters, digits and -._~ is percent-encoded.
std::string url_part(std::string_view name) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                       (byte >= 'A' && byte <= 'Z') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : std::string{'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

std::string cell(std::string_view label, std::string_view text) {
  return concat("<td data-label=\"", label, "\"><div>", escape_html(text), "</div></td>");
}

std::string seeds_text(const Json& seeds) {
  std::string out;
  for (const Json& seed : seeds.items()) out += (out.empty() ? "" : ", ") + std::to_string(seed.as_integer());
  return out;
}

int count_of(const Json& verdicts, Verdict verdict) {
  return static_cast<int>(verdicts.at(verdict_name(verdict)).as_integer());
}

std::string result_cells(const Json& results) {
  const Json& verdicts = results.at("verdicts");
  const VerdictCounts counts = {count_of(verdicts, Verdict::kHolds), count_of(verdicts, Verdict::kFails),
                                count_of(verdicts, Verdict::kNotJudged),
                                count_of(verdicts, Verdict::kNotRun)};
  return cell("data set", results.at("data_set").as_string()) +
         cell("scale", results.at("scale").as_string()) + cell("seeds", seeds_text(results.at("seeds"))) +
         cell("device", results.at("device").as_string()) +
         cell("date", readable_date(results.at("date").as_string())) +
         concat("<td class=\"verdict\">", verdict_summary(counts), "</td>");
}

std::string run_row(const std::filesystem::path& run) {
  const std::string paper = run.parent_path().filename().string(), name = run.filename().string();
  std::string title = escape_html(name);
  if (std::filesystem::exists(run / "report.html")) {
    title = concat("<a href=\"", url_part(paper), "/", url_part(name), "/report.html\">", title, "</a>");
  }
  std::string cells;
  if (!std::filesystem::exists(run / "results.json")) {
    cells = "<td colspan=\"6\" class=\"soft\">not finished</td>";
  } else {
    try {
      cells = result_cells(Json::read_file(run / "results.json"));
    } catch (const Error& error) {  // one broken run does not hide the others
      cells = concat("<td colspan=\"6\" class=\"soft\">cannot be read: ", escape_html(error.what()), "</td>");
    }
  }
  return concat("<tr><td class=\"id\">", escape_html(paper), "</td><td>", title, "</td>", cells, "</tr>\n");
}

}  // namespace

std::string runs_index_html(const std::filesystem::path& runs) {
  std::string rows;
  for (const auto& paper : subfolders(runs)) {
    for (const auto& run : subfolders(paper)) {
      if (std::filesystem::exists(run / "config.json")) rows += run_row(run);
    }
  }
  std::string body =
      "<header><h1>Runs</h1>\n<p class=\"subtitle\">Every experiment in this folder, and its "
      "verdicts</p></header>\n";
  if (rows.empty()) {
    body += "<p>There are no runs yet. Each paper has a make target, listed by <code>make help</code>.</p>\n";
  } else {
    body += concat(
        "<div class=\"scroll\"><table class=\"cards\">\n<thead><tr><th>paper</th><th>run</th><th>data "
        "set</th>"
        "<th>scale</th><th>seeds</th><th>device</th><th>date</th><th>claims</th></tr></thead>\n<tbody>\n",
        rows, "</tbody>\n</table></div>\n");
  }
  return html_page("Runs", body);
}

std::filesystem::path write_runs_index(const std::filesystem::path& runs) {
  std::error_code error;
  std::filesystem::create_directories(runs, error);
  TENON_CHECK(!error, runs.string(), ": cannot create the folder: ", error.message());
  const std::filesystem::path path = runs / "index.html";
  write_file_atomically(path, runs_index_html(runs));
  return path;
}

}  // namespace tenon::experiment
