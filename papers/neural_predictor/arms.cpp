#include "papers/neural_predictor/arms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "papers/experiment/claims.h"
#include "papers/experiment/progress.h"

namespace tenon::neural_predictor {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// One trial, cut down to what is kept of it.
struct Record {
  std::vector<double>
      curve;  // at recorded_trainings(), as far as the trial goes; NaN before it picks by plan
  std::vector<double> first;
  std::map<std::string, double> metrics;
  std::vector<std::pair<double, double>> scatter;
};

Record record_of(const Trial& trial, const Recipe& recipe, const Problem& problem) {
  Record record;
  record.metrics = trial.metrics;
  record.scatter = trial.scatter;
  const auto paid = static_cast<int64_t>(trial.picks.size());
  for (int64_t n : recorded_trainings()) {
    if (n > paid) break;
    // A predictor's first N trainings are random search.
    record.curve.push_back(
        uses_predictor(recipe.method) && n < recipe.samples ? NAN : trial.picks[static_cast<size_t>(n - 1)]);
  }
  if (recipe.method == Method::oracle) record.metrics["pick"] = trial.picks.back();
  for (double target : problem.targets) {
    const auto reached =
        std::find_if(trial.picks.begin(), trial.picks.end(), [&](double pick) { return pick >= target; });
    record.first.push_back(
        reached == trial.picks.end() ? kNever : static_cast<double>(reached - trial.picks.begin() + 1));
  }
  return record;
}

// JSON has no infinities and no NaN; null stands for them.
double real_or(const Json& value, double otherwise) { return value.is_null() ? otherwise : value.as_real(); }

std::vector<double> reals(const Json& array, double otherwise) {
  std::vector<double> out;
  for (const Json& item : array.items()) out.push_back(real_or(item, otherwise));
  return out;
}

Json points(const std::vector<std::pair<double, double>>& scatter) {
  constexpr double kPrecision = 1000;  // of a point on a chart
  Json out = Json::array();
  for (const auto& [truth, predicted] : scatter)
    out.push_back(Json::array(
        {std::round(kPrecision * truth) / kPrecision, std::round(kPrecision * predicted) / kPrecision}));
  return out;
}

std::vector<std::pair<double, double>> read_points(const Json& array) {
  std::vector<std::pair<double, double>> out;
  for (const Json& point : array.items()) out.emplace_back(point.at(0).as_real(), point.at(1).as_real());
  return out;
}

Json record_json(const Record& record) {
  Json metrics = Json::object();
  for (const auto& [name, value] : record.metrics) metrics[name] = value;
  return Json::object({{"curve", Json::array_of(record.curve)},
                       {"first", Json::array_of(record.first)},
                       {"metrics", metrics},
                       {"scatter", points(record.scatter)}});
}

Record read_record(const Json& line) {
  Record record;
  record.curve = reals(line.at("curve"), NAN);
  record.first = reals(line.at("first"), kNever);
  for (const auto& [name, value] : line.at("metrics").members()) record.metrics[name] = real_or(value, NAN);
  record.scatter = read_points(line.at("scatter"));
  return record;
}

Json summary_of(const std::vector<Record>& records) {
  Json trained = Json::array(), mean = Json::array(), deviation = Json::array(), first = Json::array();
  for (size_t i = 0; i < records.front().curve.size(); ++i) {
    std::map<int64_t, double> values;
    for (const Record& record : records) values[static_cast<int64_t>(values.size())] = record.curve[i];
    const experiment::SeedStatistics statistics = experiment::over_seeds(values);
    if (std::isnan(statistics.mean)) continue;
    trained.push_back(recorded_trainings()[i]);
    mean.push_back(statistics.mean);
    deviation.push_back(statistics.deviation);
  }
  for (size_t target = 0; target < records.front().first.size(); ++target) {
    Json trainings = Json::array();
    for (const Record& record : records) trainings.push_back(record.first[target]);
    first.push_back(std::move(trainings));
  }
  Json metrics = Json::object();
  for (const Record& record : records)
    for (const auto& [name, value] : record.metrics) metrics[name].push_back(value);
  return Json::object({{"runs", records.size()},
                       {"trained", trained},
                       {"mean", mean},
                       {"deviation", deviation},
                       {"first", first},
                       {"metrics", metrics},
                       {"scatter", points(records.front().scatter)}});
}

std::vector<Record> run_baselines(const Problem& problem, const Recipe& recipe, const Amounts& amounts,
                                  int64_t seed) {
  std::vector<Record> records(
      static_cast<size_t>(recipe.method == Method::oracle ? amounts.oracles : amounts.runs));
  parallel_for(static_cast<int64_t>(records.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t run = begin; run < end; ++run)
      records[static_cast<size_t>(run)] =
          record_of(run_baseline(problem, recipe, amounts, seed, run), recipe, problem);
  });
  return records;
}

std::vector<Record> run_repetitions(const Plan& plan, const Problem& problem, const Recipe& recipe,
                                    const Amounts& amounts, experiment::ArmRun& arm) {
  arm.rewind_log(std::numeric_limits<int64_t>::max());  // a line that a crash cut short
  std::vector<Record> records;
  for (const Json& line : plan.folder->read_log())
    if (line.at("arm").as_string() == recipe.arm && line.at("seed").as_integer() == arm.seed())
      records.push_back(read_record(line));
  auto done = static_cast<int64_t>(records.size());
  experiment::Progress progress(*plan.out, concat(recipe.arm, " seed ", arm.seed()), amounts.repetitions,
                                {.terminal = experiment::is_terminal(1), .already_done = done, .clock = {}});
  for (; done < amounts.repetitions; ++done) {
    const Trial trial = run_predictor(problem, recipe, amounts, plan.layout, plan.device, arm.seed(), done);
    records.push_back(record_of(trial, recipe, problem));
    Json line = Json::object({{"epoch", done + 1}});
    const Json record = record_json(records.back());
    for (const auto& [key, value] : record.members()) line[key] = value;
    arm.log(line);
    progress.update(done + 1, concat("test ", experiment::format_number(trial.picks.back(), 3), " %"));
  }
  progress.finish();
  return records;
}

}  // namespace

double ArmFacts::mean_at(int64_t n) const {
  const auto found = std::lower_bound(trained.begin(), trained.end(), n);
  return found == trained.end() || *found != n ? NAN : mean[static_cast<size_t>(found - trained.begin())];
}

double ArmFacts::deviation_at(int64_t n) const {
  const auto found = std::lower_bound(trained.begin(), trained.end(), n);
  return found == trained.end() || *found != n ? NAN
                                               : deviation[static_cast<size_t>(found - trained.begin())];
}

double ArmFacts::trainings_for(double accuracy) const {
  for (size_t i = 0; i < trained.size(); ++i)
    if (mean[i] >= accuracy) return static_cast<double>(trained[i]);
  return kNever;
}

double ArmFacts::metric(const std::string& name) const {
  const auto found = metrics.find(name);
  if (found == metrics.end()) return NAN;
  double sum = 0;
  for (double value : found->second) sum += value;
  return sum / static_cast<double>(found->second.size());
}

const std::vector<int64_t>& recorded_trainings() {
  static const std::vector<int64_t> all = [] {
    // Those of the tables, and a geometric series between them.
    std::set<int64_t> places = {43,  50,  86,  100, 143,  172,  182,  186,  200,  272,
                                344, 400, 444, 500, 1000, 2000, 5000, 5440, 10000};
    constexpr double kRatio = 1.05;
    for (double n = 10; n < 10000; n *= kRatio) places.insert(std::llround(n));
    return std::vector<int64_t>(places.begin(), places.end());
  }();
  return all;
}

void run_arm(const Plan& plan, const Recipe& recipe, int64_t seed) {
  experiment::ArmRun arm = plan.folder->arm(recipe.arm, seed);
  if (arm.finished()) return;
  const Problem& problem = plan.problems->at(recipe.benchmark);
  const Amounts amounts = amounts_of(plan.scale);
  arm.finish(summary_of(uses_predictor(recipe.method) ? run_repetitions(plan, problem, recipe, amounts, arm)
                                                      : run_baselines(problem, recipe, amounts, seed)));
}

ArmFacts facts_of(const Recipe& recipe, int64_t seed, const Json& result) {
  ArmFacts facts;
  facts.recipe = &recipe;
  facts.seed = seed;
  facts.runs = result.at("runs").as_integer();
  for (const Json& n : result.at("trained").items()) facts.trained.push_back(n.as_integer());
  facts.mean = reals(result.at("mean"), NAN);
  facts.deviation = reals(result.at("deviation"), NAN);
  for (const Json& target : result.at("first").items()) facts.first.push_back(reals(target, kNever));
  for (const auto& [name, values] : result.at("metrics").members()) facts.metrics[name] = reals(values, NAN);
  facts.scatter = read_points(result.at("scatter"));
  return facts;
}

}  // namespace tenon::neural_predictor
