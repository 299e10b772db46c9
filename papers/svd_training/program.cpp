#include "papers/svd_training/program.h"

#include <iostream>

#include "core/atomic_file.h"
#include "papers/experiment/program.h"
#include "papers/experiment/recipes.h"
#include "papers/experiment/training.h"
#include "papers/svd_training/judgement.h"
#include "papers/svd_training/report.h"

namespace tenon::svd_training {
namespace {

// What the command line has beyond the options of every experiment.
struct Own {
  std::string init = "svd";
  bool standardise = false;
  Lengths lengths;
};

// The arms asked for and those that they start from, in the order of the study.
std::vector<std::string> with_starts(const Study& study, const std::vector<std::string>& asked,
                                     bool from_checkpoint) {
  return experiment::with_needed(study.recipes, asked, [&](const Recipe& recipe) {
    const bool begins_dense = from_checkpoint && recipe.method == Method::full_rank;
    return std::vector<std::string>{recipe.start, begins_dense ? "dense-adam" : ""};
  });
}

Json config_json(const experiment::Options& options, const Own& own, const Task& task) {
  Json config = experiment::identity_json(options);
  config["init"] = own.init;
  config["standardise"] = own.standardise;
  config["train_images"] = task.images.train;
  config["stage1"] = task.schedule.stage1;
  config["stage2"] = task.schedule.stage2;
  config["finetune"] = task.schedule.finetune;
  return config;
}

Plan plan_of(const Study& study, const experiment::Options& options, const Own& own) {
  Plan plan;
  plan.study = &study;
  plan.task = task_of(study, options, own.lengths);
  if (own.init == "random") plan.task.start = Start::random;
  if (own.init != "random" && &study == &conv_study()) plan.task.start = Start::dense;
  plan.from_checkpoint = own.init == "dense-checkpoint";
  plan.standardised = own.standardise;
  plan.device = Device::parse(options.device);
  plan.memory = options.memory;
  plan.out = &std::cout;
  return plan;
}

// Measures what was trained; writes results.json, epochs.csv and the page; prints tables and claims.
void write_out(const Plan& plan, const experiment::Options& options) {
  experiment::RunFolder& folder = *plan.folder;
  const Facts facts =
      gather_facts(plan, options.arms, options.seed_list(), options.scale != experiment::Scale::kSmoke);
  experiment::Results results =
      experiment::collect_results(plan.study->name, plan.problem->description, options, folder);
  results.claims = claims_of(facts, *plan.study, options);
  results.extra = facts_json(facts);
  folder.write_results(experiment::results_json(results));
  write_file_atomically(folder.path() / "epochs.csv", epochs_csv(*plan.study, folder.read_log()));
  const std::filesystem::path page = folder.path() / "report.html";
  make_report(plan, facts, results).write(page);
  for (const experiment::Table& table :
       {arms_table(plan, facts), points_table(plan, facts), curve_table(facts), steps_table(facts)})
    if (!table.rows.empty()) std::cout << '\n' << experiment::to_text(table, 200);
  std::cout << '\n'
            << plan.problem->description << "\n\n"
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
}

int run(const Study& study, experiment::Options options, const Own& own) {
  Plan plan = plan_of(study, options, own);
  options.arms = with_starts(study, options.arms, plan.from_checkpoint);
  experiment::RunFolder folder(options.out, config_json(options, own, plan.task), options.resume);
  const experiment::ImageProblem problem = experiment::load_images(options.data, plan.task.images);
  plan.problem = &problem;
  plan.folder = &folder;
  std::cout << problem.description << std::endl;
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list()) run_arm(plan, study.recipe(arm), seed);
  write_out(plan, options);
  return 0;
}

}  // namespace

int run_program(const Study& study, int argc, char** argv) {
  experiment::OptionParser parser(study.spec());
  Own own;
  parser.add_choice("init",
                    "how factors begin: the SVD of a new network's weights, the authors' random numbers, "
                    "or the SVD of a trained one",
                    own.init, {"svd", "random", "dense-checkpoint"});
  parser.add_flag("standardise", "compute the factors anew between the stages", own.standardise);
  parser.add("train-images", "training images; 0: those of the scale", own.lengths.train_images);
  parser.add("stage1", "epochs at full rank; 0: those of the scale", own.lengths.stage1);
  parser.add("stage2", "epochs under the sparsifier; 0: those of the scale", own.lengths.stage2);
  parser.add("finetune", "epochs after pruning; 0: those of the scale", own.lengths.finetune);
  return experiment::run_program(
      parser, argc, argv, [&](const experiment::Options& options) { return run(study, options, own); });
}

}  // namespace tenon::svd_training
