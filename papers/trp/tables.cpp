// The tables of a run.
#include <cmath>

#include "papers/trp/published.h"
#include "papers/trp/report.h"

namespace tenon::trp {
namespace {

using experiment::Align;
using experiment::format_number;
using experiment::Table;

// "87.21" for one seed, "87.21 ± 0.14" for more.
std::string over_seeds(const Front& front, double (*figure)(const PointFacts&), int decimals) {
  std::map<int64_t, double> measured;
  for (const PointFacts* f : front.seeds) measured[f->seed] = figure(*f);
  const experiment::SeedStatistics s = experiment::over_seeds(measured);
  std::string text = format_number(s.mean, decimals);
  if (s.count > 1 && !std::isnan(s.mean)) text += " ± " + format_number(s.deviation, decimals);
  return text;
}

// Of the first seed, layer by layer; "–" stays dense.
std::string ranks_text(const Facts& facts, const PointFacts& f) {
  if (f.ranks.empty()) return "–";
  std::string text;
  for (const std::string& layer : facts.layers) {
    const auto at = f.ranks.find(layer);
    text += concat(text.empty() ? "" : " ", at == f.ranks.end() ? "–" : std::to_string(at->second));
  }
  return text;
}

std::string or_dash(bool known, const std::string& text) { return known ? text : "–"; }

// The arm of a TRP point by which a published row is measured; the largest e that still reaches the published speed-up's
// like is not searched for: it is the paper's e of 0.02.
const Front* beside(const Published& row, const std::vector<Front>& fronts) {
  const Front* nearest = nullptr;
  for (const Front& front : fronts) {
    const bool cut = front.recipe->method == Method::trp;
    const std::string arm = cut ? concat(row.arm, "-0.02") : row.arm;
    if (row.arm.empty() || front.recipe->arm != arm || (cut && front.name != "value")) continue;
    const auto distance = [&](const Front& f) { return std::fabs(f.speed_up() - row.speed_up); };
    if (nearest == nullptr || distance(front) < distance(*nearest)) nearest = &front;
  }
  return nearest;
}

}  // namespace

Table points_table(const Plan& plan, const Facts& facts) {
  Table table;
  table.title = "Every point";
  table.header = {"arm",
                  "cut",
                  "scheme",
                  "e",
                  "λ",
                  "dense %",
                  "ranks",
                  "weights",
                  "MACs",
                  "speed-up",
                  "not finetuned %",
                  "norms anew %",
                  "finetuned %",
                  "ms dense, batch 128",
                  "ms",
                  "wall ratio",
                  "batch 1",
                  "all threads"};
  table.align.assign(table.header.size(), Align::kRight);
  for (int column : {0, 1, 2, 6}) table.align[static_cast<size_t>(column)] = Align::kLeft;
  for (const Front& front : fronts_of(facts)) {
    const Recipe& recipe = *front.recipe;
    const PointFacts& first = *front.seeds.front();
    table.rows.push_back(
        {recipe.arm, front.name, recipe.method == Method::filters ? "–" : name_of(recipe.scheme),
         or_dash(recipe.energy > 0, concat(recipe.energy)), or_dash(recipe.lambda > 0, concat(recipe.lambda)),
         over_seeds(
             front, [](const PointFacts& f) { return 100 * f.dense_test; }, 2),
         ranks_text(facts, first),
         format_number(front.mean([](const PointFacts& f) { return static_cast<double>(f.weights); }), 0),
         format_number(front.mean([](const PointFacts& f) { return static_cast<double>(f.macs); }), 0),
         over_seeds(
             front, [](const PointFacts& f) { return f.speed_up(); }, 2),
         over_seeds(
             front, [](const PointFacts& f) { return 100 * f.cut_test; }, 2),
         over_seeds(
             front, [](const PointFacts& f) { return 100 * f.estimated_test; }, 2),
         over_seeds(
             front, [](const PointFacts& f) { return 100 * f.final_test; }, 2),
         format_number(front.mean([](const PointFacts& f) { return f.batch_128.dense_ms; }), 2),
         format_number(front.mean([](const PointFacts& f) { return f.batch_128.ms; }), 2),
         format_number(front.mean([](const PointFacts& f) { return f.batch_128.ratio(); }), 2),
         format_number(front.mean([](const PointFacts& f) { return f.batch_1.ratio(); }), 2),
         or_dash(first.batch_128_all_threads.ms > 0,
                 format_number(
                     front.mean([](const PointFacts& f) { return f.batch_128_all_threads.ratio(); }), 2))});
  }
  // The dense arms, of which there is nothing but an accuracy.
  std::map<std::string, std::map<int64_t, double>> dense;
  for (const DenseFacts& f : facts.dense)
    if (f.recipe->method == Method::dense) dense[f.recipe->arm][f.seed] = 100 * f.test;
  for (const auto& [arm, measured] : dense) {
    const experiment::SeedStatistics s = experiment::over_seeds(measured);
    table.rows.insert(
        table.rows.begin(),
        {arm, "", "", "–",
         or_dash(recipe_of(plan.row, arm).lambda > 0, concat(recipe_of(plan.row, arm).lambda)),
         format_number(s.mean, 2) + (s.count > 1 ? " ± " + format_number(s.deviation, 2) : "")});
  }
  return table;
}

Table ranks_table(const Facts& facts) {
  Table table;
  table.title = "Ranks while training";
  table.header = {"arm",
                  "seed",
                  "cuts",
                  "rises after the first epoch",
                  "where m G / |W| < √e",
                  "where |W − T| / |W| < √e",
                  "largest m G / |W|",
                  "√e",
                  "largest final rank",
                  "1/e",
                  "ms a step",
                  "ms a cut",
                  "share of the cuts % at m = 1, 5, 20"};
  table.align.assign(table.header.size(), Align::kRight);
  table.align[0] = Align::kLeft;
  const auto text = [](const RankFacts::Rises& r) { return concat(r.rises, " of ", r.pairs); };
  for (const RankFacts& f : facts.ranks) {
    std::vector<std::string> row = {f.recipe->arm,
                                    std::to_string(f.seed),
                                    std::to_string(f.cuts.size()),
                                    text(f.after_first_epoch()),
                                    text(f.under_theorem()),
                                    text(f.under_proof()),
                                    format_number(f.largest_steps_ratio(), 3),
                                    format_number(std::sqrt(f.recipe->energy), 3),
                                    std::to_string(f.largest_final_rank()),
                                    format_number(1 / f.recipe->energy, 0)};
    for (const ShareFacts& s : facts.shares)
      if (s.scheme == f.recipe->scheme)
        row.insert(row.end(),
                   {format_number(s.step_ms, 1), format_number(s.cut_ms, 1),
                    concat(format_number(100 * s.share(1), 1), ", ", format_number(100 * s.share(5), 1), ", ",
                           format_number(100 * s.share(20), 2))});
    table.rows.push_back(std::move(row));
  }
  return table;
}

Table published_table(const Plan& plan, const Facts& facts) {
  Table table;
  table.title = "Published and measured";
  table.header = {"network",  "method", "published %",
                  "speed-up", "origin", concat("measured % on ", plan.problem->name, ", ", plan.network),
                  "speed-up", "arm"};
  const std::vector<Front> fronts = fronts_of(facts);
  for (const Published& row : published()) {
    if (row.row != plan.row) continue;
    std::vector<std::string> cells = {row.network, row.method, format_number(row.accuracy, 2),
                                      format_number(row.speed_up, 2), origin_tag(row.origin)};
    const Front* front = beside(row, fronts);
    if (row.arm == "baseline") {
      std::map<int64_t, double> measured;
      for (const DenseFacts& f : facts.dense)
        if (f.recipe->arm == row.arm) measured[f.seed] = 100 * f.test;
      cells.insert(cells.end(),
                   {or_dash(!measured.empty(), format_number(experiment::over_seeds(measured).mean, 2)),
                    "1.00", row.arm});
    } else if (front != nullptr) {
      cells.insert(cells.end(), {format_number(front->delivered(), 2), format_number(front->speed_up(), 2),
                                 concat(front->recipe->arm, ", ", front->name)});
    } else {
      cells.insert(cells.end(), {"–", "–", "not run"});
    }
    table.rows.push_back(std::move(cells));
  }
  table.align.assign(table.header.size(), Align::kLeft);
  for (int column : {2, 3, 5, 6}) table.align[static_cast<size_t>(column)] = Align::kRight;
  return table;
}

}  // namespace tenon::trp
