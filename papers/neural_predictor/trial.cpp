#include "papers/neural_predictor/trial.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "papers/neural_predictor/metrics.h"
#include "papers/neural_predictor/symmetry.h"

namespace tenon::neural_predictor {
namespace {

using Rows = std::vector<int64_t>;
using Values = std::vector<double>;

// The random streams of one run. The same number is the same stream for every method.
enum class Stream : uint64_t {
  members = 1,
  noise,
  search,
  network,
  order,
  classifier,
  classifier_order,
  symmetry
};

Generator generator_of(int64_t seed, int64_t run, Stream stream) {
  constexpr uint64_t kRuns = uint64_t{1} << 20;
  return Generator(static_cast<uint64_t>(seed) * kRuns + static_cast<uint64_t>(run),
                   static_cast<uint64_t>(stream));
}

// Predictions about the candidates.
struct Prediction {
  Values accuracy;  // %
  Values score;     // by which they are ranked
  std::map<std::string, double> metrics;
};

Values chosen(const Values& values, const Rows& rows) {
  Values out;
  for (int64_t row : rows) out.push_back(values[static_cast<size_t>(row)]);
  return out;
}

class PredictorRun {
 public:
  PredictorRun(const Problem& problem, const Recipe& recipe, const Amounts& amounts, Layout layout,
               Device device, int64_t seed, int64_t repetition)
      : problem_(problem),
        recipe_(recipe),
        amounts_(amounts),
        device_(device),
        seed_(seed),
        repetition_(repetition),
        encode_{.layout = recipe.network == Network::graph ? layout : Layout::dense, .edges = recipe.edges},
        table_(problem.accuracies(recipe.signal)),
        ledger_(table_, generator(Stream::noise)) {}

  Trial run() {
    Generator members = generator(Stream::members);
    const Rows order = random_permutation(ledger_.members(), members).to_vector<int64_t>();
    samples_.assign(order.begin(), order.begin() + recipe_.samples);
    const int64_t left = ledger_.members() - recipe_.samples;
    const int64_t count = amounts_.candidates > 0 ? std::min(amounts_.candidates, left) : left;
    candidates_.assign(order.begin() + recipe_.samples, order.begin() + recipe_.samples + count);
    for (int64_t row : samples_) ledger_.pay(row);

    const Prediction prediction = recipe_.method == Method::cascade ? cascade() : one_network();
    const Rows ranked = rank(prediction.score);
    const int64_t tried = std::min<int64_t>(amounts_.most_trained - recipe_.samples, count);
    for (int64_t i = 0; i < tried; ++i)
      ledger_.pay(candidates_[static_cast<size_t>(ranked[static_cast<size_t>(i)])]);

    Trial trial;
    trial.metrics = prediction.metrics;
    measure(prediction, trial.metrics);
    trial.metrics["unpaid"] = static_cast<double>(ledger_.paid() - recipe_.samples - tried);
    trial.scatter = scatter(prediction, ranked);
    trial.picks = ledger_.picks();
    return trial;
  }

 private:
  Generator generator(Stream stream) const { return generator_of(seed_, repetition_, stream); }

  Values paid(const Rows& rows) const {
    Values out;
    for (int64_t row : rows) out.push_back(ledger_.validation(row));
    return out;
  }

  PredictorOptions network() const {
    return {
        .labels = problem_.graphs.labels(), .width = width_for(recipe_.samples), .layers = recipe_.layers};
  }

  // The candidates' accuracies by a network trained on these rows.
  Values regress(const Rows& rows, double first_bias, std::map<std::string, double>& metrics) {
    PredictorOptions options = network();
    options.first_bias = first_bias;
    Generator random = generator(Stream::network), order = generator(Stream::order);
    const std::shared_ptr<GraphModule> made =
        make_network(recipe_.network, options, problem_.graphs.padded(), random);
    GraphModule& net = *made;
    net.to(device_);
    fit(net, problem_.graphs, rows, paid(rows), {.epochs = amounts_.epochs, .encode = encode_}, order);
    const std::vector<float> logits = predict(net, problem_.graphs, candidates_, encode_);
    if (device_.is_cpu()) add_symmetry(net, metrics);
    Values accuracies;
    for (float logit : logits) accuracies.push_back(accuracy_of(double{logit}));
    return accuracies;
  }

  void add_symmetry(GraphModule& net, std::map<std::string, double>& metrics) const {
    if (recipe_.edges != Edges::directed || recipe_.network != Network::graph) return;
    constexpr size_t kLookedAt = 50;
    Generator random = generator(Stream::symmetry);
    const Symmetry symmetry = symmetry_of(
        net, problem_.graphs, std::span(candidates_).first(std::min(kLookedAt, candidates_.size())), random);
    metrics["permuted"] = symmetry.permuted;
    metrics["padded"] = symmetry.padded;
    metrics["linked"] = symmetry.linked;
    metrics["reversed"] = symmetry.reversed;
  }

  Prediction one_network() {
    Prediction prediction;
    prediction.accuracy = regress(samples_, 0, prediction.metrics);
    prediction.score = prediction.accuracy;
    return prediction;
  }

  // First a classifier of good members, on all N; then a network on the good ones alone, whose head begins at their
  // mean. What the classifier passes is ranked by the second network, and stands before the rest.
  Prediction cascade() {
    Generator random = generator(Stream::classifier), order = generator(Stream::classifier_order);
    Predictor classifier(network(), random);
    classifier.to(device_);
    const Values known = paid(samples_);
    Values labels;
    Rows good;
    double sum = 0;
    for (size_t i = 0; i < samples_.size(); ++i) {
      labels.push_back(known[i] > kGood ? 1 : 0);
      if (known[i] <= kGood) continue;
      good.push_back(samples_[i]);
      sum += known[i];
    }
    constexpr double kClassifierRate = 2e-4;
    fit(classifier, problem_.graphs, samples_, labels,
        {.target = Target::above, .epochs = amounts_.epochs, .lr = kClassifierRate, .encode = encode_},
        order);
    const std::vector<float> passes = predict(classifier, problem_.graphs, candidates_, encode_);

    Prediction prediction;
    prediction.accuracy = regress(good, logit_of(sum / static_cast<double>(good.size())), prediction.metrics);
    for (size_t i = 0; i < passes.size(); ++i)  // 1 / (1 + e^-z) < 1, so the rest stays behind
      prediction.score.push_back(passes[i] > 0 ? prediction.accuracy[i]
                                               : -1 / (1 + std::exp(double{passes[i]})));
    measure_classifier(passes, prediction);
    return prediction;
  }

  void measure_classifier(const std::vector<float>& passes, Prediction& prediction) const {
    constexpr double kBest = 94;
    const Values truth = chosen(problem_.test, candidates_);
    double right = 0, best = 0, best_passed = 0;
    Values passed_truth, passed_accuracy;
    for (size_t i = 0; i < passes.size(); ++i) {
      const bool passed = passes[i] > 0;
      right += passed == (truth[i] > kGood);
      if (truth[i] >= kBest) best += 1, best_passed += passed;
      if (!passed) continue;
      passed_truth.push_back(truth[i]);
      passed_accuracy.push_back(prediction.accuracy[i]);
    }
    prediction.metrics["classifier"] = right / static_cast<double>(passes.size());
    prediction.metrics["recall-94"] = best > 0 ? best_passed / best : NAN;
    prediction.metrics["tau-passed"] = kendall_tau(passed_truth, passed_accuracy);
  }

  void measure(const Prediction& prediction, std::map<std::string, double>& metrics) const {
    const Values truth = chosen(problem_.test, candidates_);
    metrics["mse"] = mean_squared_error(truth, prediction.accuracy, 0);
    metrics["mse-80"] = mean_squared_error(truth, prediction.accuracy, 80);
    metrics["mse-91"] = mean_squared_error(truth, prediction.accuracy, 91);
    metrics["tau"] = kendall_tau(truth, prediction.score);
    metrics["precision"] = precision_at(truth, prediction.score, std::min<size_t>(100, truth.size()), 0.001);
  }

  // Places among the candidates, the highest score first, the first of equals first.
  Rows rank(const Values& score) const {
    Rows places(score.size());
    std::iota(places.begin(), places.end(), 0);
    std::sort(places.begin(), places.end(), [&](int64_t a, int64_t b) {
      const double x = score[static_cast<size_t>(a)], y = score[static_cast<size_t>(b)];
      return x != y ? x > y : a < b;
    });
    return places;
  }

  // The candidates are in random order, so the first ones are a sample.
  std::vector<std::pair<double, double>> scatter(const Prediction& prediction, const Rows& ranked) const {
    constexpr size_t kSample = 400, kTop = 100;
    std::vector<std::pair<double, double>> points;
    const auto add = [&](size_t place) {
      points.emplace_back(problem_.test[static_cast<size_t>(candidates_[place])], prediction.accuracy[place]);
    };
    for (size_t i = 0; i < std::min(kSample, ranked.size()); ++i) add(i);
    for (size_t i = 0; i < std::min(kTop, ranked.size()); ++i) add(static_cast<size_t>(ranked[i]));
    return points;
  }

  const Problem& problem_;
  const Recipe& recipe_;
  const Amounts& amounts_;
  Device device_;
  int64_t seed_, repetition_;
  EncodeOptions encode_;
  Accuracies table_;
  Ledger ledger_;
  Rows samples_, candidates_;
};

}  // namespace

Trial run_baseline(const Problem& problem, const Recipe& recipe, const Amounts& amounts, int64_t seed,
                   int64_t run) {
  const Accuracies table = problem.accuracies(recipe.signal);
  Ledger ledger(table, generator_of(seed, run, Stream::noise));
  Generator generator = generator_of(seed, run, Stream::search);
  switch (recipe.method) {
    case Method::rejection:
      random_search(ledger, *problem.space, amounts.trainings, generator);
      break;
    case Method::uniform:
      random_search_uniform(ledger, amounts.trainings, generator);
      break;
    case Method::evolution:
      evolve(ledger, *problem.space, recipe.evolution, amounts.trainings, generator);
      break;
    case Method::oracle:
      for (int64_t row = 0; row < ledger.members(); ++row) ledger.pay(row);
      break;
    case Method::predictor:
    case Method::cascade:
      fail("run_baseline: ", recipe.arm, " is no baseline");
  }
  Trial trial;
  trial.picks = ledger.picks();
  return trial;
}

Trial run_predictor(const Problem& problem, const Recipe& recipe, const Amounts& amounts, Layout layout,
                    Device device, int64_t seed, int64_t repetition) {
  TENON_CHECK(uses_predictor(recipe.method), "run_predictor: ", recipe.arm, " has no predictor");
  return PredictorRun(problem, recipe, amounts, layout, device, seed, repetition).run();
}

}  // namespace tenon::neural_predictor
