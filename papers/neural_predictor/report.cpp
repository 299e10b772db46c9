#include "papers/neural_predictor/report.h"

#include <algorithm>
#include <cmath>

#include "papers/neural_predictor/published.h"

namespace tenon::neural_predictor {
namespace {

using experiment::Align;
using experiment::format_number;
using experiment::Marks;
using experiment::Report;
using experiment::Series;
using experiment::Table;
using experiment::XyChart;

constexpr int64_t kCandidates = 100;  // K of the tables
constexpr int64_t kBaselineTrained = 272;

const char* signal_name(Signal signal) { return signal == Signal::exact ? "noise-free" : "simulated noise"; }

const char* benchmark_name(Benchmark benchmark) {
  switch (benchmark) {
    case Benchmark::nasbench101:
      return "NAS-Bench-101";
    case Benchmark::macro:
      return "Macro";
    case Benchmark::nasbench201:
      return "NAS-Bench-201";
  }
  return "";
}

int64_t trained_of(const Recipe& recipe) {
  return uses_predictor(recipe.method) ? recipe.samples + kCandidates : kBaselineTrained;
}

std::string with_deviation(double mean, double deviation, int decimals) {
  if (std::isnan(mean)) return "–";
  return concat(format_number(mean, decimals), " ± ", format_number(deviation, decimals));
}

// The evolution that an arm is compared with.
const ArmFacts* evolution_beside(const Facts& facts, const ArmFacts& arm) {
  for (const ArmFacts& other : facts.arms)
    if (other.recipe->method == Method::evolution && other.recipe->benchmark == arm.recipe->benchmark &&
        other.recipe->signal == arm.recipe->signal && other.seed == arm.seed)
      return &other;
  return nullptr;
}

std::string factor_text(const Facts& facts, const ArmFacts& arm) {
  const ArmFacts* evolution = evolution_beside(facts, arm);
  if (evolution == nullptr || !uses_predictor(arm.recipe->method)) return "–";
  const auto n = static_cast<double>(trained_of(*arm.recipe));
  const double needed = evolution->trainings_for(arm.mean_at(trained_of(*arm.recipe)));
  if (std::isfinite(needed)) return format_number(needed / n, 1);
  return concat("> ", format_number(static_cast<double>(evolution->trained.back()) / n, 1));
}

Series curve_of(const ArmFacts& arm, const std::string& name) {
  Series series{
      .name = name, .x = {}, .y = arm.mean, .marks = Marks::kLine, .labels = {}, .spread = arm.deviation};
  for (int64_t n : arm.trained) series.x.push_back(static_cast<double>(n));
  return series;
}

// Accuracy of the pick over trainings, a band of one standard deviation around it.
XyChart curves(const Facts& facts, const char* title, const std::string& caption,
               const std::vector<std::string>& arms) {
  XyChart chart;
  chart.title = title;
  chart.caption = caption;
  chart.x_label = "models trained, n";
  chart.y_label = "test accuracy %";
  chart.log_x = true;
  for (const std::string& name : arms)
    if (const ArmFacts* arm = facts.find(name))
      chart.series.push_back(curve_of(*arm, uses_predictor(arm->recipe->method)
                                                ? concat(arm->recipe->label, ", N = ", arm->recipe->samples)
                                                : arm->recipe->label));
  return chart;
}

void add_curves(Report& report, const Facts& facts, const Problems& problems) {
  const auto cells = problems.find(Benchmark::nasbench101);
  if (cells != problems.end()) {
    report.section("Search on NAS-Bench-101");
    const auto add = [&](XyChart chart, double oracle, const char* name) {
      chart.references = {{"N = 172", 172, false}, {name, oracle, true}};
      if (!chart.series.empty()) report.chart(chart);
    };
    add(curves(facts, "Noise-free signal",
               "The search is told the mean test accuracy that is also reported: everything in it is real. "
               "Mean of the "
               "runs, the band is one standard deviation.",
               {"random-uniform", "random", "evolution", "one-stage", "two-stage"}),
        cells->second.oracle(), "oracle");
    if (const ArmFacts* oracle = facts.find("oracle-noisy"))
      add(curves(facts, "Simulated noise",
                 "The search is told one SIMULATED evaluation on 10,000 images, Binomial(10,000, p) / 10,000 "
                 "around the "
                 "table's accuracy p; what is reported is p.",
                 {"random-uniform-noisy", "random-noisy", "evolution-noisy", "evolution-50-noisy",
                  "one-stage-noisy", "two-stage-noisy"}),
          oracle->metric("pick"), "oracle under the same noise");
    for (const bool noisy : {false, true}) {
      std::vector<std::string> arms;
      for (const char* arm : {"one-stage-43", "one-stage-86", "one-stage", "one-stage-344"})
        arms.push_back(concat(arm, noisy ? "-noisy" : ""));
      if (facts.find(arms.front()) != nullptr)
        report.chart(
            curves(facts, noisy ? "N and K, simulated noise" : "N and K, noise-free",
                   "Each curve begins where its N models are trained, and goes on over the K best predicted.",
                   arms));
    }
  }
  if (facts.find("macro-9-layers") != nullptr) {
    report.section("Chains: NAS-Bench-Macro");
    report.chart(
        curves(facts, "NAS-Bench-Macro", "Chosen by run 1, reported as the mean of runs 2 and 3: all real.",
               {"macro-random", "macro-evolution", "macro-3-layers", "macro-9-layers", "macro-172"}));
  }
  if (facts.find("nb201-86") != nullptr) {
    report.section("NAS-Bench-201");
    report.chart(curves(
        facts, "NAS-Bench-201, CIFAR-10",
        "Chosen by validation accuracy after 12 epochs, reported as test accuracy after 200: all real.",
        {"nb201-random", "nb201-evolution", "nb201-86", "nb201-172"}));
  }
}

XyChart scatter(const ArmFacts& arm, double floor) {
  XyChart chart;
  chart.title =
      concat(arm.recipe->label, ", ", signal_name(arm.recipe->signal), floor > 0 ? ", 91 % and more" : "");
  chart.caption = "First repetition: 400 candidates at random, and the 100 of the highest predictions.";
  chart.x_label = "test accuracy %";
  chart.y_label = "predicted %";
  Series series{.name = arm.recipe->arm, .x = {}, .y = {}, .marks = Marks::kPoints, .labels = {}};
  double low = 100, high = 0;
  for (const auto& [truth, predicted] : arm.scatter) {
    if (truth < floor) continue;
    series.x.push_back(truth);
    series.y.push_back(predicted);
    low = std::min(low, truth), high = std::max(high, truth);
  }
  Series diagonal{
      .name = "predicted = true", .x = {low, high}, .y = {low, high}, .marks = Marks::kLine, .labels = {}};
  chart.series = {std::move(series), std::move(diagonal)};
  return chart;
}

void add_scatters(Report& report, const Facts& facts) {
  report.section("Predicted and true");
  for (const char* name : {"one-stage", "two-stage"})
    if (const ArmFacts* arm = facts.find(name)) {
      report.chart(scatter(*arm, 0));
      report.chart(scatter(*arm, kGood));
    }
}

}  // namespace

Table methods_table(const Facts& facts) {
  Table table;
  table.title = "Methods";
  table.header = {"space",  "arm",    "signal", "N",     "K",     "n",   "runs",
                  "test %", "factor", "MSE",    ">= 80", ">= 91", "tau", "P@100"};
  table.align = {Align::kLeft, Align::kLeft, Align::kLeft};
  table.align.resize(table.header.size(), Align::kRight);
  for (const ArmFacts& arm : facts.arms) {
    const Recipe& recipe = *arm.recipe;
    const int64_t n = trained_of(recipe);
    const bool predicts = uses_predictor(recipe.method), oracle = recipe.method == Method::oracle;
    const auto metric = [&](const char* name, int decimals) {
      return format_number(arm.metric(name), decimals);
    };
    table.rows.push_back({benchmark_name(recipe.benchmark), recipe.arm, signal_name(recipe.signal),
                          predicts ? std::to_string(recipe.samples) : "–",
                          predicts ? std::to_string(kCandidates) : "–", oracle ? "all" : std::to_string(n),
                          std::to_string(arm.runs),
                          oracle ? metric("pick", 3) : with_deviation(arm.mean_at(n), arm.deviation_at(n), 3),
                          factor_text(facts, arm), metric("mse", 2), metric("mse-80", 2), metric("mse-91", 2),
                          metric("tau", 3), metric("precision", 2)});
  }
  return table;
}

Table curves_table(const Facts& facts) {
  constexpr int64_t kPlaces[] = {50, 100, 182, 200, 272, 500, 1000, 2000, 5000, 10000};
  Table table;
  table.title = "Test accuracy % of the pick after n trainings, mean over the runs";
  table.header = {"space", "arm"};
  table.align = {Align::kLeft, Align::kLeft};
  for (int64_t n : kPlaces) table.header.push_back(std::to_string(n));
  table.align.resize(table.header.size(), Align::kRight);
  for (const ArmFacts& arm : facts.arms) {
    std::vector<std::string> row = {benchmark_name(arm.recipe->benchmark), arm.recipe->arm};
    for (int64_t n : kPlaces) row.push_back(format_number(arm.mean_at(n), 3));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table published_table(const Facts& facts) {
  Table table;
  table.title = "Published and measured";
  table.header = {"quantity", "published", "origin", "measured", "arm"};
  table.align = {Align::kLeft, Align::kLeft, Align::kLeft, Align::kRight, Align::kLeft};
  for (const Published& row : published()) {
    std::string text = "not run";
    if (const ArmFacts* arm = facts.find(row.arm)) {
      constexpr std::string_view kCurve = "n=";
      if (row.metric.starts_with(kCurve)) {
        const int64_t n = std::stoll(row.metric.substr(kCurve.size()));
        text = concat(with_deviation(arm->mean_at(n), arm->deviation_at(n), 3), " %");
      } else {
        text = format_number(arm->metric(row.metric), 3);
      }
    }
    table.rows.push_back({row.quantity, row.value, origin_mark(row.origin), text, row.arm});
  }
  return table;
}

Report make_report(const Facts& facts, const Problems& problems, const experiment::Results& results) {
  Report report("Neural Predictor",
                "Wen, Liu, Li, Chen, Bender, Kindermans: Neural Predictor for Neural Architecture "
                "Search, ECCV 2020");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.text(
      "A search pays for each architecture it trains; what it is judged by is the test accuracy of the one "
      "with the best "
      "validation accuracy among those paid for. Simulated noise is simulated: the public table has one "
      "number a cell.");
  report.claims(results.claims);
  add_curves(report, facts, problems);
  add_scatters(report, facts);
  report.section("Published and measured");
  report.text(
      "Origin A: the paper's abstract; C: a public re-implementation, which quotes the paper's settings; R: "
      "recalled from "
      "a publication; M: another program on the same table, which chose these settings. The paper's own "
      "errors are over "
      "other sets of cells.");
  report.table(published_table(facts));
  report.section("Every arm");
  report.text(
      "factor: trainings that evolution needs for the same accuracy, over n. MSE in percent squared, over "
      "all candidates "
      "and over those of at least 80 and 91 %: diverged cells own the first. P@100: the share of the true "
      "top 0.1 % among "
      "the 100 best predicted.");
  report.table(methods_table(facts));
  report.table(curves_table(facts));
  return report;
}

}  // namespace tenon::neural_predictor
