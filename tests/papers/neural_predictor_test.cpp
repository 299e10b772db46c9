// The predictor and the searches: what a prediction must not depend on, what is paid, what is drawn; and a killed run
// that goes on to the same bits.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <numeric>

#include "autograd/ops/elementwise.h"
#include "core/error.h"
#include "core/parallel.h"
#include "nn/loss.h"
#include "papers/neural_predictor/cell_table.h"
#include "papers/neural_predictor/judgement.h"
#include "papers/neural_predictor/metrics.h"
#include "papers/neural_predictor/published.h"
#include "papers/neural_predictor/symmetry.h"
#include "tests/papers/killed_run.h"
#include "tests/seed.h"
#include "tests/temporary_folder.h"

namespace tenon::neural_predictor {
namespace {

using Rows = std::vector<int64_t>;
using Values = std::vector<double>;
using test::TemporaryFolder;

const CellSpace& small_cells() {
  static const CellSpace cells(5);
  return cells;
}

Rows first_rows(int64_t count, int64_t from = 0) {
  Rows rows(static_cast<size_t>(count));
  std::iota(rows.begin(), rows.end(), from);
  return rows;
}

// An accuracy that depends on the graph alone: more convolutions and more edges are better.
Values made_up_accuracies(const CellSpace& cells) {
  Values out;
  for (const Cell& cell : cells.cells()) {
    double accuracy = 83 + std::popcount(cell.edges);
    for (int v = 1; v < cell.vertices - 1; ++v) accuracy += cell.operation(v) == Operation::conv3x3 ? 1.5 : 0;
    out.push_back(accuracy);
  }
  return out;
}

Problem made_up_problem() {
  const Values accuracies = made_up_accuracies(small_cells());
  return {.name = "made up",
          .description = "cells of up to five vertices",
          .graphs = graphs_of(small_cells().cells()),
          .cells = nullptr,
          .space = tuple_search_space(7, 3, first_rows(2187)),  // of the 2,532
          .validation = accuracies,
          .test = accuracies,
          .targets = {90, 93},
          .wrong_parameters = 0};
}

// Two baselines and two predictors, at smoke scale.
void run_in(const std::filesystem::path& path, int threads) {
  test::train_in(path, threads, [](experiment::RunFolder& folder, std::ostream& progress) {
    Problems problems;
    problems.emplace(Benchmark::nasbench101, made_up_problem());
    const Plan plan{&problems, &folder, experiment::Scale::kSmoke, &progress};
    for (const char* arm : {"random", "evolution-noisy", "one-stage", "two-stage-noisy"})
      run_arm(plan, recipe_of(arm), 7);
  });
}

}  // namespace

TEST_CASE("neural predictor: parameters, and the layer as the paper has it") {
  Generator random(1);
  Predictor net({}, random);
  CHECK(net.parameter_count() == 103073);
  CHECK(accuracy_of(0.0) == 55);
  CHECK(accuracy_of(logit_of(93.5)) == doctest::Approx(93.5));
  CHECK_THROWS_AS(logit_of(100), Error);

  // One layer by hand on input -> conv3x3 -> output: vertex i takes the mean over itself and what it feeds, and
  // against the edges the mean over itself and what feeds it.
  const LabelledGraphs graphs = graphs_of({make_cell(3, {{0, 1}, {1, 2}}, {Operation::conv3x3})});
  Predictor small({.width = 4, .layers = 1, .hidden = 3}, random);
  small.eval();
  const Encoded in = graphs.encode(Rows{0});
  const State weights = small.state();
  const auto w = weights.at("conv0.weight").to_vector<float>();
  const int one_hot[3] = {0, 2, 4};
  const Values forward[3] = {{.5, .5, 0}, {0, .5, .5}, {0, 0, 1}},
               back[3] = {{1, 0, 0}, {.5, .5, 0}, {0, .5, .5}};
  Values pooled(4, 0);
  for (int d = 0; d < 4; ++d)
    for (int v = 0; v < 3; ++v) {
      double along = 0, against = 0;
      for (int u = 0; u < 3; ++u) {
        along += forward[v][static_cast<size_t>(u)] * double{w[static_cast<size_t>(one_hot[u] * 8 + d)]};
        against += back[v][static_cast<size_t>(u)] * double{w[static_cast<size_t>(one_hot[u] * 8 + 4 + d)]};
      }
      pooled[static_cast<size_t>(d)] += (std::max(along, 0.0) + std::max(against, 0.0)) / 2 / 3;
    }
  const auto dense = weights.at("dense.weight").to_vector<float>(),
             head = weights.at("head.weight").to_vector<float>();
  double logit = 0;
  for (size_t h = 0; h < 3; ++h) {
    double sum = 0;
    for (size_t d = 0; d < 4; ++d) sum += double{dense[h * 4 + d]} * pooled[d];
    logit += double{head[h]} * std::max(sum, 0.0);
  }
  CHECK(small(in.graphs, Variable(in.x)).value().to_vector<float>()[0] ==
        doctest::Approx(logit).epsilon(1e-5));
}

TEST_CASE(
    "neural predictor: order of vertices, padding and layout do not matter, the direction of edges does") {
  const LabelledGraphs graphs = graphs_of(small_cells().cells());
  for (int64_t layers : {1, 3, 5}) {
    Generator random(test_seed());
    Predictor net({.width = 32, .layers = layers}, random);
    const Symmetry symmetry = symmetry_of(net, graphs, first_rows(200, 1000), random);
    CHECK(symmetry.permuted <= 1e-5);
    CHECK(symmetry.padded <= 1e-5);
    CHECK(symmetry.linked <= 1e-5);
    CHECK(symmetry.reversed > 1e-5);
  }
}

TEST_CASE("neural predictor: without directions a reversed graph is the same graph") {
  // input -> conv -> pool -> output, and input -> pool -> conv -> output with input and output exchanged.
  LabelledGraphs graphs(4, 5);
  constexpr uint64_t kChain = 1U << edge_bit(0, 1) | 1U << edge_bit(1, 2) | 1U << edge_bit(2, 3);
  graphs.add(std::vector<uint8_t>{0, 2, 3, 4}, kChain);
  graphs.add(std::vector<uint8_t>{4, 3, 2, 0}, kChain);
  Generator random(2);
  Predictor net({.width = 16}, random);
  const EncodeOptions blind{.edges = Edges::undirected};
  const std::vector<float> same = predict(net, graphs, Rows{0, 1}, blind),
                           other = predict(net, graphs, Rows{0, 1});
  CHECK(same[0] == doctest::Approx(same[1]));
  CHECK(std::fabs(other[0] - other[1]) > 1e-4);
}

TEST_CASE("neural predictor: labels are not the table's numbers of operations") {
  const LabelledGraphs graphs =
      graphs_of({make_cell(5, {{0, 1}, {1, 2}, {2, 3}, {3, 4}},
                           {Operation::conv3x3, Operation::conv1x1, Operation::max_pool3x3})});
  const int64_t expected[] = {0, 2, 1, 3, 4};
  for (int64_t v = 0; v < 5; ++v) CHECK(graphs.label(0, v) == expected[v]);
  CHECK(graphs.vertices(0) == 5);
  LabelledGraphs two(2, 2);
  CHECK_THROWS_WITH_AS(two.add(std::vector<uint8_t>{0, 1, 1}, 0), doctest::Contains("got 3"), Error);
  CHECK_THROWS_WITH_AS(two.add(std::vector<uint8_t>{0, 2}, 1), doctest::Contains("got 2"), Error);
  CHECK_THROWS_WITH_AS(two.add(std::vector<uint8_t>{0, 1}, 2), doctest::Contains("an edge leaves"), Error);
  CHECK_THROWS_WITH_AS(two.encode(Rows{0}), doctest::Contains("graph 0 of 0"), Error);
}

TEST_CASE("neural predictor: NAS-Bench-201 and Macro as graphs") {
  Nasbench201 cells;
  cells.operations = {{4, 2, 1, 2, 0, 3}};
  const LabelledGraphs graphs = graphs_of(cells);
  CHECK(graphs.vertices(0) == 8);
  std::string edges;
  for (int64_t y = 0; y < 8; ++y)
    for (int64_t x = 0; x < y; ++x)
      if (graphs.has_edge(0, x, y)) edges += concat(x, ">", y, " ");
  // Vertices 1 to 6 are the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3.
  CHECK(edges == "0>1 0>2 1>3 0>4 1>5 2>6 3>6 4>7 5>7 6>7 ");
  CHECK(graphs.label(0, 1) == 5);
  CHECK(graphs.label(0, 7) == 6);
  NasbenchMacro macro;
  macro.choices = {{0, 1, 2, 0, 1, 2, 0, 1}};
  const LabelledGraphs chain = graphs_of(macro);
  for (int64_t y = 0; y < 10; ++y)
    for (int64_t x = 0; x < y; ++x) CHECK(chain.has_edge(0, x, y) == (y == x + 1));
  CHECK(chain.label(0, 3) == 3);
}

TEST_CASE("neural predictor: the same batch twice gives the same gradients") {
  Generator random(3);
  Predictor net({.width = 16, .dropout = 0}, random);
  const Encoded in = graphs_of(small_cells().cells()).encode(first_rows(10));
  std::vector<std::vector<float>> gradients[2];
  for (auto& found : gradients) {
    net.zero_grad();
    backward(mse_loss(accuracy_of(net(in.graphs, Variable(in.x))), Variable(Tensor::full({10}, 90))));
    for (const Variable& p : net.parameters()) found.push_back(p.grad().value().to_vector<float>());
  }
  CHECK(gradients[0] == gradients[1]);
}

TEST_CASE(
    "neural predictor: it learns an accuracy that depends on the graph, on any number of threads to the same "
    "bits") {
  const LabelledGraphs graphs = graphs_of(small_cells().cells());
  const Values truth = made_up_accuracies(small_cells());
  Generator members(4);
  const Rows order = random_permutation(small_cells().size(), members).to_vector<int64_t>();
  const Rows samples(order.begin(), order.begin() + 100), others(order.begin() + 100, order.end());
  Values targets, wanted;
  for (int64_t row : samples) targets.push_back(truth[static_cast<size_t>(row)]);
  for (int64_t row : others) wanted.push_back(truth[static_cast<size_t>(row)]);
  const int threads = num_threads();
  std::vector<std::vector<float>> logits;
  for (int n : {1, 2}) {
    set_num_threads(n);
    Generator random(5), batches(6);
    Predictor net({.width = 32, .first_bias = logit_of(88)}, random);
    fit(net, graphs, samples, targets, {.epochs = 60, .lr = 1e-3}, batches);
    logits.push_back(predict(net, graphs, others));
  }
  set_num_threads(threads);
  CHECK(logits[0] == logits[1]);
  const Values predicted(logits[0].begin(), logits[0].end());
  CHECK(kendall_tau(wanted, predicted) > 0.6);
}

TEST_CASE(
    "neural predictor: the networks without graphs learn too, and depend on the order of the vertices") {
  const LabelledGraphs graphs = graphs_of(small_cells().cells());
  const Values truth = made_up_accuracies(small_cells());
  const Rows samples = first_rows(200, 500);
  Values targets;
  for (int64_t row : samples) targets.push_back(truth[static_cast<size_t>(row)]);
  for (Network network : {Network::mlp, Network::cnn}) {
    Generator random(5), batches(6);
    const auto net =
        make_network(network, {.width = 16, .first_bias = logit_of(90)}, graphs.padded(), random);
    fit(*net, graphs, samples, targets, {.epochs = 40, .lr = 1e-3}, batches);
    const std::vector<float> logits = predict(*net, graphs, samples);
    CHECK(kendall_tau(targets, Values(logits.begin(), logits.end())) > 0.5);
    const Rows some = first_rows(20);
    CHECK_THROWS_WITH_AS(predict(*net, graphs, some, {.layout = Layout::linked}),
                         doctest::Contains("expects"), Error);
    // A parallel pair of operations, numbered the other way round.
    const auto pair = [](Operation a, Operation b) {
      return make_cell(4, {{0, 1}, {0, 2}, {1, 3}, {2, 3}}, {a, b});
    };
    const LabelledGraphs same = graphs_of(
        {pair(Operation::conv3x3, Operation::max_pool3x3), pair(Operation::max_pool3x3, Operation::conv3x3)});
    const std::vector<float> twice = predict(*net, same, Rows{0, 1});
    CHECK(std::fabs(twice[0] - twice[1]) > 1e-5);
  }
}

TEST_CASE("neural predictor: what cannot be fitted is refused") {
  const LabelledGraphs graphs = graphs_of(small_cells().cells());
  Generator random(1);
  Predictor net({.width = 4, .hidden = 4}, random);
  CHECK_THROWS_WITH_AS(fit(net, graphs, first_rows(9), Values(9, 90), {}, random), doctest::Contains("got 9"),
                       Error);
  CHECK_THROWS_WITH_AS(fit(net, graphs, first_rows(10), Values(9, 90), {}, random),
                       doctest::Contains("got 9 targets and 10 rows"), Error);
}

TEST_CASE("neural predictor: an accuracy that was not paid for is not told") {
  const Accuracies table{{90, 92, 91}, {80, 82, 84}, Signal::exact};
  Ledger ledger(table, Generator(1));
  CHECK_THROWS_WITH_AS(ledger.validation(1), "Ledger: member 1 was not paid for", Error);
  CHECK(ledger.pay(0) == 90);
  CHECK(ledger.pay(1) == 92);
  CHECK(ledger.pay(2) == 91);
  CHECK(ledger.pay(0) == 90);
  CHECK(ledger.paid() == 4);
  CHECK(ledger.picks() == Values{80, 82, 82, 82});  // chosen by validation, reported by test
  CHECK_THROWS_WITH_AS(ledger.pay(3), doctest::Contains("got 3"), Error);
}

TEST_CASE("neural predictor: simulated evaluations have the mean and the spread of a binomial") {
  for (double accuracy : {94.0, 50.0, 9.976, 99.99, 100.0, 0.0}) {
    const Accuracies table{{accuracy}, {accuracy}, Signal::simulated};
    Ledger ledger(table, Generator(test_seed()));
    double sum = 0, squares = 0;
    constexpr int kDraws = 4000;
    for (int i = 0; i < kDraws; ++i) {
      const double drawn = ledger.pay(0);
      sum += drawn, squares += drawn * drawn;
    }
    const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
    const double p = accuracy / 100, expected = 1e4 * p * (1 - p) / 10000;  // in percent squared
    CAPTURE(accuracy);
    CHECK(std::fabs(mean - accuracy) <= 5 * std::sqrt(expected / kDraws) + 1e-9);
    // Five standard deviations of a variance of normal numbers; near 100 % the counts are few and more skewed.
    CHECK(std::fabs(variance - expected) <=
          (accuracy > 99 ? 10 : 5) * expected * std::sqrt(2.0 / kDraws) + 1e-9);
  }
}

TEST_CASE("neural predictor: a mutation flips what the benchmark's own does") {
  const auto space = cell_search_space(small_cells());
  Generator random(test_seed());
  const Genotype parent{1U << edge_bit(0, 1) | 1U << edge_bit(1, 6) | 1U << edge_bit(0, 6), {}};
  double flips = 0, exchanged = 0;
  constexpr int kChildren = 3000;
  for (int i = 0; i < kChildren; ++i) {
    const Genotype child = space->mutate(parent, random);
    flips += std::popcount(child.edges ^ parent.edges);
    for (int v = 0; v < kMaxInner; ++v) exchanged += child.choices[static_cast<size_t>(v)] != 0;
  }
  // A child has one of five operations exchanged and three of 21 edges flipped, in the mean; a little fewer, since those
  // with too many edges are drawn again.
  CHECK(exchanged / kChildren == doctest::Approx(1).epsilon(0.1));
  CHECK(flips / kChildren > 2);
  CHECK(flips / kChildren < 3.2);
}

TEST_CASE("neural predictor: evolution pays for duplicates") {
  const auto space = tuple_search_space(2, 3, first_rows(9));
  const Accuracies table{Values(9, 50), Values(9, 50), Signal::exact};
  Ledger ledger(table, Generator(1));
  Generator random(test_seed());
  evolve(ledger, *space, {.population = 4, .tournament = 2}, 100, random);
  CHECK(ledger.paid() == 100);  // of nine members: duplicates are paid for
  CHECK_THROWS_WITH_AS(evolve(ledger, *space, {.population = 4, .tournament = 5}, 1, random),
                       doctest::Contains("got 5"), Error);
}

TEST_CASE("neural predictor: rank correlations against their definitions") {
  Generator random(test_seed());
  for (int64_t range : {3, 50, 100000}) {
    const auto draw = [&] {
      const auto values = random_integers({60}, random, 0, range).to_vector<int64_t>();
      return Values(values.begin(), values.end());
    };
    const Values a = draw(), b = draw();
    double concordant = 0, tied_a = 0, tied_b = 0, pairs = 0;
    for (size_t i = 0; i < a.size(); ++i)
      for (size_t j = 0; j < i; ++j) {
        const double x = a[i] - a[j], y = b[i] - b[j];
        concordant += (x * y > 0) - (x * y < 0);
        tied_a += x == 0, tied_b += y == 0, pairs += 1;
      }
    CHECK(kendall_tau(a, b) == doctest::Approx(concordant / std::sqrt((pairs - tied_a) * (pairs - tied_b))));
  }
  CHECK(kendall_tau(Values{1, 2, 3}, Values{1, 2, 3}) == 1);
  CHECK(std::isnan(kendall_tau(Values{1, 1}, Values{1, 2})));
  CHECK(spearman(Values{1, 2, 3, 4}, Values{10, 20, 40, 30}) == doctest::Approx(0.8));
  CHECK(spearman(Values{1, 2, 2, 4}, Values{1, 2, 2, 4}) == doctest::Approx(1));
  CHECK(mean_squared_error(Values{50, 92, 95}, Values{90, 93, 93}, 91) == 2.5);
  CHECK(precision_at(Values{1, 2, 3, 4}, Values{4, 1, 2, 3}, 2, 0.5) == 0.5);
  CHECK(median({3, 1, 2}) == 2);
  CHECK(median({4, 1, 2, 3}) == 2.5);
}

TEST_CASE("neural predictor: the recipes name what they compare") {
  for (const ReferenceCurve& reference : reference_curves()) CHECK_NOTHROW(recipe_of(reference.arm));
  for (const Published& row : published()) CHECK_NOTHROW(recipe_of(row.arm));
  CHECK(width_for(43) == 48);
  CHECK(width_for(172) == 144);
  CHECK(width_for(200) == 144);
  CHECK(width_for(1000) == 320);
  for (int64_t n : {50, 182, 200, 272, 400, 1000, 5440, 10000})
    CHECK(std::find(recorded_trainings().begin(), recorded_trainings().end(), n) !=
          recorded_trainings().end());
}

TEST_CASE("neural predictor: the run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE(
    "neural predictor: a run that is killed with SIGKILL goes on to the same bits, on one thread and on "
    "two") {
  // Files: the results of four arms.
  test::check_killed_run("neural predictor: the run that is killed", 4, run_in);
}

TEST_CASE(
    "neural predictor: a line that a crash cut short is dropped, and what an arm leaves is read again") {
  TemporaryFolder whole, cut;
  run_in(whole.path(), 1);
  run_in(cut.path(), 1);
  const std::string log = test::text_of(whole.file("log.jsonl"));
  const std::string result = "arms/two-stage-noisy/seed-7/result.json";
  std::filesystem::remove(cut.file(result));
  constexpr size_t kPart = 50;  // of the last line
  std::ofstream(cut.file("log.jsonl"), std::ios::binary)
      << log.substr(0, log.rfind('\n', log.size() - 2) + kPart);
  run_in(cut.path(), 1);
  CHECK(test::text_of(cut.file("log.jsonl")) == log);
  CHECK(test::text_of(cut.file(result)) == test::text_of(whole.file(result)));

  const ArmFacts facts = facts_of(recipe_of("two-stage-noisy"), 7, Json::read_file(whole.file(result)));
  CHECK(facts.runs == 2);
  CHECK(facts.trained.front() == 172);
  CHECK(facts.metric("unpaid") == 0);
  CHECK(std::isnan(facts.mean_at(171)));
  CHECK(facts.first.size() == 2);
  CHECK(facts.metric("classifier") > 0.5);
}

TEST_CASE("neural predictor: training on linked graphs is training on padded ones") {
  const LabelledGraphs graphs = graphs_of(small_cells().cells());
  const Values truth = made_up_accuracies(small_cells());
  const Rows samples = first_rows(40, 300), others = first_rows(100);
  const Values targets(truth.begin() + 300, truth.begin() + 340);
  const auto logits = [&](Layout layout) {
    Generator random(8), order(9);
    // Without dropout, whose random numbers go to padding as well.
    Predictor net({.width = 16, .dropout = 0}, random);
    fit(net, graphs, samples, targets, {.epochs = 10, .encode = {.layout = layout}}, order);
    return predict(net, graphs, others, {.layout = layout});
  };
  const std::vector<float> dense = logits(Layout::dense), linked = logits(Layout::linked);
  for (size_t i = 0; i < dense.size(); ++i) CHECK(linked[i] == doctest::Approx(dense[i]).epsilon(1e-4));
}

TEST_CASE("neural predictor: a table of our own: judged by ranks, and learned by a predictor") {
  const CellSpace cells(4);
  const Values accuracies = made_up_accuracies(cells);
  std::vector<CellFacts> facts;
  for (int64_t number = 0; number < cells.size(); ++number) {
    const double accuracy = accuracies[static_cast<size_t>(number)];
    const double wobble = number % 2 == 0 ? 0.1 : -0.1;
    facts.push_back({number, accuracy * accuracy / 100, {accuracy}, {accuracy, accuracy + wobble}});
  }
  experiment::Options options;
  options.seeds = 2;
  const auto verdict = [&] { return judge(cell_table_claims(facts, options).front()).verdict; };
  CHECK(verdict() == experiment::Verdict::kHolds);
  const TablePrediction prediction = predict_table(cells, facts, 1);
  CHECK(prediction.truth.size() == 31);
  CHECK(spearman(prediction.truth, prediction.predicted) > 0.7);
  options.seeds = 1;
  CHECK(verdict() == experiment::Verdict::kNotJudged);
  for (CellFacts& cell : facts) cell.published = -cell.published;
  options.seeds = 2;
  CHECK(verdict() == experiment::Verdict::kFails);
  facts.resize(60);
  CHECK_THROWS_WITH_AS(predict_table(cells, facts, 1), doctest::Contains("got 60"), Error);
  CHECK(cell_arm(7) == "cell-07");
  CHECK(cell_table_spec().arms.size() == 91);
}

TEST_CASE("neural predictor: claims are judged on what was run") {
  Problems none;
  experiment::Options options;
  options.arms = {"one-stage", "evolution"};
  Facts facts;
  const auto curve = [&](const char* arm, std::vector<int64_t> trained, Values mean,
                         std::vector<Values> first) {
    ArmFacts found;
    found.recipe = &recipe_of(arm);
    found.seed = 1;
    found.trained = std::move(trained);
    found.mean = mean;
    found.deviation = Values(mean.size(), 0);
    found.first = std::move(first);
    found.metrics["unpaid"] = {0};
    for (const char* name : {"permuted", "padded", "linked"}) found.metrics[name] = {1e-7};
    found.metrics["reversed"] = {0.01};
    facts.arms.push_back(found);
  };
  curve("one-stage", {172, 272}, {93.8, 94.23}, {{200, 210, 190}, {200, 300, 250}});
  curve("evolution", {272, 5440}, {93.97, 94.229}, {{600, 700, 500}, {3000, 9000, INFINITY}});
  std::map<std::string, experiment::Verdict> verdicts;
  for (const experiment::Claim& claim : claims_of(facts, none, options))
    verdicts[claim.id] = judge(claim).verdict;
  using experiment::Verdict;
  CHECK(verdicts.at("P1") == Verdict::kNotRun);
  CHECK(verdicts.at("P2") != Verdict::kHolds);
  CHECK(verdicts.at("P3") == Verdict::kHolds);
  CHECK(verdicts.at("P4") == Verdict::kHolds);
  CHECK(verdicts.at("P5") == Verdict::kHolds);
  CHECK(verdicts.at("P6") == Verdict::kNotRun);
  CHECK(verdicts.at("P14") == Verdict::kHolds);
  facts.arms[0].mean[1] = 94.2;
  for (const experiment::Claim& claim : claims_of(facts, none, options))
    verdicts[claim.id] = judge(claim).verdict;
  CHECK(verdicts.at("P4") == Verdict::kFails);
  options.scale = experiment::Scale::kSmoke;
  for (const experiment::Claim& claim : claims_of(facts, none, options))
    verdicts[claim.id] = judge(claim).verdict;
  CHECK(verdicts.at("P4") == Verdict::kNotJudged);
  CHECK(verdicts.at("P3") == Verdict::kHolds);
}

}  // namespace tenon::neural_predictor
