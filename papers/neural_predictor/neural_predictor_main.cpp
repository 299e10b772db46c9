// The experiments of the neural predictor: runs the arms that the command line names, judges them, and writes the
// run's folder with results.json and report.html.
#include <iostream>

#include "papers/experiment/program.h"
#include "papers/neural_predictor/report.h"

using namespace tenon;

namespace {

std::string description_of(const neural_predictor::Problems& problems) {
  std::string text;
  for (const auto& [benchmark, problem] : problems) text += (text.empty() ? "" : "; ") + problem.description;
  return text;
}

int run(const experiment::Options& options, neural_predictor::Layout layout) {
  const Device device = Device::parse(options.device);
  Json identity = experiment::identity_json(options);
  identity["layout"] = layout == neural_predictor::Layout::dense ? "dense" : "linked";
  experiment::RunFolder folder(options.out, identity, options.resume);
  const neural_predictor::Problems problems = neural_predictor::load_problems(options.arms);
  std::cout << description_of(problems) << std::endl;
  const neural_predictor::Plan plan{&problems, &folder, options.scale, &std::cout, layout, device};
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list())
      neural_predictor::run_arm(plan, neural_predictor::recipe_of(arm), seed);

  const neural_predictor::Facts facts =
      neural_predictor::gather_facts(plan, options.arms, options.seed_list());
  experiment::Results results =
      experiment::collect_results("neural_predictor", description_of(problems), options, folder);
  results.claims = neural_predictor::claims_of(facts, problems, options);
  folder.write_results(experiment::results_json(results));

  const std::filesystem::path page = folder.path() / "report.html";
  neural_predictor::make_report(facts, problems, results).write(page);
  std::cout << '\n'
            << experiment::to_text(neural_predictor::methods_table(facts), 160) << '\n'
            << experiment::to_text(neural_predictor::curves_table(facts), 160) << '\n'
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  experiment::OptionParser parser(neural_predictor::experiment_spec());
  std::string layout = "dense";
  parser.add_choice("layout", "how a batch of graphs lies in memory", layout, {"dense", "linked"});
  return experiment::run_program(parser, argc, argv, [&](const experiment::Options& options) {
    return run(options,
               layout == "dense" ? neural_predictor::Layout::dense : neural_predictor::Layout::linked);
  });
}
