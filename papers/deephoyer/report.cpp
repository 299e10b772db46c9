// The charts and the page of a run.
#include "papers/deephoyer/report.h"

#include <cmath>
#include <map>

#include "papers/deephoyer/toy.h"

namespace tenon::deephoyer {
namespace {

using experiment::HistogramChart;
using experiment::Marks;
using experiment::Report;
using experiment::Series;
using experiment::XyChart;

// One curve a pair over its own epochs, in the stages that `member` tells of.
XyChart curves(const std::vector<Json>& log, const char* title, const char* caption, const char* member,
               double scale, bool penalty_only, bool log_y) {
  XyChart chart;
  chart.title = title;
  chart.caption = caption;
  chart.x_label = "epoch";
  chart.y_label = member;
  chart.log_y = log_y;
  std::map<std::string, size_t> place;
  for (const Json& line : log) {
    if (penalty_only && line.at("stage").as_string() != "penalty") continue;
    const std::string name = concat(line.at("arm").as_string(), " seed ", line.at("seed").as_integer());
    auto [at, is_new] = place.emplace(name, chart.series.size());
    if (is_new) chart.series.push_back({.name = name, .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}});
    Series& series = chart.series[at->second];
    series.x.push_back(static_cast<double>(line.at("epoch").as_integer()));
    series.y.push_back(scale * line.at(member).as_real());
  }
  return chart;
}

std::vector<float> weights_of(const Module& net) {
  std::vector<float> all;
  for (const Variable& p : net.parameters()) {
    if (p.rank() < 2) continue;
    const std::vector<float> w = p.value().to_vector<float>();
    all.insert(all.end(), w.begin(), w.end());
  }
  return all;
}

// log10 |w| of all weights before the cut and after finetuning; the gap between the two modes is what the cut uses.
HistogramChart histogram_of(const Plan& plan, const PointFacts& f) {
  HistogramChart chart;
  chart.title = concat(f.recipe->arm, ", seed ", f.seed, ": log10 |w|");
  chart.caption =
      concat("Before the cut, and after the cut at ", point_label(*f.recipe, f.point),
             " and finetuning (non-zeros only). Where the two modes lie apart the cut costs nothing.");
  chart.x_label = "log10 |w|";
  chart.log_y = true;
  auto net = make_network(f.recipe->network, f.seed);
  net->load_state(experiment::stage_state(*plan.folder, f.recipe->arm, f.seed, "penalty"));
  chart.histograms.push_back(experiment::log_magnitude_histogram("before the cut", weights_of(*net)));
  double threshold = 0;
  for (const Variable& p : net->parameters())
    if (p.rank() >= 2) threshold = std::max(threshold, CutRule{.std_multiple = f.point}.threshold(p.value()));
  chart.references.push_back({"largest threshold", std::log10(threshold), false});
  net->load_state(
      experiment::stage_state(*plan.folder, f.recipe->arm, f.seed, point_stage(*f.recipe, f.point)));
  chart.histograms.push_back(experiment::log_magnitude_histogram("after finetuning", weights_of(*net)));
  return chart;
}

experiment::BarChart layer_bars(const std::vector<Front>& fronts, Network network) {
  experiment::BarChart chart;
  chart.title = info_of(network).name + ": weights that stay, layer by layer";
  chart.caption = "Percent of each layer's weights, first seed, the last cut of each arm.";
  chart.y_label = "% of the layer";
  std::map<std::string, const PointFacts*> last;
  for (const Front& front : fronts)
    if (front.recipe->network == network && front.recipe->method == Method::penalty)
      last[front.recipe->arm] = front.seeds.front();
  for (const auto& [arm, f] : last) {
    if (chart.categories.empty())
      for (const LayerFacts& layer : f->layers) chart.categories.push_back(layer.name);
    experiment::BarChart::Bars bars{arm, {}};
    for (const LayerFacts& layer : f->layers)
      bars.values.push_back(100.0 * static_cast<double>(layer.nonzero) / static_cast<double>(layer.weights));
    chart.series.push_back(std::move(bars));
  }
  return chart;
}

// Accuracy against size, one series a method.
XyChart front_chart(const std::vector<Front>& fronts, Network network, bool structural) {
  XyChart chart;
  chart.title = info_of(network).name + (structural ? ": accuracy and MACs" : ": accuracy and weights");
  chart.caption =
      "Every strength and cut, mean over the seeds, after finetuning. Up and to the left is better.";
  chart.x_label = structural ? "% of the MACs after shrinking" : "% of the weights";
  chart.y_label = "test accuracy %";
  chart.log_x = true;
  std::map<std::string, size_t> place;
  for (const Front& front : fronts) {
    if (front.recipe->network != network) continue;
    auto [at, is_new] = place.emplace(front.recipe->label, chart.series.size());
    if (is_new)
      chart.series.push_back(
          {.name = front.recipe->label, .x = {}, .y = {}, .marks = Marks::kPoints, .labels = {}});
    Series& series = chart.series[at->second];
    series.x.push_back(structural ? front.macs() : front.density());
    series.y.push_back(front.test());
    series.labels.push_back(concat(front.recipe->arm, ", ", point_label(*front.recipe, front.point), ": ",
                                   experiment::format_number(front.test(), 2), " %"));
  }
  return chart;
}

// One line an arm over the groups of channels, in order; those of a stage stand above those inside its blocks.
XyChart channels_chart(const std::vector<Front>& fronts) {
  XyChart chart;
  chart.title = "Channels that stay, group by group";
  chart.caption =
      "In the order of the network, first seed: the channels of each stage, which its shortcuts carry, and "
      "then those "
      "inside each of its blocks.";
  chart.x_label = "group of channels";
  chart.y_label = "% of its channels";
  for (const Front& front : fronts) {
    Series line{.name = front.recipe->arm, .x = {}, .y = {}, .marks = Marks::kLineAndPoints, .labels = {}};
    for (const KeptChannels& group : front.seeds.front()->shrunk.channels) {
      line.x.push_back(static_cast<double>(line.x.size() + 1));
      line.y.push_back(100.0 * static_cast<double>(group.kept.size()) / static_cast<double>(group.before));
      line.labels.push_back(
          concat(front.recipe->arm, ", ", group.name, ": ", group.kept.size(), " of ", group.before));
    }
    chart.series.push_back(std::move(line));
  }
  return chart;
}

void add_training(Report& report, const Plan& plan) {
  report.section("Training");
  const std::vector<Json> log = plan.folder->read_log();
  report.chart(
      curves(log, "Validation accuracy", "Through the stages of each arm.", "validation", 100, false, false));
  report.chart(curves(log, "Training loss", "Cross-entropy, without the penalty.", "loss", 1, false, true));
  report.chart(curves(log, "The penalty's measure", "Summed over the tensors, while it is minimised.",
                      "measure", 1, true, true));
  report.chart(curves(log, "Sum of HS over the tensors", "It bounds the survivors of a cut from below.",
                      "hoyer_square", 1, true, true));
}

void add_large(Report& report, const Facts& facts) {
  const std::vector<Front> fronts = fronts_of(facts);
  if (fronts.empty()) return;
  report.chart(front_chart(fronts, fronts.front().recipe->network, true));
  report.chart(channels_chart(fronts));
}

void add_toy(Report& report, uint64_t seed) {
  const ToyPath path = toy_path(seed);
  report.section("Figure 2: Hoyer-Square alone on twenty weights");
  report.text(concat(
      "Gradient descent of 6,000 steps of 0.001 on HS(w) = S1²/S2 of twenty weights drawn from N(0, 1). HS "
      "falls from ",
      experiment::format_number(path.hoyer_square.front(), 2), " to ",
      experiment::format_number(path.hoyer_square.back(), 2), ", τ = S2/S1 rises from ",
      experiment::format_number(path.tau.front(), 3), " to ", experiment::format_number(path.tau.back(), 3),
      ": weights below τ are pushed to zero, those above it away from zero."));
  XyChart weights;
  weights.title = "|w| of each weight, and τ";
  weights.caption = "As small weights vanish τ rises and overtakes more of them.";
  weights.x_label = "step";
  weights.y_label = "|w|";
  // One series for all weights: a point that is not finite ends a line.
  Series sizes{.name = "|w|", .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}};
  for (const std::vector<double>& w : path.weights) {
    sizes.x.insert(sizes.x.end(), path.recorded.begin(), path.recorded.end());
    sizes.y.insert(sizes.y.end(), w.begin(), w.end());
    sizes.x.push_back(NAN);
    sizes.y.push_back(NAN);
  }
  weights.series.push_back(std::move(sizes));
  XyChart measure;
  measure.title = "HS and τ";
  measure.caption = "HS bounds the number of live weights from below.";
  measure.x_label = "step";
  measure.y_label = "HS, τ";
  measure.log_y = true;
  Series hs{.name = "HS", .x = path.recorded, .y = {}, .marks = Marks::kLine, .labels = {}};
  Series tau{.name = "τ", .x = path.recorded, .y = {}, .marks = Marks::kLine, .labels = {}};
  for (double step : path.recorded) {
    hs.y.push_back(path.hoyer_square[static_cast<size_t>(step)]);
    tau.y.push_back(path.tau[static_cast<size_t>(step)]);
  }
  measure.series = {hs, tau};
  weights.series.push_back(tau);
  report.chart(weights);
  report.chart(measure);
}

}  // namespace

Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results, Family family) {
  Report report("DeepHoyer",
                "Yang, Wen, Li: Learning Sparser Neural Network with Differentiable Scale-Invariant Sparsity "
                "Measures, ICLR 2020");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.text(
      "Choices among strengths, cuts and epochs are made on validation images; test images are looked at "
      "once for "
      "each network. Accuracies are of test images unless another set is named.");
  report.claims(results.claims);
  if (family == Family::large) {
    report.section("Every point");
    report.table(points_table(facts, family));
    add_large(report, facts);
    add_training(report, plan);
    return report;
  }
  report.section("Published and measured");
  report.text(
      "Origin P: the paper's table as recalled from the publication; P ✓: its MACs were computed again from "
      "the "
      "structure and agree; R: an independent run of the released code without a dense start. Beside each "
      "stands the "
      "measured point of the same method that was chosen on validation accuracy among those of at most twice "
      "the "
      "published size.");
  report.table(published_table(facts, plan.problem->name));
  report.section("Every point");
  report.table(points_table(facts, family));
  const std::vector<Front> fronts = fronts_of(facts);
  for (Network network : {Network::lenet_300_100, Network::lenet_5}) {
    bool any = false;
    for (const Front& front : fronts) any = any || front.recipe->network == network;
    if (!any) continue;
    report.chart(front_chart(fronts, network, false));
    report.chart(front_chart(fronts, network, true));
    report.chart(layer_bars(fronts, network));
  }
  report.section("Weights before and after the cut");
  for (const Front& front : fronts) {
    const PointFacts& f = *front.seeds.front();
    if (f.recipe->method == Method::penalty && f.point == f.recipe->points.front())
      report.chart(histogram_of(plan, f));
  }
  add_training(report, plan);
  add_toy(report, static_cast<uint64_t>(results.options.seed));
  return report;
}

}  // namespace tenon::deephoyer
