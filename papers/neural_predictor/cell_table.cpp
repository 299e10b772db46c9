#include "papers/neural_predictor/cell_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/nasbench.h"
#include "papers/experiment/training.h"
#include "papers/neural_predictor/cell_network.h"
#include "papers/neural_predictor/fit.h"
#include "papers/neural_predictor/metrics.h"

namespace tenon::neural_predictor {
namespace {

constexpr int64_t kTableCells = 91, kLearned = 60;

std::unique_ptr<Optimizer> rmsprop(const Module& net) {
  return std::make_unique<RMSprop>(
      net.named_parameters(), RmspropOptions{.alpha = 0.9, .eps = 1, .weight_decay = 1e-4, .momentum = 0.9});
}

std::vector<double> means(const std::vector<CellFacts>& facts) {
  std::vector<double> out;
  for (const CellFacts& cell : facts) {
    double sum = 0;
    for (double accuracy : cell.test) sum += accuracy;
    out.push_back(sum / static_cast<double>(cell.test.size()));
  }
  return out;
}

std::vector<double> of_seed(const std::vector<CellFacts>& facts, size_t seed) {
  std::vector<double> out;
  for (const CellFacts& cell : facts) out.push_back(cell.test.at(seed));
  return out;
}

std::string cell_text(const Cell& cell) {
  constexpr const char* kNames[] = {"conv3x3", "conv1x1", "max pool"};
  std::string text;
  for (int v = 1; v < cell.vertices - 1; ++v)
    text += concat(v == 1 ? "" : ", ", kNames[static_cast<int>(cell.operation(v))]);
  text += cell.vertices > 2 ? ":" : "";
  for (int y = 1; y < cell.vertices; ++y)
    for (int x = 0; x < y; ++x)
      if (cell.has_edge(x, y)) text += concat(text.empty() ? "" : " ", x, "-", y);
  return text;
}

}  // namespace

CellTraining cell_training(experiment::Scale scale) {
  CellTraining training;
  if (scale == experiment::Scale::kSmoke) training.train = 500, training.test = 500, training.epochs = 1;
  if (scale == experiment::Scale::kPaper) training.epochs = 108;
  return training;
}

std::string cell_arm(int64_t number) { return concat("cell-", number < 10 ? "0" : "", number); }

experiment::ExperimentSpec cell_table_spec() {
  experiment::ExperimentSpec spec;
  spec.name = "cell_table";
  spec.description =
      "A small NAS-Bench: all 91 cells of NAS-Bench-101 with up to four vertices, each trained in a small "
      "network, and "
      "their order compared with the published one.";
  spec.datasets = {"fashion_mnist", "mnist"};
  for (int64_t number = 0; number < kTableCells; ++number) spec.arms.push_back(cell_arm(number));
  return spec;
}

experiment::ImageProblem load_cell_images(const std::string& data, const CellTraining& training) {
  experiment::ImageSetup setup;
  setup.train = training.train;
  setup.validation = training.validation;
  setup.test = training.test;
  setup.pool = 2;
  setup.augment.mean = {0.286F};  // of Fashion-MNIST's pixels, and near enough for MNIST's
  setup.augment.std = {0.353F};
  return load_images(data, setup);
}

void train_cell(const CellSpace& cells, int64_t number, const experiment::ImageProblem& problem,
                const CellTraining& training, experiment::RunFolder& folder, int64_t seed,
                std::ostream& out) {
  experiment::ArmRun arm = folder.arm(cell_arm(number), seed);
  if (arm.finished()) return;
  constexpr int64_t kBorder = 1;  // 14 x 14 becomes 16 x 16
  Generator weights(static_cast<uint64_t>(seed), 1);
  CellNetwork net(cells.cell(number), training.backbone, weights, kBorder);
  experiment::StageRunner runner(problem, arm, training.epochs, out);
  experiment::Stage stage;
  stage.name = "cell";
  stage.epochs = training.epochs;
  stage.batch = training.batch;
  stage.lr = [=](int64_t epoch) {
    const double part = static_cast<double>(epoch) / static_cast<double>(training.epochs);
    return training.rate * (1 + std::cos(std::numbers::pi * part)) / 2;
  };
  stage.make_optimizer = rmsprop;
  runner.run(stage, net);
  arm.finish(Json::object({{"validation", 100 * experiment::accuracy(net, problem.validation)},
                           {"test", 100 * experiment::accuracy(net, problem.test)}}));
}

std::vector<CellFacts> gather_cells(const CellSpace& cells, experiment::RunFolder& folder,
                                    const experiment::Options& options) {
  const CellSpace all;
  const Nasbench101 table = load_nasbench101();
  std::vector<CellFacts> facts;
  for (int64_t number = 0; number < cells.size(); ++number) {
    if (!options.has_arm(cell_arm(number))) continue;
    CellFacts cell;
    cell.number = number;
    cell.published = table.accuracy[static_cast<size_t>(all.row_of(cells.cell(number)).value())];
    for (int64_t seed : options.seed_list()) {
      const Json result = folder.arm(cell_arm(number), seed).result();
      cell.validation.push_back(result.at("validation").as_real());
      cell.test.push_back(result.at("test").as_real());
    }
    facts.push_back(std::move(cell));
  }
  return facts;
}

TablePrediction predict_table(const CellSpace& cells, const std::vector<CellFacts>& facts, int64_t seed) {
  TENON_CHECK(static_cast<int64_t>(facts.size()) > kLearned, "predict_table: expects more than ", kLearned,
              " cells, got ", facts.size());
  const LabelledGraphs graphs = graphs_of(cells.cells());
  const std::vector<double> accuracies = means(facts);
  Generator random(static_cast<uint64_t>(seed), 2);
  const std::vector<int64_t> order =
      random_permutation(static_cast<int64_t>(facts.size()), random).to_vector<int64_t>();
  std::vector<int64_t> learned, others;
  std::vector<double> targets;
  TablePrediction out;
  for (size_t i = 0; i < order.size(); ++i) {
    const auto place = static_cast<size_t>(order[i]);
    (static_cast<int64_t>(i) < kLearned ? learned : others).push_back(facts[place].number);
    (static_cast<int64_t>(i) < kLearned ? targets : out.truth).push_back(accuracies[place]);
  }
  double sum = 0;
  for (double target : targets) sum += target;
  PredictorOptions options;
  options.width = 48;
  options.first_bias = logit_of(sum / static_cast<double>(kLearned));
  Predictor net(options, random);
  fit(net, graphs, learned, targets, {.lr = 1e-3}, random);
  for (float logit : predict(net, graphs, others)) out.predicted.push_back(accuracy_of(double{logit}));
  return out;
}

std::vector<experiment::Claim> cell_table_claims(const std::vector<CellFacts>& facts,
                                                 const experiment::Options& options) {
  using experiment::Relation;
  std::map<int64_t, double> with_published, between_seeds;
  std::vector<double> published;
  for (const CellFacts& cell : facts) published.push_back(cell.published);
  with_published[options.seed] = spearman(means(facts), published);
  if (options.seeds >= 2) between_seeds[options.seed] = spearman(of_seed(facts, 0), of_seed(facts, 1));
  experiment::Claim claim;
  claim.id = "P12";
  claim.statement =
      "Cells that Tenon trained in small networks stand in the published order, and in the same under two "
      "seeds";
  claim.conditions = {
      {"Spearman, our test accuracies and the published", Relation::kAtLeast, 0.4, "", 3, with_published},
      {"Spearman, one seed and the other", Relation::kAtLeast, 0.7, "", 3, between_seeds}};
  if (options.scale == experiment::Scale::kSmoke)
    claim.not_comparable = "smoke scale is a check of the program: seven cells, one epoch";
  return {claim};
}

experiment::Table cell_table(const CellSpace& cells, const std::vector<CellFacts>& facts) {
  using experiment::Align;
  experiment::Table table;
  table.title = "Cells, the best first";
  table.header = {"cell", "operations: edges", "test %, mean", "published %"};
  table.align = {Align::kLeft, Align::kLeft, Align::kRight, Align::kRight};
  const std::vector<double> ours = means(facts);
  std::vector<size_t> order(facts.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return ours[a] > ours[b]; });
  for (size_t i : order)
    table.rows.push_back({cell_arm(facts[i].number), cell_text(cells.cell(facts[i].number)),
                          experiment::format_number(ours[i], 2),
                          experiment::format_number(facts[i].published, 2)});
  return table;
}

}  // namespace tenon::neural_predictor
