// The tables of a run.
#include <cmath>
#include <functional>
#include <limits>

#include "papers/joint_pruning/published.h"
#include "papers/joint_pruning/report.h"

namespace tenon::joint_pruning {
namespace {

using experiment::Align;
using experiment::format_number;
using experiment::Table;
using Figure = std::function<double(const ArmFacts&)>;

double percent(double fraction) { return 100 * fraction; }

// "98.21" for one seed, "98.21 ± 0.04" for more.
std::string over_seeds(const std::vector<const ArmFacts*>& seeds, const Figure& figure, int decimals = 2) {
  std::map<int64_t, double> measured;
  for (const ArmFacts* f : seeds) measured[f->seed] = figure(*f);
  const experiment::SeedStatistics s = experiment::over_seeds(measured);
  std::string text = format_number(s.mean, decimals);
  if (s.count > 1) text += " ± " + format_number(s.deviation, decimals);
  return text;
}

std::string rates_text(const std::vector<double>& rates) {
  std::string text;
  for (size_t i = 0; i < rates.size() && i < 6; ++i) text += concat(i == 0 ? "" : " / ", 100 * rates[i]);
  return text.empty() ? "–" : text + (rates.size() > 6 ? " / …" : "");
}

Table right_aligned(const std::string& title, const std::vector<std::string>& header, size_t left) {
  Table table;
  table.title = title;
  table.header = header;
  table.align.assign(header.size(), Align::kRight);
  for (size_t i = 0; i < left; ++i) table.align[i] = Align::kLeft;
  return table;
}

// Layers of a published unit: "unit 2" is all that is called unit2..., others are called alike.
NetCount part_of(const NetCount& count, const std::string& name) {
  NetCount part;
  const bool unit = name.rfind("unit ", 0) == 0;
  const std::string prefix = unit ? "unit" + name.substr(5) + "." : name;
  for (const LayerCount& layer : count.layers)
    if (unit ? layer.name.rfind(prefix, 0) == 0 : layer.name == name) part.layers.push_back(layer);
  return part;
}

double last_outgoing(const NetCount& part) { return part.layers.back().outgoing; }

}  // namespace

Table arms_table(const Facts& facts) {
  Table table = right_aligned("Every arm",
                              {"network", "method", "winner rates %", "test % stage A → masks on → final",
                               "validation %", "weights %", "acti %", "MAC % product", "MAC % pairs"},
                              4);
  std::string last;
  for (const ArmFacts& f : facts.arms) {
    if (f.recipe->arm == last) continue;
    last = f.recipe->arm;
    const std::vector<const ArmFacts*> seeds = facts.seeds_of(last);
    const auto test = [&](Accuracy ArmFacts::*stage) {
      return over_seeds(seeds, [stage](const ArmFacts& a) { return percent((a.*stage).test); });
    };
    table.rows.push_back(
        {name_of(f.recipe->network), f.recipe->label, rates_text(f.rates),
         concat(test(&ArmFacts::stage_a), " → ", test(&ArmFacts::switched), " → ", test(&ArmFacts::final)),
         over_seeds(seeds, [](const ArmFacts& a) { return percent(a.final.validation); }),
         over_seeds(seeds, [](const ArmFacts& a) { return percent(a.count.weight_share()); }),
         over_seeds(seeds, [](const ArmFacts& a) { return percent(a.count.activation_share()); }),
         over_seeds(seeds, [](const ArmFacts& a) { return percent(a.count.product_share()); }),
         over_seeds(seeds, [](const ArmFacts& a) { return percent(a.count.pair_share()); })});
  }
  return table;
}

Table layers_table(const Facts& facts) {
  Table table = right_aligned("Layer by layer, first seed",
                              {"arm", "layer", "weights", "dense MACs", "weights %", "acti % dense",
                               "acti % WP", "acti %", "MAC % product", "MAC % pairs"},
                              2);
  for (const ArmFacts& f : facts.arms) {
    if (f.recipe->method == Method::dense || f.seed != facts.arms.front().seed) continue;
    const ArmFacts *dense = facts.dense_of(f), *wp = facts.weights_of(f);
    const auto outgoing = [](const ArmFacts* of, size_t i) {
      return of == nullptr ? std::string("–") : format_number(percent(of->count.layers[i].outgoing), 1);
    };
    const bool large = f.count.layers.size() > 10;
    for (size_t i = 0; i < f.count.layers.size() && !large; ++i) {
      const LayerCount& l = f.count.layers[i];
      table.rows.push_back({i == 0 ? f.recipe->arm : "", l.name, std::to_string(l.weights),
                            format_number(l.dense_macs, 0), format_number(percent(l.weight_share()), 1),
                            outgoing(dense, i), outgoing(wp, i), format_number(percent(l.outgoing), 1),
                            format_number(percent(l.product_share()), 2),
                            format_number(percent(l.pair_share()), 2)});
    }
  }
  return table;
}

Table published_table(const Facts& facts, const std::string& data_set) {
  Table table = right_aligned(concat("Published (IP) → measured here on ", data_set, ", first seed"),
                              {"network", "layer", "weights %", "acti %",
                               "MAC %, pairs for MLP-3, product as published else", "accuracy %"},
                              2);
  for (const Published& p : published()) {
    const std::vector<const ArmFacts*> seeds = facts.seeds_of(p.arm);
    const ArmFacts* f = seeds.empty() ? nullptr : seeds.front();
    const bool by_pairs = p.network == Network::mlp3;
    const auto both = [&](double printed, double measured) {
      return concat(printed, f == nullptr ? std::string(" → –") : " → " + format_number(measured, 2));
    };
    bool first = true;
    const auto row = [&](const PublishedLayer& l, const NetCount* part, const std::string& accuracy) {
      const bool there = part != nullptr && !part->layers.empty();
      const double nan = std::numeric_limits<double>::quiet_NaN();
      const bool total = l.name == "total";
      table.rows.push_back(
          {first ? name_of(p.network) : "", l.name,
           both(l.weights, there ? percent(part->weight_share()) : nan),
           both(l.activations,
                there ? percent(total ? part->activation_share() : last_outgoing(*part)) : nan),
           both(l.macs,
                there ? percent(by_pairs ? part->pair_share() : part->published_product_share()) : nan),
           accuracy});
      first = false;
    };
    for (const PublishedLayer& l : p.layers) {
      const NetCount part = f == nullptr ? NetCount() : part_of(f->count, l.name);
      row(l, &part, "");
    }
    const ArmFacts* dense = f == nullptr ? nullptr : facts.dense_of(*f);
    row(p.total, f == nullptr ? nullptr : &f->count,
        concat(p.dense_accuracy, " → ", p.accuracy,
               dense == nullptr
                   ? ""
                   : concat("; here ", format_number(dense->test(), 2), " → ", format_number(f->test(), 2))));
  }
  return table;
}

Table latency_table(const std::vector<Latency>& latencies) {
  Table table = right_aligned("Microseconds, one thread, medians of alternating runs; selection included",
                              {"arm", "batch", "dense", "WP, sparse", "WP, skipping", "JP", "first mask",
                               "dense / JP", "WP sparse / JP", "kernels of JP"},
                              1);
  table.align.back() = Align::kLeft;
  for (const Latency& l : latencies)
    for (const Times& t : l.times)
      table.rows.push_back({l.facts->recipe->arm, std::to_string(t.batch), format_number(t.dense, 1),
                            format_number(t.weight_only, 1), format_number(t.weight_skip, 1),
                            format_number(t.joint, 1), format_number(t.selection, 1),
                            format_number(t.dense / t.joint, 2) + "×",
                            format_number(t.weight_only / t.joint, 2) + "×", t.kernels});
  return table;
}

Table curves_table(const Facts& facts) {
  Table table = right_aligned("Accuracy % on validation images over the rate", {"arm", "curve"}, 2);
  for (double rate : rate_grid()) table.header.push_back(concat(100 * rate, " %"));
  table.align.resize(table.header.size(), Align::kRight);
  const auto row = [&](const std::string& arm, const std::string& what, const Curve& curve) {
    std::vector<std::string> cells = {arm, what};
    for (double accuracy : curve.accuracy) cells.push_back(format_number(percent(accuracy), 2));
    table.rows.push_back(std::move(cells));
  };
  for (const ArmFacts& f : facts.arms) {
    if (f.seed != facts.arms.front().seed || f.sensitivity.size() > 6) continue;
    for (size_t i = 0; i < f.sensitivity.size(); ++i)
      row(f.recipe->arm, concat("mask ", i + 1, " alone, chosen ", 100 * f.chosen_rates[i], " %"),
          f.sensitivity[i]);
    for (const auto& [rule, curve] : f.rules) row(f.recipe->arm, concat("all masks, ", rule), curve);
  }
  return table;
}

}  // namespace tenon::joint_pruning
