// The tables of a run.
#include <cmath>
#include <limits>

#include "papers/autogrow/published.h"
#include "papers/autogrow/report.h"

namespace tenon::autogrow {
namespace {

using experiment::Align;
using experiment::format_number;
using experiment::Table;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The found network of a grown arm, trained from scratch; null if there is none.
const ArmFacts* scratch_of(const Facts& facts, const ArmFacts& f) {
  for (const ArmFacts& other : facts.arms) {
    const Recipe& recipe = *other.recipe;
    const bool found = recipe.method == Method::fixed && recipe.target == Target::found;
    if (found && recipe.like == f.recipe->arm && other.seed == f.seed) return &other;
  }
  return nullptr;
}

double delta_of(const Facts& facts, const ArmFacts& f) {
  const ArmFacts* scratch = scratch_of(facts, f);
  return scratch == nullptr ? kNan : f.test - scratch->test;
}

std::string signed_number(double value) {
  return std::isnan(value) ? "–" : concat(value > 0 ? "+" : "", format_number(value, 2));
}

}  // namespace

Table arms_table(const Plan& plan, const Facts& facts) {
  Table table;
  table.title = "Every arm";
  table.header = {"arm",
                  "seed",
                  "family",
                  "method",
                  "K",
                  "J",
                  "network",
                  "limit hit",
                  "growing",
                  "epochs",
                  "MACs / scratch",
                  "min",
                  "best validation %",
                  "validation %",
                  "test %",
                  "test − scratch"};
  table.align.assign(table.header.size(), Align::kRight);
  for (size_t column : {0, 2, 3, 6}) table.align[column] = Align::kLeft;
  for (const ArmFacts& f : facts.arms) {
    const bool grew = f.growing_epochs > 0;
    const PolicyOptions policy = policy_options(plan, *f.recipe);
    const int64_t window = policy.growth == Growth::convergent ? policy.interval : policy.window;
    const double minutes = f.macs / (6e10 * facts.giga_macs_per_second);
    table.rows.push_back(
        {f.recipe->arm, std::to_string(f.seed), name_of(f.recipe->family), f.recipe->label,
         grew ? std::to_string(policy.interval) : "–", grew ? std::to_string(window) : "–",
         depths_text(f.depths), grew && f.limited ? "yes" : "–",
         grew ? std::to_string(f.growing_epochs) : "–", std::to_string(f.epochs),
         format_number(f.macs / (f.scratch_epoch_macs * static_cast<double>(plan.schedule.scratch)), 2),
         facts.giga_macs_per_second > 0 ? format_number(minutes, 1) : "–", format_number(f.best, 2),
         format_number(f.validation, 2), format_number(f.test, 2), signed_number(delta_of(facts, f))});
  }
  return table;
}

Table published_table(const Plan& plan, const Facts& facts) {
  Table table;
  table.title = concat("Published, and measured on ", plan.problem->name, ", first seed");
  table.header = {"table",     "family", "data",       "",       "found",          "%",
                  "− scratch", "origin", "found here", "% here", "− scratch here", "arm"};
  table.align.assign(table.header.size(), Align::kLeft);
  for (size_t column : {5, 6, 9, 10}) table.align[column] = Align::kRight;
  for (const Published& p : published()) {
    const std::vector<const ArmFacts*> seeds = facts.seeds_of(p.arm);
    std::vector<std::string> cells = {p.table,
                                      p.family,
                                      p.data,
                                      p.what,
                                      p.found,
                                      format_number(p.accuracy, 2),
                                      signed_number(p.delta),
                                      p.net == p.delta_origin || std::isnan(p.delta)
                                          ? origin_tag(p.net)
                                          : concat(origin_tag(p.net), ", ", origin_tag(p.delta_origin))};
    if (!seeds.empty()) {
      const ArmFacts& f = *seeds.front();
      cells.insert(cells.end(), {depths_text(f.depths), format_number(f.test, 2),
                                 signed_number(delta_of(facts, f)), f.recipe->arm});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace tenon::autogrow
