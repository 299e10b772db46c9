#include <cmath>

#include "papers/svd_training/published.h"
#include "papers/svd_training/report.h"

namespace tenon::svd_training {
namespace {

using experiment::Align;
using experiment::format_number;
using experiment::Table;

std::string percent(double fraction) { return std::isnan(fraction) ? "–" : format_number(100 * fraction, 2); }
std::string number_or_dash(double value, int decimals) {
  return value > 0 && std::isfinite(value) ? format_number(value, decimals) : "–";
}
std::string scheme_of(const Recipe& r) {
  return r.method == Method::dense || r.method == Method::filters ? "–" : name_of(r.scheme);
}
std::string lambda_of(double lambda) { return lambda > 0 ? concat(lambda) : "–"; }

Table table_of(const char* title, std::vector<std::string> header, int left_columns) {
  Table table;
  table.title = title;
  table.header = std::move(header);
  table.align.assign(table.header.size(), Align::kRight);
  for (int i = 0; i < left_columns; ++i) table.align[static_cast<size_t>(i)] = Align::kLeft;
  return table;
}

const ArmFacts* arm_of(const Facts& facts, const PointFacts& point) {
  for (const ArmFacts& f : facts.arms)
    if (f.recipe == point.recipe && f.seed == point.seed) return &f;
  return nullptr;
}

}  // namespace

Table points_table(const Plan& plan, const Facts& facts) {
  Table table = table_of("Every point",
                         {"scheme",      "method",        "seed",         "λ_s",       "λ_o",
                          "point",       "Σ rank / full", "rank a layer", "params k",  "MACs M",
                          "speed-up",    "stage 1 %",     "stage 2 %",    "pruned %",  "new statistics %",
                          "finetuned %", "orth. error",   "|s| vs σ",     "wall b1 ×", "wall b32 ×",
                          "wall b128 ×", "epochs"},
                         2);
  for (const PointFacts& f : facts.points) {
    std::string ranks;
    for (int64_t r : f.ranks) ranks += concat(ranks.empty() ? "" : " ", r);
    const ArmFacts* arm = arm_of(facts, f);
    table.rows.push_back({scheme_of(*f.recipe),
                          f.recipe->label,
                          concat(f.seed),
                          lambda_of(f.recipe->lambda_s),
                          lambda_of(f.recipe->lambda_o),
                          point_label(*f.recipe, f.point),
                          f.ranks.empty() ? "–" : concat(f.rank, " / ", f.full_rank),
                          ranks.empty() ? "–" : ranks,
                          format_number(static_cast<double>(f.parameters) / 1e3, 1),
                          format_number(static_cast<double>(f.macs) / 1e6, 3),
                          format_number(f.speed_up(), 2),
                          percent(f.stage1.test),
                          percent(f.stage2.test),
                          percent(f.raw.test),
                          percent(f.estimated.test),
                          percent(f.final.test),
                          number_or_dash(arm == nullptr ? 0 : arm->orthogonality_rms, 3),
                          number_or_dash(arm == nullptr ? 0 : arm->spectrum_error, 3),
                          number_or_dash(f.batch_1.ratio(), 2),
                          number_or_dash(f.batch_32.ratio(), 2),
                          number_or_dash(f.batch_128.ratio(), 2),
                          concat(total_epochs(plan, *f.recipe))});
  }
  return table;
}

Table arms_table(const Plan& plan, const Facts& facts) {
  Table table = table_of("Before pruning",
                         {"arm", "method", "seed", "test accuracy %", "Σ rank at 99 % / full", "ΣL_o",
                          "orth. error", "|s| vs σ", "spread of |∂u|", "SVDs in epochs", "epochs"},
                         2);
  for (const ArmFacts& f : facts.arms) {
    if (std::isnan(f.before.test)) continue;
    const bool factored = f.full_rank > 0;
    const int64_t epochs = f.recipe->method == Method::sparsified
                               ? total_epochs(plan, *f.recipe) - plan.task.schedule.finetune
                               : total_epochs(plan, *f.recipe);
    table.rows.push_back({f.recipe->arm, f.recipe->label, concat(f.seed), percent(f.before.test),
                          factored ? concat(f.rank_99, " / ", f.full_rank) : "–",
                          factored ? format_number(f.orthogonality, 4) : "–",
                          factored ? format_number(f.orthogonality_rms, 3) : "–",
                          factored ? format_number(f.spectrum_error, 3) : "–",
                          number_or_dash(f.gradient_ratio, 1), concat(f.svd_calls), concat(epochs)});
  }
  return table;
}

Table curve_table(const Facts& facts) {
  Table table = table_of(
      "Pruned, not finetuned",
      {"arm", "seed", "e", "energy lost / e", "Σ rank", "speed-up", "points lost", "with new statistics"}, 1);
  for (const ArmFacts& f : facts.arms)
    for (const CurvePoint& at : f.curve)
      table.rows.push_back(
          {f.recipe->arm, concat(f.seed), concat(at.e), format_number(at.energy_lost / at.e, 2),
           concat(at.rank),
           format_number(static_cast<double>(f.dense_macs) / static_cast<double>(at.macs), 2),
           format_number(100 * (f.before.test - at.raw.test), 2),
           format_number(100 * (f.before.test - at.estimated.test), 2)});
  return table;
}

Table steps_table(const Facts& facts) {
  Table table = table_of("A training step, ms",
                         {"scheme", "dense", "recomposed", "pair", "cheaper a layer", "penalties",
                          "factor algebra", "recomposed / dense", "share %"},
                         1);
  for (const StepFacts& f : facts.steps)
    table.rows.push_back({name_of(f.scheme), format_number(f.dense_ms, 2), format_number(f.recomposed_ms, 2),
                          format_number(f.pair_ms, 2), format_number(f.cheaper_ms, 2),
                          format_number(f.penalty_ms, 3), format_number(f.algebra_ms, 3),
                          format_number(f.recomposed_ms / f.dense_ms, 3),
                          format_number(100 * (f.penalty_ms + f.algebra_ms) / f.recomposed_ms, 2)});
  return table;
}

Table published_table() {
  Table table = table_of(
      "Published",
      {"network", "data", "method", "full %", "compressed %", "FLOPs cut %", "speed-up", "origin"}, 3);
  for (const Published& row : published())
    table.rows.push_back(
        {row.network, row.data, row.method, row.before, row.after, number_or_dash(row.macs_cut, 1),
         row.macs_cut > 0 ? format_number(100 / (100 - row.macs_cut), 2) : "–", origin_tag(row.origin)});
  return table;
}

std::string epochs_csv(const Study& study, const std::vector<Json>& log) {
  std::string out =
      "arm,seed,epoch,stage,lr,cross_entropy,sparsity_term,orthogonality_term,rank_90,rank_99,rank_999,"
      "validation\n";
  for (const Json& line : log) {
    const Recipe& recipe = study.recipe(line.at("arm").as_string());
    const bool stage2 = line.at("stage").as_string() == "stage2";
    auto member = [&](const char* name, double scale) {
      const Json* found = line.find(name);
      return found == nullptr ? std::string() : concat(scale * found->as_real());
    };
    out += concat(recipe.arm, ",", line.at("seed").as_integer(), ",", line.at("epoch").as_integer(), ",",
                  line.at("stage").as_string(), ",", member("lr", 1), ",", member("loss", 1), ",",
                  member("sparsity", stage2 ? recipe.lambda_s : 0), ",",
                  member("orthogonality", recipe.lambda_o), ",", member("rank_90", 1), ",",
                  member("rank_99", 1), ",", member("rank_999", 1), ",", member("validation", 1), "\n");
  }
  return out;
}

}  // namespace tenon::svd_training
