#include "papers/joint_pruning/facts.h"

#include <cmath>
#include <limits>

namespace tenon::joint_pruning {
namespace {

Accuracy accuracy_of(const Json& result, const char* stage) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Json* found = result.find(stage);
  if (found == nullptr) return {nan, nan};
  return {found->at("validation").as_real(), found->at("test").as_real()};
}

std::vector<double> reals(const Json& list) {
  std::vector<double> out;
  for (const Json& x : list.items()) out.push_back(x.as_real());
  return out;
}

Curve curve_of(const Json& json) { return {reals(json.at("rates")), reals(json.at("accuracy"))}; }

ArmFacts facts_of(const Recipe& recipe, int64_t seed, const Json& result) {
  ArmFacts f;
  f.recipe = &recipe;
  f.seed = seed;
  f.stage_a = accuracy_of(result, "stage_a");
  f.switched = accuracy_of(result, "switched");
  f.final = accuracy_of(result, "final");
  f.count = count_from(result.at("count"));
  if (const Json* rates = result.find("rates")) f.rates = reals(*rates);
  if (const Json* sampled = result.find("sampled")) f.sampled = curve_of(*sampled);
  if (const Json* rules = result.find("rules"))
    for (const JsonMember& rule : rules->members()) f.rules[rule.key] = curve_of(rule.value);
  if (const Json* curves = result.find("sensitivity")) {
    for (const Json& curve : curves->items()) f.sensitivity.push_back(curve_of(curve));
    f.chosen_rates = reals(result.at("chosen_rates"));
  }
  return f;
}

}  // namespace

double ArmFacts::hidden_density() const {
  double live = 0, all = 0;
  for (size_t i = 0; i + 1 < count.layers.size(); ++i) {
    live += count.layers[i].outgoing * static_cast<double>(count.layers[i].outputs);
    all += static_cast<double>(count.layers[i].outputs);
  }
  return live / all;
}

const ArmFacts* Facts::find(const std::string& arm, int64_t seed) const {
  for (const ArmFacts& facts : arms)
    if (facts.recipe->arm == arm && facts.seed == seed) return &facts;
  return nullptr;
}

std::vector<const ArmFacts*> Facts::seeds_of(const std::string& arm) const {
  std::vector<const ArmFacts*> out;
  for (const ArmFacts& facts : arms)
    if (facts.recipe->arm == arm) out.push_back(&facts);
  return out;
}

const ArmFacts* Facts::dense_of(const ArmFacts& facts) const {
  return find(dense_recipe(facts.recipe->network).arm, facts.seed);
}

const ArmFacts* Facts::weights_of(const ArmFacts& facts) const {
  return find(weights_recipe(facts.recipe->network).arm, facts.seed);
}

Facts gather_facts(experiment::RunFolder& folder, const std::vector<std::string>& arms,
                   const std::vector<int64_t>& seeds) {
  Facts facts;
  for (const std::string& name : arms)
    for (int64_t seed : seeds) {
      experiment::ArmRun arm = folder.arm(name, seed);
      if (arm.finished()) facts.arms.push_back(facts_of(recipe_of(name), seed, arm.result()));
    }
  return facts;
}

double at_rate(const Curve& curve, double rate) {
  for (size_t i = 0; i < curve.rates.size(); ++i)
    if (std::fabs(curve.rates[i] - rate) < 1e-9) return 100 * curve.accuracy[i];
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace tenon::joint_pruning
