// The experiments of DeepHoyer: trains the arms that the command line names, measures what they left, and writes the
// run's folder with results.json and report.html.
#include <iostream>

#include "core/parallel.h"
#include "papers/deephoyer/report.h"
#include "papers/deephoyer/training.h"
#include "papers/experiment/program.h"

using namespace tenon;

namespace {

// Trains every pair, arm by arm. The dense nets that arms start from come first, asked for or not.
void train(const deephoyer::Plan& plan, const experiment::Options& options) {
  for (const deephoyer::Recipe& recipe : deephoyer::recipes())
    for (int64_t seed : options.seed_list())
      if (options.has_arm(recipe.arm)) deephoyer::run_arm(plan, recipe, seed);
}

void add_dense_arms(experiment::Options& options) {
  for (const deephoyer::Recipe& recipe : deephoyer::recipes()) {
    if (!options.has_arm(recipe.arm)) continue;
    const std::string& dense = deephoyer::dense_recipe(recipe.network).arm;
    if (!options.has_arm(dense)) options.arms.insert(options.arms.begin(), dense);
  }
}

int run(experiment::Options options) {
  const Device device = Device::parse(options.device);
  add_dense_arms(options);
  experiment::RunFolder folder(options.out, experiment::identity_json(options), options.resume);
  const experiment::ImageProblem problem =
      deephoyer::load_problem(options.data, options.scale == experiment::Scale::kSmoke);
  std::cout << problem.description << std::endl;
  const deephoyer::Plan plan{&problem, &folder, options.scale, &std::cout, device, options.memory};
  train(plan, options);

  const deephoyer::Facts facts = deephoyer::gather_facts(plan, options.arms, options.seed_list());
  experiment::Results results;
  results.paper = "deephoyer";
  results.data_set = problem.description;
  results.options = options;
  results.threads = num_threads();
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list())
      results.arms.push_back({arm, seed, folder.arm(arm, seed).result()});
  results.claims = deephoyer::claims_of(facts, options);
  Json points = Json::array();
  for (const deephoyer::PointFacts& point : facts.points) points.push_back(deephoyer::facts_json(point));
  results.extra = Json::object({{"points", std::move(points)}});
  folder.write_results(experiment::results_json(results));

  const std::filesystem::path page = folder.path() / "report.html";
  deephoyer::make_report(plan, facts, results).write(page);
  std::cout << '\n'
            << experiment::to_text(deephoyer::points_table(facts), 160) << '\n'
            << problem.description << "\n\n"
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  experiment::OptionParser parser(deephoyer::experiment_spec());
  return experiment::run_program(parser, argc, argv, run);
}
