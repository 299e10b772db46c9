// The experiments of Joint Pruning: trains the arms that the command line names, measures what they left, and writes the
// run's folder with results.json and report.html.
#include <iostream>

#include "papers/experiment/program.h"
#include "papers/experiment/recipes.h"
#include "papers/joint_pruning/report.h"

using namespace tenon;

namespace {

// The arms that were asked for and those that they start from, in the order of the recipes; only networks for these data.
std::vector<std::string> arms_to_run(const experiment::Options& options) {
  std::vector<std::string> arms =
      experiment::with_needed(joint_pruning::recipes(), options.arms, joint_pruning::needs);
  std::erase_if(arms, [&](const std::string& arm) {
    return !joint_pruning::fits(joint_pruning::recipe_of(arm).network, options.data);
  });
  TENON_CHECK(!arms.empty(), "none of the arms is trained on ", options.data);
  return arms;
}

// ConvNet-5 and ResNet-32 see CIFAR-10 differently, so a run has the arms of one of them.
joint_pruning::Network network_of(const std::vector<std::string>& arms) {
  const joint_pruning::Network first = joint_pruning::recipe_of(arms.front()).network;
  for (const std::string& arm : arms) {
    const joint_pruning::Network network = joint_pruning::recipe_of(arm).network;
    TENON_CHECK((network == joint_pruning::Network::resnet32) == (first == joint_pruning::Network::resnet32),
                "arms '", arms.front(), "' and '", arm,
                "' need a run each: their networks see the images differently");
  }
  return first;
}

int run(experiment::Options options, int64_t train_images) {
  const Device device = Device::parse(options.device);
  options.arms = arms_to_run(options);
  Json identity = experiment::identity_json(options);
  identity["train_images"] = train_images;
  experiment::RunFolder folder(options.out, identity, options.resume);
  const experiment::ImageProblem problem = joint_pruning::load_problem(
      options.data, network_of(options.arms), train_images, options.scale == experiment::Scale::kSmoke);
  std::cout << problem.description << std::endl;
  const joint_pruning::Plan plan{&problem, &folder, options.scale, &std::cout, device, options.memory};
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list())
      joint_pruning::run_arm(plan, joint_pruning::recipe_of(arm), seed);

  const joint_pruning::Facts facts = joint_pruning::gather_facts(folder, options.arms, options.seed_list());
  const std::vector<joint_pruning::Latency> latencies =
      joint_pruning::measure_latencies(folder, facts, problem);
  experiment::Results results =
      experiment::collect_results("joint_pruning", problem.description, options, folder);
  results.claims = joint_pruning::claims_of(facts, latencies, options);
  Json measured = Json::array();
  for (const joint_pruning::Latency& latency : latencies)
    measured.push_back(joint_pruning::latency_json(latency));
  results.extra = Json::object({{"latency", std::move(measured)}});
  folder.write_results(experiment::results_json(results));

  const std::filesystem::path page = folder.path() / "report.html";
  joint_pruning::make_report(facts, latencies, results, folder, problem).write(page);
  for (const experiment::Table& table :
       {joint_pruning::arms_table(facts), joint_pruning::layers_table(facts),
        joint_pruning::curves_table(facts), joint_pruning::published_table(facts, problem.name),
        joint_pruning::latency_table(latencies)})
    std::cout << '\n' << experiment::to_text(table, 170);
  std::cout << '\n'
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  experiment::OptionParser parser(joint_pruning::experiment_spec());
  int64_t train_images = 0;
  parser.add("train-images", "how many training images are used; 0: all but those held out", train_images);
  return experiment::run_program(
      parser, argc, argv, [&](const experiment::Options& options) { return run(options, train_images); });
}
