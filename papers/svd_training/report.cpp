// The charts and the page of a run.
#include "papers/svd_training/report.h"

#include <cmath>
#include <map>

#include "core/ops/elementwise.h"
#include "papers/svd_training/judgement.h"

namespace tenon::svd_training {
namespace {

using experiment::HistogramChart;
using experiment::Marks;
using experiment::Report;
using experiment::Series;
using experiment::XyChart;

// The series of a name, made when first asked for.
class SeriesByName {
 public:
  SeriesByName(XyChart& chart, Marks marks) : chart_(chart), marks_(marks) {}
  Series& operator[](const std::string& name) {
    const auto [at, is_new] = place_.emplace(name, chart_.series.size());
    if (is_new) chart_.series.push_back({.name = name, .x = {}, .y = {}, .marks = marks_, .labels = {}});
    return chart_.series[at->second];
  }

 private:
  XyChart& chart_;
  Marks marks_;
  std::map<std::string, size_t> place_;
};

// One curve a pair through stage 1 and stage 2; what follows is another network at every point.
struct Panel {
  const char* title;
  const char* caption;
  const char* member;
  double (*scale)(const Recipe&);
  bool log_y;
};
const Panel kPanels[] = {
    {"Cross-entropy", "On training images, without the penalties.", "loss", [](const Recipe&) { return 1.0; },
     true},
    {"λ_s ΣL_s", "The sparsity penalty, summed over the layers.", "sparsity",
     [](const Recipe& r) { return r.lambda_s; }, true},
    {"λ_o ΣL_o", "The orthogonality penalty, summed over both factors of all layers.", "orthogonality",
     [](const Recipe& r) { return r.lambda_o; }, true},
    {"Σ rank at 99 % energy", "The rank that pruning would leave at e = 0.01.", "rank_99",
     [](const Recipe&) { return 1.0; }, false},
    {"Validation accuracy %", "At full rank.", "validation", [](const Recipe&) { return 100.0; }, false},
};

XyChart panel_chart(const Study& study, const std::vector<Json>& log, LowRankScheme scheme,
                    const Panel& panel) {
  XyChart chart;
  chart.title = concat(name_of(scheme), ": ", panel.title);
  chart.caption = panel.caption;
  chart.x_label = "epoch of stage 2";
  chart.y_label = panel.title;
  chart.log_y = panel.log_y;
  SeriesByName series(chart, Marks::kLine);
  for (const Json& line : log) {
    const Recipe& recipe = study.recipe(line.at("arm").as_string());
    if (line.at("stage").as_string() != "stage2" || recipe.scheme != scheme) continue;
    const Json* figure = line.find(panel.member);
    if (figure == nullptr) continue;
    Series& one = series[concat(recipe.arm, " seed ", line.at("seed").as_integer())];
    one.x.push_back(static_cast<double>(line.at("stage_epoch").as_integer()));
    one.y.push_back(panel.scale(recipe) * figure->as_real());
  }
  return chart;
}

HistogramChart spectrum_chart(const Plan& plan, const ArmFacts& f) {
  HistogramChart chart;
  chart.title = concat(f.recipe->arm, ", seed ", f.seed, ": log10 |s|");
  chart.caption = "All singular values of all layers after stage 2. What lies far left goes at no cost.";
  chart.x_label = "log10 |s|";
  std::vector<float> all;
  auto net = load_stage(plan, *f.recipe, f.seed, "stage2");
  for (const auto& [name, layer] : svd_layers(*net)) {
    const std::vector<float> s = layer->s.value().to_vector<float>();
    all.insert(all.end(), s.begin(), s.end());
  }
  chart.histograms.push_back(experiment::log_magnitude_histogram("after stage 2", all, -6, 2, 64));
  return chart;
}

XyChart curve_chart(const Facts& facts, LowRankScheme scheme, bool estimated) {
  XyChart chart;
  chart.title = concat(name_of(scheme),
                       estimated ? ": pruned, statistics of batch norm anew" : ": pruned, nothing else");
  chart.caption = "Test accuracy against MACs saved, without finetuning, at every energy.";
  chart.x_label = "MACs saved ×";
  chart.y_label = "test accuracy %";
  SeriesByName series(chart, Marks::kLineAndPoints);
  for (const ArmFacts& f : facts.arms) {
    if (f.recipe->scheme != scheme) continue;
    for (const CurvePoint& at : f.curve) {
      Series& one = series[concat(f.recipe->arm, " seed ", f.seed)];
      one.x.push_back(static_cast<double>(f.dense_macs) / static_cast<double>(at.macs));
      one.y.push_back(100 * (estimated ? at.estimated.test : at.raw.test));
      one.labels.push_back(concat(f.recipe->arm, ", e ", at.e));
    }
  }
  return chart;
}

XyChart front_chart(const Facts& facts) {
  XyChart chart;
  chart.title = "Accuracy and MACs after finetuning";
  chart.caption = "Every point of every arm and seed. Up and to the right is better.";
  chart.x_label = "MACs saved ×";
  chart.y_label = "test accuracy %";
  SeriesByName series(chart, Marks::kPoints);
  for (const PointFacts& f : facts.points) {
    const bool factored = !f.ranks.empty();
    Series& one =
        series[factored ? concat(name_of(f.recipe->scheme), ", ", f.recipe->label) : f.recipe->label];
    one.x.push_back(f.speed_up());
    one.y.push_back(100 * f.final.test);
    one.labels.push_back(concat(f.recipe->arm, ", ", point_label(*f.recipe, f.point), ", seed ", f.seed));
  }
  return chart;
}

XyChart wall_chart(const Facts& facts) {
  XyChart chart;
  chart.title = "Time saved and MACs saved";
  chart.caption =
      "Forward of a batch, dense over pruned, one thread, medians of alternating runs. On the line MACs are "
      "all.";
  chart.x_label = "MACs saved ×";
  chart.y_label = "time saved ×";
  SeriesByName series(chart, Marks::kPoints);
  for (const PointFacts& f : facts.points)
    for (const auto& [name, wall] :
         {std::pair{"batch 1", f.batch_1}, {"batch 32", f.batch_32}, {"batch 128", f.batch_128}}) {
      if (wall.ms <= 0) continue;
      Series& one = series[concat(f.ranks.empty() ? "filters" : name_of(f.recipe->scheme), ", ", name)];
      one.x.push_back(f.speed_up());
      one.y.push_back(wall.ratio());
      one.labels.push_back(concat(f.recipe->arm, ", ", point_label(*f.recipe, f.point)));
    }
  return chart;
}

bool has_scheme(const Facts& facts, LowRankScheme scheme) {
  for (const ArmFacts& f : facts.arms)
    if (!f.curve.empty() && f.recipe->scheme == scheme) return true;
  return false;
}

}  // namespace

Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results) {
  Report report("SVD training",
                "Yang et al.: Learning Low-rank Deep Neural Networks via Singular Vector Orthogonality "
                "Regularization and "
                "Singular Value Sparsification, CVPR-W 2020");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.text(
      "Strengths of sparsifiers are chosen on validation images. MACs are those of the convolutions, each in "
      "the "
      "cheaper of its two ways. Accuracies are of test images unless another set is named.");
  report.claims(results.claims);
  report.section("Published");
  report.text(
      "Origin 2nd: quoted by a later paper; the paper's own tables were not at hand. Its gains are over its "
      "own "
      "network at full rank, trained by Adam; the dense network trained by SGD stands in the table below.");
  report.table(published_table());
  report.section("Every point");
  report.table(points_table(plan, facts));
  report.table(arms_table(plan, facts));
  report.chart(front_chart(facts));
  report.chart(wall_chart(facts));
  report.section("Pruning without finetuning");
  report.text(
      "A factored network is sensitive to stale statistics of batch norm: points lost are shown as pruned, "
      "and after "
      "one pass over 2,000 training images that changes no weight.");
  report.table(curve_table(facts));
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial})
    if (has_scheme(facts, scheme))
      for (bool estimated : {false, true}) report.chart(curve_chart(facts, scheme, estimated));
  report.section("Singular values");
  for (const ArmFacts& f : facts.arms)
    if (!f.curve.empty() && f.seed == results.options.seed) report.chart(spectrum_chart(plan, f));
  report.section("Training");
  const std::vector<Json> log = plan.folder->read_log();
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial})
    if (has_scheme(facts, scheme))
      for (const Panel& panel : kPanels) report.chart(panel_chart(*plan.study, log, scheme, panel));
  if (!facts.steps.empty()) report.table(steps_table(facts));
  return report;
}

}  // namespace tenon::svd_training
