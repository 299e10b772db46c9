// The charts and the page of a run.
#include "papers/trp/report.h"

#include <cmath>
#include <map>
#include <sstream>

#include "core/atomic_file.h"
#include "papers/trp/published.h"

namespace tenon::trp {
namespace {

using experiment::Marks;
using experiment::Report;
using experiment::Series;
using experiment::XyChart;

Series& series_of(XyChart& chart, std::map<std::string, size_t>& place, const std::string& name,
                  Marks marks) {
  const auto [at, is_new] = place.emplace(name, chart.series.size());
  if (is_new) chart.series.push_back({.name = name, .x = {}, .y = {}, .marks = marks, .labels = {}});
  return chart.series[at->second];
}

// Figure 3 of the IJCAI paper.
XyChart front_chart(const std::vector<Front>& fronts, LowRankScheme scheme) {
  XyChart chart;
  chart.title = concat("Accuracy and speed-up, ", name_of(scheme));
  chart.caption =
      "Means over the seeds. TRP as it is decomposed, never finetuned; every other network with finetuning "
      "and without.";
  chart.x_label = "dense over remaining multiply-accumulates of the convolutions";
  chart.y_label = "test accuracy %";
  std::map<std::string, size_t> place;
  for (const Front& front : fronts) {
    const Recipe& r = *front.recipe;
    if (r.scheme != scheme || (r.method == Method::trp && front.name != "value")) continue;
    const auto add = [&](const std::string& name, double accuracy) {
      Series& series = series_of(chart, place, name, Marks::kPoints);
      series.x.push_back(front.speed_up());
      series.y.push_back(accuracy);
      series.labels.push_back(concat(r.arm, ", ", front.name, ": ", experiment::format_number(accuracy, 2),
                                     " % at ", experiment::format_number(front.speed_up(), 2), "x"));
    };
    if (r.method == Method::trp || r.method == Method::scratch) {
      add(r.label, front.delivered());
    } else {
      add(concat(r.label, ", finetuned"), front.delivered());
      add(concat(r.label, ", not finetuned"),
          front.mean([](const PointFacts& f) { return 100 * f.cut_test; }));
    }
  }
  return chart;
}

// Figure 2, left: the rank of the last layer from cut to cut, beside the same cuts without any training.
XyChart rank_chart(const Facts& facts, LowRankScheme scheme) {
  XyChart chart;
  chart.title = concat("Rank of ", facts.layers.back(), ", ", name_of(scheme));
  chart.caption =
      "At every cut, first seed. Control: the same cuts of a fresh network without a step between them. Cuts "
      "alone lower the "
      "rank until none of its values carries less than the share e, that is to 1/e or below; learning takes "
      "it further.";
  chart.x_label = "cut";
  chart.y_label = "rank";
  chart.log_x = true;
  const auto add = [&](const std::string& name, const std::vector<NetworkCut>& cuts) {
    Series series{.name = name, .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}};
    for (size_t z = 0; z < cuts.size(); ++z) {
      series.x.push_back(static_cast<double>(z + 1));
      series.y.push_back(static_cast<double>(cuts[z].layers.back().rank));
    }
    chart.series.push_back(std::move(series));
  };
  for (const RankFacts& f : facts.ranks)
    if (f.recipe->scheme == scheme && f.seed == facts.ranks.front().seed) add(f.recipe->arm, f.cuts);
  for (const ControlFacts& c : facts.controls) {
    if (c.recipe->scheme != scheme) continue;
    add(concat("control, e = ", c.recipe->energy), c.cuts);
    chart.references.push_back({concat("1/e, e = ", c.recipe->energy), 1 / c.recipe->energy, true});
  }
  return chart;
}

// Figure 2, right: normalised energies of the last layer before some of the cuts.
XyChart spectrum_chart(const Facts& facts, const RankFacts& f) {
  XyChart chart;
  chart.title = concat("Spectrum of ", facts.layers.back(), ", ", f.recipe->arm);
  chart.caption =
      "Squared singular values over their sum, as they are found at a cut. What training adds between two "
      "cuts lies far "
      "below what stays: the threshold of the final decomposition falls into the gap.";
  chart.x_label = "index";
  chart.y_label = "share of the energy";
  chart.log_y = true;
  const size_t count = f.cuts.size();
  for (size_t z : {size_t{0}, count / 16, count / 8, count / 4, count - 1}) {
    Series series{.name = concat("cut ", z + 1), .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}};
    for (size_t i = 0; i < f.cuts[z].energies.size(); ++i) {
      series.x.push_back(static_cast<double>(i + 1));
      series.y.push_back(f.cuts[z].energies[i]);
    }
    chart.series.push_back(std::move(series));
  }
  chart.references.push_back({"e", f.recipe->energy, true});
  return chart;
}

XyChart theorem_chart(const RankFacts& f) {
  XyChart chart;
  chart.title = concat("Theorem 2 along the training, ", f.recipe->arm);
  chart.caption =
      "The largest of the layers at every cut. Where m G / |W| is below √e no rank may rise; the distance "
      "that the weight "
      "really went, |W − T| / |W|, is what the proof needs and is far shorter.";
  chart.x_label = "cut";
  chart.y_label = "quotient";
  chart.log_y = true;
  Series steps{.name = "m G / |W|", .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}};
  Series moved{.name = "|W − T| / |W|", .x = {}, .y = {}, .marks = Marks::kLine, .labels = {}};
  for (size_t z = 1; z < f.cuts.size(); ++z) {
    double largest_steps = 0, largest_moved = 0;
    for (const LayerCut& layer : f.cuts[z].layers) {
      largest_steps = std::max(largest_steps, layer.steps_ratio);
      largest_moved = std::max(largest_moved, layer.moved_ratio);
    }
    for (Series* series : {&steps, &moved}) series->x.push_back(static_cast<double>(z + 1));
    steps.y.push_back(largest_steps);
    moved.y.push_back(largest_moved);
  }
  chart.series = {steps, moved};
  chart.references.push_back({"√e", std::sqrt(f.recipe->energy), true});
  return chart;
}

XyChart curves(const std::vector<Json>& log) {
  XyChart chart;
  chart.title = "Validation accuracy";
  chart.caption = "In dense form, while training; first the curves of full trainings, then of finetuning.";
  chart.x_label = "epoch";
  chart.y_label = "%";
  std::map<std::string, size_t> place;
  for (const Json& line : log) {
    if (line.at("stage").as_string() != "train") continue;
    const std::string name = concat(line.at("arm").as_string(), " seed ", line.at("seed").as_integer());
    Series& series = series_of(chart, place, name, Marks::kLine);
    series.x.push_back(static_cast<double>(line.at("epoch").as_integer()));
    series.y.push_back(100 * line.at("validation").as_real());
  }
  return chart;
}

experiment::BarChart rank_bars(const Facts& facts) {
  experiment::BarChart chart;
  chart.title = "Final ranks, layer by layer";
  chart.caption =
      "As decomposed by value, first seed; 0: the layer stayed dense, since its pair would cost as much.";
  chart.y_label = "rank";
  chart.categories = facts.layers;
  for (const Front& front : fronts_of(facts)) {
    if (front.recipe->method != Method::trp || front.name != "value") continue;
    experiment::BarChart::Bars bars{front.recipe->arm, {}};
    for (const std::string& layer : facts.layers) {
      const Ranks& ranks = front.seeds.front()->ranks;
      const auto at = ranks.find(layer);
      bars.values.push_back(at == ranks.end() ? 0 : static_cast<double>(at->second));
    }
    chart.series.push_back(std::move(bars));
  }
  return chart;
}

bool has_scheme(const Facts& facts, LowRankScheme scheme) {
  for (const RankFacts& f : facts.ranks)
    if (f.recipe->scheme == scheme) return true;
  return false;
}

}  // namespace

Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results) {
  Report report("Trained Rank Pruning",
                plan.row == Row::workshop
                    ? "Xu et al.: Trained Rank Pruning for Efficient Deep Neural Networks, NeurIPS-EMC2 2019"
                    : "Xu et al.: TRP: Trained Rank Pruning for Efficient Deep Neural Networks, IJCAI 2020");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.text(
      "Networks are those of the last epoch: nothing is chosen by test images. TRP networks are decomposed "
      "where their "
      "singular values are 0.05 or more, and never finetuned; the others are given both ways.");
  report.claims(results.claims);
  report.section("Published and measured");
  report.text(
      "Origin P: a table of the IJCAI paper; C: the README of the authors' code, of the workshop paper's "
      "time; F: read off "
      "Figure 3. Speed-ups are of the convolutions, the first one and the shortcuts included.");
  report.table(published_table(plan, facts));
  report.section("Accuracy and speed-up");
  const std::vector<Front> fronts = fronts_of(facts);
  constexpr LowRankScheme kSchemes[] = {LowRankScheme::channel, LowRankScheme::spatial,
                                        LowRankScheme::decoupled};
  for (LowRankScheme scheme : kSchemes)
    if (has_scheme(facts, scheme)) report.chart(front_chart(fronts, scheme));
  report.table(points_table(plan, facts));
  report.section("Ranks");
  for (LowRankScheme scheme : kSchemes)
    if (has_scheme(facts, scheme)) report.chart(rank_chart(facts, scheme));
  report.chart(rank_bars(facts));
  for (const RankFacts& f : facts.ranks)
    if (f.seed == facts.ranks.front().seed && !f.cuts.empty()) {
      report.chart(spectrum_chart(facts, f));
      report.chart(theorem_chart(f));
    }
  report.table(ranks_table(facts));
  report.section("Training");
  report.chart(curves(plan.folder->read_log()));
  return report;
}

void write_figures(const Plan& plan, const Facts& facts) {
  std::ostringstream spectra, points;
  spectra << "arm,seed,cut,step,ranks,energies of " << facts.layers.back() << '\n';
  for (const RankFacts& f : facts.ranks)
    for (size_t z = 0; z < f.cuts.size(); ++z) {
      spectra << f.recipe->arm << ',' << f.seed << ',' << z + 1 << ',' << f.cuts[z].step << ',';
      for (const LayerCut& layer : f.cuts[z].layers) spectra << layer.rank << ' ';
      spectra << ',';
      for (double energy : f.cuts[z].energies) spectra << energy << ' ';
      spectra << '\n';
    }
  points << "scheme,method,arm,cut,seed,speed_up,not_finetuned,finetuned\n";
  for (const PointFacts& f : facts.points)
    points << name_of(f.recipe->scheme) << ',' << f.recipe->label << ',' << f.recipe->arm << ',' << f.name
           << ',' << f.seed << ',' << f.speed_up() << ',' << 100 * f.cut_test << ',' << 100 * f.final_test
           << '\n';
  write_file_atomically(plan.folder->path() / "spectra.csv", spectra.str());
  write_file_atomically(plan.folder->path() / "fronts.csv", points.str());
}

}  // namespace tenon::trp
