// The charts and the page of a run.
#include "papers/autogrow/report.h"

#include <algorithm>

namespace tenon::autogrow {
namespace {

using experiment::Marks;
using experiment::Report;
using experiment::Series;
using experiment::XyChart;

XyChart chart_of(const std::string& title, const char* caption, const char* x_label, const char* y_label) {
  XyChart chart;
  chart.title = title;
  chart.caption = caption;
  chart.x_label = x_label;
  chart.y_label = y_label;
  return chart;
}

Series& add_series(XyChart& chart, const std::string& name, Marks marks) {
  chart.series.push_back({.name = name, .x = {}, .y = {}, .marks = marks, .labels = {}});
  return chart.series.back();
}

void add_point(Series& series, double x, double y) {
  series.x.push_back(x);
  series.y.push_back(y);
}

/// One pair's lines of the log.
std::vector<Json> lines_of(const std::vector<Json>& log, const ArmFacts& f) {
  std::vector<Json> lines;
  for (const Json& line : log)
    if (line.at("arm").as_string() == f.recipe->arm && line.at("seed").as_integer() == f.seed)
      lines.push_back(line);
  return lines;
}

Series& add_curve(XyChart& chart, const std::string& name, const std::vector<Json>& lines, const char* what) {
  Series& series = add_series(chart, name, Marks::kLine);
  for (const Json& line : lines)
    add_point(series, static_cast<double>(line.at("epoch").as_integer()), 100 * line.at(what).as_real());
  return series;
}

// The paper's figure of growth: accuracy over epochs, and where each stage got a block.
XyChart growth_chart(const ArmFacts& f, const std::vector<Json>& lines) {
  XyChart chart = chart_of(concat(f.recipe->arm, ": found ", depths_text(f.depths)),
                           "A dot is a block; behind the last one, growth has ended and the tail follows.",
                           "epoch", "accuracy %");
  add_curve(chart, "training", lines, "training");
  const Series validation = add_curve(chart, "validation", lines, "validation");
  for (size_t stage = 0; stage < f.depths.size(); ++stage) {
    Series& dots = add_series(chart, concat("stage ", stage + 1, " grows"), Marks::kPoints);
    for (const Event& event : f.events)
      if (event.grown == static_cast<int>(stage))
        add_point(dots, static_cast<double>(event.epoch), validation.y[static_cast<size_t>(event.epoch - 1)]);
  }
  return chart;
}

XyChart depth_chart(const ArmFacts& f) {
  XyChart chart = chart_of(concat(f.recipe->arm, ": blocks"), "Stages take turns, and end one after another.",
                           "epoch", "blocks in the stage");
  for (size_t stage = 0; stage < f.depths.size(); ++stage) {
    Series& series = add_series(chart, concat("stage ", stage + 1), Marks::kLineAndPoints);
    add_point(series, 0, 1);
    for (const Event& event : f.events)
      add_point(series, static_cast<double>(event.epoch), static_cast<double>(event.depths[stage]));
  }
  return chart;
}

// The paper's figure 5.
XyChart depth_against_accuracy(const Facts& facts, bool plain) {
  XyChart chart =
      chart_of(plain ? "Plain networks" : "Residual networks",
               "Fixed depths from scratch, and what growing found. First seed.", "blocks", "test accuracy %");
  Series& fixed = add_series(chart, "from scratch", Marks::kLineAndPoints);
  std::vector<const ArmFacts*> points;
  const int64_t seed = facts.arms.empty() ? 0 : facts.arms.front().seed;
  const auto shown = [&](const ArmFacts& f) {
    return f.seed == seed && f.recipe->family == (plain ? Family::plain3 : Family::basic3);
  };
  for (const ArmFacts& f : facts.arms)
    if (shown(f) && f.recipe->method == Method::fixed && f.recipe->target != Target::seed)
      points.push_back(&f);
  std::sort(points.begin(), points.end(),
            [](const ArmFacts* a, const ArmFacts* b) { return a->blocks() < b->blocks(); });
  for (const ArmFacts* f : points) {
    add_point(fixed, static_cast<double>(f->blocks()), f->test);
    fixed.labels.push_back(concat(f->recipe->arm, ": ", depths_text(f->depths)));
  }
  for (const ArmFacts& f : facts.arms)
    if (shown(f) && f.recipe->method != Method::fixed && f.recipe->method != Method::clock)
      add_point(add_series(chart, f.recipe->arm, Marks::kPoints), static_cast<double>(f.blocks()), f.test);
  return chart;
}

XyChart beside(const Facts& facts, const std::vector<Json>& log, const char* title,
               const std::vector<std::string>& arms) {
  XyChart chart = chart_of(title, "Validation, first seed.", "epoch", "accuracy %");
  for (const std::string& arm : arms) {
    const std::vector<const ArmFacts*> seeds = facts.seeds_of(arm);
    if (!seeds.empty()) add_curve(chart, arm, lines_of(log, *seeds.front()), "validation");
  }
  return chart;
}

}  // namespace

Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results) {
  Report report("AutoGrow",
                "Wen, Yan, Chen, Li: automatic layer growing in deep convolutional networks, KDD 2020");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.text(
      "The policy is driven by images held out of the training set. Test images are looked at once, after "
      "the last epoch: "
      "nothing is chosen by them. Claims called reports are those that one seed at this scale cannot "
      "decide.");
  report.claims(results.claims);
  report.section("Published and measured");
  report.text(
      "S: quoted by a survey that names the paper's table; R: remembered, not checked again. Published "
      "networks are wider, "
      "their images larger, their epochs many times as many; what is comparable is which way the figures "
      "differ.");
  report.table(published_table(plan, facts));
  report.section("Every arm");
  report.text(
      "MACs are those of the whole training, over those of training the network from scratch; minutes are "
      "MACs at the rate "
      "that a step of a 3-3-3 was measured at, on one thread.");
  report.table(arms_table(plan, facts));
  const std::vector<Json> log = plan.folder->read_log();
  report.section("Growth");
  for (const ArmFacts& f : facts.arms) {
    if (f.growing_epochs == 0 || f.seed != facts.arms.front().seed) continue;
    report.chart(growth_chart(f, lines_of(log, f)));
    report.chart(depth_chart(f));
  }
  report.section("Accuracy over depth");
  report.chart(depth_against_accuracy(facts, false));
  report.chart(depth_against_accuracy(facts, true));
  report.section("Side by side");
  report.chart(beside(facts, log, "Growing, from scratch, Network Morphism",
                      {"p-gau", "scratch", "morphism-zero", "morphism-adam", "seed"}));
  report.chart(
      beside(facts, log, "Initialisers, p-AutoGrow", {"p-zero", "p-adam", "p-uni", "p-centred", "p-gau"}));
  report.chart(
      beside(facts, log, "Before convergence and after it", {"p-gau", "p-gau-2k", "p-gau-4k", "c-gau"}));
  report.chart(beside(facts, log, "Plain networks", {"plain-p-gau", "plain-scratch", "plain-depth-12"}));
  return report;
}

}  // namespace tenon::autogrow
