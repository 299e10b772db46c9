// Report pages: escaping, balanced tags, nothing from elsewhere; the index over runs.
#include "papers/experiment/report.h"

#include <cmath>
#include <fstream>
#include <limits>

#include "core/error.h"
#include "doctest/doctest.h"
#include "papers/experiment/index.h"
#include "papers/experiment/results.h"
#include "papers/experiment/run_folder.h"
#include "papers/experiment/svg.h"
#include "tests/temporary_folder.h"

using namespace tenon;
using namespace tenon::experiment;

namespace {

constexpr const char* kHostile = "<script>alert('x')</script> & \"y\"";

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// "" if every tag is closed in order, else what is wrong. Void elements are written <like-this/> by our
// pages.
std::string imbalance(const std::string& html) {
  std::vector<std::string> open;
  for (std::size_t at = html.find('<'); at != std::string::npos; at = html.find('<', at + 1)) {
    const std::size_t end = html.find('>', at);
    if (end == std::string::npos) return "a tag is not closed";
    const std::string tag = html.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" \n"));
    if (tag.starts_with("!")) continue;
    if (tag.starts_with("/")) {
      if (open.empty() || open.back() != name.substr(1)) return "unexpected <" + tag + ">";
      open.pop_back();
    } else if (!tag.ends_with("/")) {
      open.push_back(name);
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> stays open";
}

Claim hostile_claim() {
  Claim claim;
  claim.id = claim.statement = claim.published = kHostile;
  claim.conditions = {{kHostile, Relation::kAtLeast, 1, kHostile, 2, {{1, 2.0}}}};
  claim.not_comparable = kHostile;
  return claim;
}

// Every kind of part, every text hostile.
Report hostile_report() {
  Report report(kHostile, kHostile);
  report.facts({{kHostile, kHostile}});
  report.section(kHostile);
  report.text(kHostile);
  report.claims({hostile_claim()});
  report.table({kHostile, {kHostile}, {{kHostile}}, {Align::kRight}});
  report.section(kHostile);
  for (const Marks marks : {Marks::kLine, Marks::kPoints, Marks::kLineAndPoints}) {
    XyChart chart = {kHostile, kHostile, kHostile, kHostile, {}, {{kHostile, 2, true}, {kHostile, 2, false}},
                     true,     false};
    chart.series = {{kHostile, {1, 2, 3}, {4, 5, 6}, marks, {kHostile}},
                    {kHostile, {1, 2}, {3, 4}, marks, {}}};
    report.chart(chart);
  }
  report.chart(HistogramChart{kHostile,
                              kHostile,
                              kHostile,
                              kHostile,
                              {{kHostile, 0, 1, {1, 0, 2}}, {kHostile, 0, 1, {1, 1, 0}}},
                              {{kHostile, 0.5, false}},
                              true});
  report.chart(BarChart{
      kHostile, kHostile, kHostile, {kHostile, kHostile}, {{kHostile, {1, -2}}, {kHostile, {2, 3}}}});
  report.images({kHostile, kHostile, {{1, 1, 1, {7}, kHostile}, {1, 1, 3, {7, 8, 9}, kHostile}}, 84});
  return report;
}

}  // namespace

TEST_CASE("report: text is escaped wherever it goes, tags are balanced, nothing is loaded") {
  const std::string html = hostile_report().html();
  CHECK(imbalance(html) == "");
  CHECK_FALSE(contains(html, "<script"));
  CHECK_FALSE(contains(html, "alert('x')"));
  CHECK_FALSE(contains(html, "\"y\""));
  CHECK(contains(html, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;"));
  for (const char* elsewhere : {"http:", "https:", "src=\"//", "@import", "url("})
    CHECK_FALSE(contains(html, elsewhere));
  CHECK(contains(html, "name=\"viewport\""));
  CHECK(contains(html, "prefers-color-scheme: dark"));
}

TEST_CASE("report: an empty page and empty charts are pages too") {
  Report report("Empty");
  CHECK(imbalance(report.html()) == "");
  report.claims({});
  report.table({});
  report.chart(XyChart{});
  report.chart(HistogramChart{});
  report.chart(BarChart{});
  report.images({});
  CHECK(imbalance(report.html()) == "");
  CHECK(contains(report.html(), "no data"));
}

TEST_CASE("report: figures that cannot be drawn are left out, not drawn as nan") {
  const double infinity = std::numeric_limits<double>::infinity();
  XyChart chart;
  chart.log_y = true;
  chart.series = {{"a", {1, 2, 3, 4, 5}, {1, std::nan(""), infinity, -1, 10}, Marks::kLine, {}}};
  const std::string svg = to_svg(chart);
  CHECK_FALSE(contains(svg, "nan"));
  CHECK_FALSE(contains(svg, "inf"));
  chart.series = {{"one", {3}, {0.5}, Marks::kPoints, {}}};
  CHECK_FALSE(contains(to_svg(chart), "nan"));
  chart.series = {{"zero", {0, 0}, {0, 0}, Marks::kLine, {}}};
  chart.log_y = false;
  CHECK_FALSE(contains(to_svg(chart), "nan"));
  const BarChart bars = {"", "", "", {"a", "b"}, {{"x", {std::nan(""), 0}}}};
  CHECK_FALSE(contains(to_svg(bars), "nan"));
}

TEST_CASE("report: a spread is drawn as a band, and the axis has room for it") {
  XyChart chart;
  chart.series = {{"a", {1, 2, 3}, {10, 11, 12}, Marks::kLine, {}, {1, std::nan(""), 2}}};
  const std::string svg = to_svg(chart);
  CHECK(contains(svg, "class=\"band s1\""));
  CHECK_FALSE(contains(svg, "nan"));
  CHECK(contains(svg, ">14<"));  // a tick at the band's upper end
  chart.series[0].spread = {};
  CHECK_FALSE(contains(to_svg(chart), "class=\"band"));
  chart.series[0].spread = {1};
  CHECK_THROWS_AS(to_svg(chart), Error);
}

TEST_CASE("report: lengths that disagree are refused") {
  XyChart chart;
  chart.series = {{"a", {1, 2}, {1}, Marks::kLine, {}}};
  CHECK_THROWS_AS(to_svg(chart), Error);
  CHECK_THROWS_AS(to_svg(BarChart{"", "", "", {"a"}, {{"x", {1, 2}}}}), Error);
  CHECK_THROWS_AS(png_data_uri({2, 2, 1, {1, 2, 3}, ""}), Error);
  CHECK_THROWS_AS(png_data_uri({1, 1, 2, {1, 2}, ""}), Error);
  CHECK_THROWS_AS(png_data_uri({0, 1, 1, {}, ""}), Error);
  CHECK_THROWS_AS(Report("t").table({"T", {"a"}, {{"1", "2"}}, {}}), Error);
}

TEST_CASE("report: an image is a PNG as it is written everywhere") {
  // The signature and the header of a 2 x 1 gray image, 8 bits.
  const std::string uri = png_data_uri({2, 1, 1, {0, 255}, ""});
  CHECK(uri.starts_with("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAA"));
}

TEST_CASE("report: writing replaces the page whole") {
  const test::TemporaryFolder folder;
  Report report("Title");
  report.write(folder.path() / "report.html");
  CHECK(test::text_of(folder.path() / "report.html") == report.html());
  CHECK_THROWS_AS(report.write(folder.path() / "absent" / "report.html"), Error);
}

TEST_CASE("index: one row a run, broken and unfinished ones included") {
  const test::TemporaryFolder folder;
  const auto runs = folder.path() / "runs";
  CHECK(contains(runs_index_html(runs), "no runs yet"));

  Results results = {
      "demo", "MNIST & more", {}, 2, {{"hs", 1, Json::object({{"accuracy", 98.0}})}}, {hostile_claim()}, {}};
  {
    RunFolder run(runs / "demo" / "whole run", Json::object(), false);
    run.write_results(results_json(results));
    Report("x").write(run.path() / "report.html");
  }
  { RunFolder run(runs / "demo" / "unfinished", Json::object(), false); }
  { RunFolder run(runs / "demo" / "broken", Json::object(), false); }
  std::ofstream(runs / "demo" / "broken" / "results.json") << "{\"paper\": ";
  std::filesystem::create_directories(runs / "demo" / "no run");

  const auto path = write_runs_index(runs);
  const std::string html = test::text_of(path);
  CHECK(imbalance(html) == "");
  CHECK(contains(html, "href=\"demo/whole%20run/report.html\""));
  CHECK(contains(html, "MNIST &amp; more"));
  CHECK(contains(html, "1 not judged"));
  CHECK(contains(html, "not finished"));
  CHECK(contains(html, "cannot be read"));
  CHECK_FALSE(contains(html, "no run<"));
}

TEST_CASE("results: the document states what was run, where and by which build") {
  Results results = {"demo", "MNIST", {}, 2, {{"hs", 1, Json::object({{"accuracy", 98.0}})}}, {}, {}};
  results.options.seed = 3;
  results.options.seeds = 2;
  const Json json = results_json(results);
  CHECK(json.at("data_set").as_string() == "MNIST");
  CHECK(json.at("device").as_string() == "cpu");
  results.options.device = "cuda";
  const bool emulated = json.at("build").at("cuda").as_string() == "emulated";
  CHECK(results_json(results).at("device").as_string() == (emulated ? "cuda (emulated)" : "cuda"));
  CHECK(json.at("scale").as_string() == "scaled");
  CHECK(json.at("threads").as_integer() == 2);
  CHECK(json.at("seeds") == Json::array({3, 4}));
  CHECK(json.at("arms").at(std::size_t{0}).at("result").at("accuracy").as_real() == 98.0);
  for (const char* key : {"compiler", "arch", "cuda"})
    CHECK_FALSE(json.at("build").at(key).as_string().empty());
  CHECK(json.at("date").as_string().size() == 20);
}
