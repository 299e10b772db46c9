// The charts and the page of a run.
#include "papers/joint_pruning/report.h"

#include <map>

#include "core/ops/index.h"

namespace tenon::joint_pruning {
namespace {

using experiment::BarChart;
using experiment::HistogramChart;
using experiment::Marks;
using experiment::Report;
using experiment::Series;
using experiment::XyChart;

Series series_of(const std::string& name, const Curve& curve) {
  Series series{.name = name, .x = {}, .y = {}, .marks = Marks::kLineAndPoints, .labels = {}};
  for (size_t i = 0; i < curve.rates.size(); ++i) {
    series.x.push_back(100 * curve.rates[i]);
    series.y.push_back(100 * curve.accuracy[i]);
  }
  return series;
}

XyChart chart_of(const std::string& title, const char* caption, const char* x_label) {
  XyChart chart;
  chart.title = title;
  chart.caption = caption;
  chart.x_label = x_label;
  chart.y_label = "accuracy %";
  return chart;
}

// The paper's figures of sensitivity and of static against dynamic thresholds.
void add_curves(Report& report, const ArmFacts& f) {
  XyChart alone = chart_of(concat(f.recipe->arm, ": sensitivity"), "One mask at a time, before finetuning.",
                           "winner rate %");
  for (size_t i = 0; i < f.sensitivity.size(); ++i)
    alone.series.push_back(series_of(concat("mask ", i + 1), f.sensitivity[i]));
  report.chart(alone);
  XyChart rules =
      chart_of(concat(f.recipe->arm, ": all masks at one rate"),
               "Before finetuning. Winners are chosen for each image; batch: among 1,000 images at once; "
               "static: a threshold a layer from training images; random: among those that are not 0.",
               "activations kept %");
  for (const auto& [rule, curve] : f.rules) rules.series.push_back(series_of(rule, curve));
  report.chart(rules);
}

// Hidden activations that are not 0 in the dense network, in WP and in JP, layer by layer.
BarChart activation_bars(const Facts& facts, const ArmFacts& jp) {
  BarChart chart;
  chart.title = concat(jp.recipe->arm, ": activations that are not 0");
  chart.caption = "Cutting weights alone makes them denser; winners make them sparse.";
  chart.y_label = "% of the layer";
  for (size_t i = 0; i + 1 < jp.count.layers.size(); ++i) chart.categories.push_back(jp.count.layers[i].name);
  const auto add = [&](const char* name, const ArmFacts* f) {
    if (f == nullptr) return;
    BarChart::Bars bars{name, {}};
    for (size_t i = 0; i + 1 < f->count.layers.size(); ++i)
      bars.values.push_back(100 * f->count.layers[i].outgoing);
    chart.series.push_back(std::move(bars));
  };
  add("dense", facts.dense_of(jp));
  add("WP", facts.weights_of(jp));
  add("JP", &jp);
  return chart;
}

BarChart mac_bars(const Facts& facts, const ArmFacts& jp) {
  BarChart chart;
  chart.title = concat(jp.recipe->arm, ": MACs by pairs");
  chart.caption = "Percent of the dense layer's multiplications whose two factors are not 0.";
  chart.y_label = "% of the layer";
  for (const LayerCount& layer : jp.count.layers) chart.categories.push_back(layer.name);
  const auto add = [&](const char* name, const ArmFacts* f) {
    if (f == nullptr) return;
    BarChart::Bars bars{name, {}};
    for (const LayerCount& layer : f->count.layers) bars.values.push_back(100 * layer.pair_share());
    chart.series.push_back(std::move(bars));
  };
  add("WP", facts.weights_of(jp));
  add("JP", &jp);
  return chart;
}

// What the last mask lets through, before the masks were switched on and after finetuning: small activations vanish,
// those that stay grow.
HistogramChart activation_histogram(experiment::RunFolder& folder, const ArmFacts& jp, const Tensor& images) {
  HistogramChart chart;
  chart.title = concat(jp.recipe->arm, ": activations of the last hidden layer");
  chart.caption = "Non-zero ones on training images, before the masks and after finetuning under them.";
  chart.x_label = "log10 |a|";
  chart.log_y = true;
  NoGrad no_grad;
  const auto add = [&](const char* name, MaskedNet& net) {
    net.chain->eval();
    net.masks.back()->remember(true);
    (*net.chain)(Variable(images));
    const std::vector<float> seen = net.masks.back()->remembered().value().to_vector<float>();
    chart.histograms.push_back(experiment::log_magnitude_histogram(name, seen, -4, 2, 60));
  };
  MaskedNet before = make_network(jp.recipe->network, jp.seed);
  load_stage(folder, weights_recipe(jp.recipe->network), jp.seed, concat("round-", kRounds), *before.chain);
  MaskedNet after = final_net(folder, *jp.recipe, jp.seed);
  add("before", before);
  add("after", after);
  return chart;
}

// Accuracy against multiplications, a point an arm.
XyChart front(const Facts& facts, Network network) {
  XyChart chart;
  chart.title = concat(name_of(network), ": accuracy and MACs");
  chart.caption = "By pairs, first seed. Up and to the left is better.";
  chart.x_label = "MACs %";
  chart.y_label = "test accuracy %";
  chart.log_x = true;
  for (const ArmFacts& f : facts.arms)
    if (f.recipe->network == network && f.seed == facts.arms.front().seed)
      chart.series.push_back(
          {.name = f.recipe->label,
           .x = {100 * f.count.pair_share()},
           .y = {f.test()},
           .marks = Marks::kPoints,
           .labels = {concat(f.recipe->arm, ": ", experiment::format_number(f.test(), 2), " %")}});
  return chart;
}

XyChart training_curves(const std::vector<Json>& log) {
  XyChart chart = chart_of("Validation accuracy", "Through the stages of each arm.", "epoch");
  std::map<std::string, size_t> place;
  for (const Json& line : log) {
    const std::string name = concat(line.at("arm").as_string(), " seed ", line.at("seed").as_integer());
    auto [at, is_new] = place.emplace(name, chart.series.size());
    if (is_new) chart.series.push_back({.name = name, .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}});
    chart.series[at->second].x.push_back(static_cast<double>(line.at("epoch").as_integer()));
    chart.series[at->second].y.push_back(100 * line.at("validation").as_real());
  }
  return chart;
}

}  // namespace

Report make_report(const Facts& facts, const std::vector<Latency>& latencies,
                   const experiment::Results& results, experiment::RunFolder& folder,
                   const experiment::ImageProblem& problem) {
  Report report(
      "Joint Pruning",
      "Yang, Wen, Wang, Li: Joint Pruning on Activations and Weights for Efficient Neural Networks, 2019");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.text(
      "Epochs and rates are chosen on 10,000 training images that are never trained on, and so are the "
      "curves taken; test "
      "images are looked at for the accuracies of the tables alone. Activations and multiplications are "
      "counted on 1,000 "
      "training images without dropout.");
  report.claims(results.claims);
  report.section("Published and measured");
  report.table(published_table(facts, problem.name));
  report.section("Every arm");
  report.table(arms_table(facts));
  report.table(layers_table(facts));
  for (Network network : {Network::mlp3, Network::mlp3_leaky, Network::convnet5, Network::resnet32})
    if (!facts.seeds_of(dense_recipe(network).arm).empty()) report.chart(front(facts, network));
  report.section("How sensitive the layers are, and who is to win");
  report.table(curves_table(facts));
  for (const ArmFacts& f : facts.arms)
    if (!f.sensitivity.empty() && f.sensitivity.size() <= 6 && f.seed == facts.arms.front().seed)
      add_curves(report, f);
  XyChart sampled = chart_of("Thresholds from a part of the activations",
                             "Of MLP-3 each layer alike; in use, and here in the others, layers of less than "
                             "1,000 are looked at in full.",
                             "sampled %");
  sampled.log_x = true;
  for (const ArmFacts& f : facts.arms)
    if (!f.sampled.rates.empty() && f.seed == facts.arms.front().seed)
      sampled.series.push_back(series_of(f.recipe->arm, f.sampled));
  report.chart(sampled);
  report.section("Activations and multiplications");
  const Tensor images = training_images(problem, 200);
  for (const ArmFacts& f : facts.arms) {
    const bool shown = f.recipe->method == Method::joint && f.recipe->rule == MaskRule::winners &&
                       f.count.layers.size() <= 10 && f.seed == facts.arms.front().seed;
    if (!shown) continue;
    report.chart(activation_bars(facts, f));
    report.chart(mac_bars(facts, f));
    report.chart(activation_histogram(folder, f, images));
  }
  report.section("Time");
  report.text(
      "MACs are not time. One image is where skipping pays; a batch shares no pattern, so there products "
      "that know the "
      "weights' zeros alone win.");
  report.table(latency_table(latencies));
  report.section("Training");
  report.chart(training_curves(folder.read_log()));
  return report;
}

Json latency_json(const Latency& l) {
  Json times = Json::array();
  for (const Times& t : l.times)
    times.push_back(Json::object({{"batch", t.batch},
                                  {"dense_us", t.dense},
                                  {"weight_only_us", t.weight_only},
                                  {"weight_skip_us", t.weight_skip},
                                  {"joint_us", t.joint},
                                  {"selection_us", t.selection},
                                  {"kernels", t.kernels},
                                  {"weight_kernels", t.weight_kernels}}));
  return Json::object({{"arm", l.facts->recipe->arm},
                       {"seed", l.facts->seed},
                       {"times", std::move(times)},
                       {"largest_error", l.largest_error},
                       {"winner_misses", l.winner_misses},
                       {"pair_error", l.pair_error}});
}

}  // namespace tenon::joint_pruning
