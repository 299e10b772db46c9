#include "papers/deephoyer/program.h"

#include <iostream>

#include "papers/deephoyer/report.h"
#include "papers/deephoyer/shapes.h"
#include "papers/deephoyer/training.h"
#include "papers/experiment/program.h"
#include "papers/experiment/recipes.h"

namespace tenon::deephoyer {
namespace {

using experiment::Options;
using experiment::Scale;

// What the command line of the large family has beyond the options of every experiment. 0 and "auto" leave the choice to
// data and scale.
struct Own {
  std::string network = "auto", shapes;
  int64_t pool = 0, train_images = 0;
};

// "resnet20": a network of the large family on the command line.
std::string short_name(const NetworkInfo& info) { return info.arms.substr(0, info.arms.size() - 1); }

std::vector<std::string> large_names() {
  std::vector<std::string> names;
  for (const NetworkInfo& info : networks())
    if (info.family == Family::large) names.push_back(short_name(info));
  return names;
}

Network network_called(const std::string& name) {
  for (const NetworkInfo& info : networks())
    if (info.family == Family::large && short_name(info) == name) return info.network;
  fail("--shapes: no network is called '", name, "'; expected one of alexnet, resnet8, resnet20, ...");
}

// The arms under the names that they have in the folder, and the dense ones that they start from.
std::vector<std::string> full_arms(const std::vector<std::string>& asked, const std::string& prefix) {
  std::vector<std::string> arms;
  for (const std::string& arm : asked) arms.push_back(prefix + arm);
  return experiment::with_needed(
      recipes(), arms, [](const Recipe& recipe) { return std::vector{dense_recipe(recipe.network).arm}; });
}

void check_fits(const NetworkInfo& info, const experiment::ImageProblem& problem) {
  const Shape& image = problem.image;
  TENON_CHECK(info.any_extent ? image[0] == info.image[0] : image == info.image, info.name,
              " expects images of ", info.image, ", ", problem.name, " has ", image,
              "; --shapes makes one step on made-up images");
}

// Trains the arms, measures, prints the tables, and writes results.json and report.html.
int run_arms(Family family, const Options& options, const Json& config,
             const experiment::ImageProblem& problem) {
  experiment::RunFolder folder(options.out, config, options.resume);
  std::cout << problem.description << std::endl;
  const Plan plan{&problem,      &folder, options.scale, &std::cout, Device::parse(options.device),
                  options.memory};
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list()) run_arm(plan, recipe_of(arm), seed);

  const Facts facts = gather_facts(plan, options.arms, options.seed_list());
  experiment::Results results =
      experiment::collect_results(experiment_spec(family).name, problem.description, options, folder);
  results.claims = claims_of(facts, options, family);
  Json points = Json::array();
  for (const PointFacts& point : facts.points) points.push_back(facts_json(point));
  results.extra = Json::object({{"points", std::move(points)}, {"config", config}});
  folder.write_results(experiment::results_json(results));

  const std::filesystem::path page = folder.path() / "report.html";
  make_report(plan, facts, results, family).write(page);
  std::cout << '\n'
            << experiment::to_text(points_table(facts, family), 160) << '\n'
            << problem.description << "\n\n"
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

int run_lenets(Options options) {
  options.arms = full_arms(options.arms, "");
  return run_arms(Family::lenet, options, experiment::identity_json(options),
                  load_problem(options.data, options.scale == Scale::kSmoke));
}

int run_large(Options options, const Own& own) {
  if (!own.shapes.empty()) {
    std::cout << experiment::to_text(shapes_table({network_called(own.shapes)}), 140);
    return 0;
  }
  const bool cifar = options.data == "cifar10";
  const NetworkInfo& info = info_of(own.network == "auto" ? (cifar ? Network::resnet_20 : Network::resnet_8)
                                                          : network_called(own.network));
  ImageChoice choice = image_choice(options.data, options.scale);
  if (own.pool > 0) choice.pool = own.pool;
  if (own.train_images > 0) choice.train = own.train_images;
  const experiment::ImageProblem problem = load_augmented(options.data, choice);
  check_fits(info, problem);
  options.arms = full_arms(options.arms, info.arms);
  Json config = experiment::identity_json(options);
  config["network"] = info.name;
  config["pool"] = choice.pool;
  config["train_images"] = choice.train;
  return run_arms(Family::large, options, config, problem);
}

}  // namespace

int run_program(Family family, int argc, char** argv) {
  experiment::OptionParser parser(experiment_spec(family));
  if (family == Family::lenet) return experiment::run_program(parser, argc, argv, run_lenets);
  Own own;
  std::vector<std::string> choices = large_names();
  choices.insert(choices.begin(), "auto");
  parser.add_choice("network", "the network; auto: resnet8, on CIFAR-10 resnet20", own.network, choices);
  parser.add("pool", "means over squares of so many pixels a side are the images; 0: as the scale has it",
             own.pool);
  parser.add("train-images", "training images; 0: those of the scale", own.train_images);
  parser.add("shapes", "instead of a run, one step of this network on made-up images", own.shapes);
  return experiment::run_program(parser, argc, argv,
                                 [&](const Options& options) { return run_large(options, own); });
}

}  // namespace tenon::deephoyer
