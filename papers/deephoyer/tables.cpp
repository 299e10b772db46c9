// The tables of a run.
#include <cmath>

#include "papers/deephoyer/published.h"
#include "papers/deephoyer/report.h"

namespace tenon::deephoyer {
namespace {

using experiment::Align;
using experiment::format_number;
using experiment::Table;

double percent(double fraction) { return 100 * fraction; }

// "98.21" for one seed, "98.21 ± 0.04" for more.
std::string over_seeds(const Front& front, double (*figure)(const PointFacts&), int decimals) {
  std::map<int64_t, double> measured;
  for (const PointFacts* f : front.seeds) measured[f->seed] = figure(*f);
  const experiment::SeedStatistics s = experiment::over_seeds(measured);
  std::string text = format_number(s.mean, decimals);
  if (s.count > 1) text += " ± " + format_number(s.deviation, decimals);
  return text;
}

std::string accuracy_path(const Front& front) {
  std::string text = format_number(front.mean([](const PointFacts& f) { return percent(f.dense_test); }), 2);
  text += " → " + format_number(front.mean([](const PointFacts& f) { return percent(f.before_test); }), 2);
  text += " → " + format_number(front.mean([](const PointFacts& f) { return percent(f.cut_test); }), 2);
  return text + " → " +
         over_seeds(
             front, [](const PointFacts& f) { return percent(f.final_test); }, 2);
}

// Of the first seed: "3075 / 741 / 143".
std::string joined(const PointFacts& f, std::string (*part)(const LayerFacts&)) {
  std::string text;
  for (const LayerFacts& layer : f.layers) text += (text.empty() ? "" : " / ") + part(layer);
  return text;
}

// Does this point measure what the published row says?
bool compares(const Published& row, const Front& front) {
  return !row.arm_prefix.empty() && front.recipe->network == row.network &&
         front.recipe->arm.compare(0, row.arm_prefix.size(), row.arm_prefix) == 0;
}

const Front* beside(const Published& row, const std::vector<Front>& fronts) {
  const Front* best = nullptr;
  const Front* smallest = nullptr;
  for (const Front& front : fronts) {
    if (!compares(row, front)) continue;
    auto size = [&](const Front& f) { return row.structural ? f.macs() : f.density(); };
    if (smallest == nullptr || size(front) < size(*smallest)) smallest = &front;
    if (size(front) <= 2 * row.percent && (best == nullptr || front.validation() > best->validation()))
      best = &front;
  }
  return best != nullptr ? best : smallest;
}

// Residual networks have too many layers for a column of each.
Table residual_table(const Facts& facts) {
  Table table;
  table.title = "Every point";
  table.header = {"network",
                  "method",
                  "λ",
                  "cut",
                  "test accuracy % dense → before → cut → finetuned",
                  "λ × measure before the cut",
                  "weights %",
                  "channels of a stage: inside its blocks",
                  "MACs %",
                  "ms dense",
                  "ms shrunk",
                  "speed-up"};
  table.align.assign(table.header.size(), Align::kRight);
  for (int column : {0, 1, 3, 4, 7}) table.align[static_cast<size_t>(column)] = Align::kLeft;
  for (const Front& front : fronts_of(facts)) {
    const double dense_ms = front.mean([](const PointFacts& f) { return f.shrunk.dense_ms; });
    const double shrunk_ms = front.mean([](const PointFacts& f) { return f.shrunk.shrunk_ms; });
    table.rows.push_back({info_of(front.recipe->network).name, front.recipe->label,
                          front.recipe->penalty.lambda > 0 ? concat(front.recipe->penalty.lambda) : "–",
                          point_label(*front.recipe, front.point), accuracy_path(front),
                          format_number(front.mean([](const PointFacts& f) { return f.penalty_before; }), 3),
                          over_seeds(
                              front, [](const PointFacts& f) { return percent(f.density()); }, 1),
                          front.seeds.front()->shrunk.structure,
                          over_seeds(
                              front, [](const PointFacts& f) { return percent(f.mac_fraction()); }, 1),
                          format_number(dense_ms, 1), format_number(shrunk_ms, 1),
                          format_number(dense_ms / shrunk_ms, 2)});
  }
  return table;
}

}  // namespace

Table points_table(const Facts& facts, Family family) {
  if (family == Family::large) return residual_table(facts);
  Table table;
  table.title = "Every point";
  table.header = {"network",
                  "method",
                  "λ",
                  "cut",
                  "test accuracy % dense → before → cut → finetuned",
                  "weights %",
                  "×",
                  "non-zeros a layer",
                  "live rows/columns",
                  "structure",
                  "MACs %",
                  "ms dense",
                  "ms shrunk",
                  "speed-up",
                  "sparse speed-up, batch 128",
                  "batch 1"};
  table.align.assign(table.header.size(), Align::kRight);
  for (int column : {0, 1, 3, 4, 7, 8, 9}) table.align[static_cast<size_t>(column)] = Align::kLeft;
  for (const Front& front : fronts_of(facts)) {
    const PointFacts& first = *front.seeds.front();
    const double dense_ms = front.mean([](const PointFacts& f) { return f.shrunk.dense_ms; });
    const double shrunk_ms = front.mean([](const PointFacts& f) { return f.shrunk.shrunk_ms; });
    table.rows.push_back(
        {info_of(front.recipe->network).name, front.recipe->label,
         front.recipe->penalty.lambda > 0 ? concat(front.recipe->penalty.lambda) : "–",
         point_label(*front.recipe, front.point), accuracy_path(front),
         over_seeds(
             front, [](const PointFacts& f) { return percent(f.density()); }, 2),
         format_number(100 / front.density(), 1),
         joined(first, [](const LayerFacts& l) { return std::to_string(l.nonzero); }),
         joined(first, [](const LayerFacts& l) { return concat(l.live_rows, "×", l.live_columns); }),
         first.shrunk.structure,
         over_seeds(
             front, [](const PointFacts& f) { return percent(f.mac_fraction()); }, 2),
         format_number(dense_ms, 3), format_number(shrunk_ms, 3), format_number(dense_ms / shrunk_ms, 1),
         format_number(front.mean([](const PointFacts& f) { return f.sparse.batch_128.speed_up(); }), 1),
         format_number(front.mean([](const PointFacts& f) { return f.sparse.batch_1.speed_up(); }), 1)});
  }
  return table;
}

Table published_table(const Facts& facts, const std::string& data_set) {
  Table table;
  table.title = "Published and measured";
  table.header = {"network", "kind",   "method", "published % on MNIST",
                  "size %",  "detail", "origin", concat("measured % on ", data_set),
                  "size %",  "detail", "arm"};
  const std::vector<Front> fronts = fronts_of(facts);
  for (const Published& row : published()) {
    std::vector<std::string> cells = {
        info_of(row.network).name,      row.structural ? "MACs" : "weights", row.method,
        format_number(row.accuracy, 2), format_number(row.percent, 2),       row.detail,
        origin_tag(row.origin)};
    if (const Front* front = beside(row, fronts)) {
      const PointFacts& first = *front->seeds.front();
      cells.push_back(over_seeds(
          *front, [](const PointFacts& f) { return percent(f.final_test); }, 2));
      cells.push_back(format_number(row.structural ? front->macs() : front->density(), 2));
      cells.push_back(row.structural ? first.shrunk.structure : joined(first, [](const LayerFacts& l) {
        return std::to_string(l.nonzero);
      }));
      cells.push_back(concat(front->recipe->arm, ", ", point_label(*front->recipe, front->point)));
    } else {
      cells.insert(cells.end(), {"–", "–", "", "not run"});
    }
    table.rows.push_back(std::move(cells));
  }
  table.align.assign(table.header.size(), Align::kLeft);
  for (int column : {3, 4, 7, 8}) table.align[static_cast<size_t>(column)] = Align::kRight;
  return table;
}

}  // namespace tenon::deephoyer
