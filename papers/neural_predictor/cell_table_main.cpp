// Trains every cell of up to four vertices, compares their order with NAS-Bench-101's, and writes the run's folder.
#include <iostream>

#include "papers/experiment/program.h"
#include "papers/experiment/results.h"
#include "papers/neural_predictor/cell_table.h"
#include "papers/neural_predictor/metrics.h"

using namespace tenon;

namespace {

experiment::XyChart scatter(const char* title, const char* x, const char* y, const std::vector<double>& from,
                            const std::vector<double>& to) {
  experiment::XyChart chart;
  chart.title = title;
  chart.caption =
      concat("Kendall's tau ", experiment::format_number(neural_predictor::kendall_tau(from, to), 3),
             ", Spearman ", experiment::format_number(neural_predictor::spearman(from, to), 3), ".");
  chart.x_label = x;
  chart.y_label = y;
  chart.series.push_back(
      {.name = "cells", .x = from, .y = to, .marks = experiment::Marks::kPoints, .labels = {}});
  return chart;
}

experiment::Report make_report(const neural_predictor::CellSpace& cells,
                               const std::vector<neural_predictor::CellFacts>& facts,
                               const experiment::Results& results) {
  experiment::Report report("Neural Predictor: a table of our own",
                            "All cells of NAS-Bench-101 with up to four vertices, trained by Tenon");
  report.facts(experiment::results_facts(results));
  report.section("Claims");
  report.claims(results.claims);
  report.section("Order of the cells");
  std::vector<double> published, ours;
  for (const auto& cell : facts) {
    published.push_back(cell.published);
    ours.push_back(cell.test.front());
  }
  report.chart(
      scatter("Published and ours, first seed", "NAS-Bench-101, test %", "ours, test %", published, ours));
  constexpr size_t kEnough = 61;
  if (facts.size() >= kEnough) {
    const auto prediction = neural_predictor::predict_table(cells, facts, results.options.seed);
    report.chart(scatter("A predictor trained on 60 of them, asked about the others", "ours, test %",
                         "predicted %", prediction.truth, prediction.predicted));
  }
  report.table(neural_predictor::cell_table(cells, facts));
  return report;
}

int run(experiment::Options options, double rate) {
  neural_predictor::CellTraining training = neural_predictor::cell_training(options.scale);
  training.rate = rate;
  if (options.scale == experiment::Scale::kSmoke && options.arms.size() > 7) {
    std::vector<std::string> some;
    for (size_t i = 0; i < options.arms.size(); i += 15) some.push_back(options.arms[i]);
    options.arms = some;
  }
  Json identity = experiment::identity_json(options);
  identity["rate"] = rate;
  experiment::RunFolder folder(options.out, identity, options.resume);
  const neural_predictor::CellSpace cells(neural_predictor::kTableVertices);
  const experiment::ImageProblem problem = neural_predictor::load_cell_images(options.data, training);
  std::cout << problem.description << std::endl;
  for (int64_t seed : options.seed_list())
    for (int64_t number = 0; number < cells.size(); ++number)
      if (options.has_arm(neural_predictor::cell_arm(number)))
        neural_predictor::train_cell(cells, number, problem, training, folder, seed, std::cout);

  const auto facts = neural_predictor::gather_cells(cells, folder, options);
  experiment::Results results =
      experiment::collect_results("neural_predictor", problem.description, options, folder);
  results.claims = neural_predictor::cell_table_claims(facts, options);
  folder.write_results(experiment::results_json(results));
  const std::filesystem::path page = folder.path() / "report.html";
  make_report(cells, facts, results).write(page);
  std::cout << '\n'
            << experiment::to_text(neural_predictor::cell_table(cells, facts)) << '\n'
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  experiment::OptionParser parser(neural_predictor::cell_table_spec());
  double rate = neural_predictor::cell_training(experiment::Scale::kScaled).rate;
  parser.add("rate", "learning rate of the first epoch", rate);
  return experiment::run_program(parser, argc, argv,
                                 [&](const experiment::Options& options) { return run(options, rate); });
}
