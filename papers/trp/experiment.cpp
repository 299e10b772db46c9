#include "papers/trp/experiment.h"

#include <iostream>

#include "papers/experiment/program.h"
#include "papers/experiment/training.h"
#include "papers/trp/report.h"
#include "papers/trp/shapes.h"

namespace tenon::trp {
namespace {

using experiment::Options;
using experiment::Scale;

NuclearSteps nuclear_steps_of(const std::string& name) {
  return name == "tsvd" ? NuclearSteps::tsvd : name == "every" ? NuclearSteps::every : NuclearSteps::cached;
}

Json identity(const Options& options, const Settings& settings) {
  Json out = experiment::identity_json(options);
  out["network"] = settings.network;
  out["decompose_strided"] = settings.strided;
  out["nuclear_steps"] = settings.nuclear_steps;
  out["epochs"] = settings.epochs;
  out["period"] = settings.period;
  out["train_images"] = settings.train_images;
  out["finetune_epochs"] = settings.finetune_epochs;
  out["finetune_lr"] = settings.finetune_lr;
  return out;
}

int run(Row row, Options options, const Settings& settings) {
  options.arms = with_needed(row, options.arms);
  experiment::RunFolder folder(options.out, identity(options, settings), options.resume);
  const experiment::ImageProblem problem = load_problem(options, settings);
  std::cout << problem.description << std::endl;
  Plan plan;
  plan.row = row;
  plan.problem = &problem;
  plan.folder = &folder;
  plan.network = settings.network;
  plan.schedule = with_epochs(schedule_of(options.scale), settings.epochs);
  plan.schedule.period = settings.period;
  plan.schedule.finetune_epochs = settings.finetune_epochs;
  plan.schedule.finetune_lr = settings.finetune_lr;
  plan.strided = settings.strided == "yes";
  plan.nuclear_steps = nuclear_steps_of(settings.nuclear_steps);
  plan.out = &std::cout;
  plan.device = Device::parse(options.device);
  plan.memory = options.memory;
  if (options.scale == Scale::kSmoke) plan.timed_runs = 3;
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list()) run_arm(plan, recipe_of(row, arm), seed);

  const Facts facts = gather_facts(plan, options.arms, options.seed_list());
  experiment::Results results =
      experiment::collect_results(experiment_spec(row).name, problem.description, options, folder);
  results.claims = claims_of(plan, facts, options);
  results.extra = facts_json(facts);
  results.extra["settings"] = identity(options, settings);
  folder.write_results(experiment::results_json(results));
  write_figures(plan, facts);
  const std::filesystem::path page = folder.path() / "report.html";
  make_report(plan, facts, results).write(page);
  std::cout << '\n'
            << experiment::to_text(points_table(plan, facts), 200) << '\n'
            << experiment::to_text(ranks_table(facts), 160) << '\n'
            << problem.description << ", " << settings.network << "\n\n"
            << experiment::to_text(experiment::claims_table(results.claims))
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

}  // namespace

Settings resolved(const Settings& settings, const Options& options) {
  Settings out = settings;
  const bool small = options.data == "fashion_mnist" || options.scale == Scale::kSmoke;
  if (out.network == "auto") out.network = small ? "resnet8" : "resnet20";
  TENON_CHECK(out.network != "resnet18" && out.network != "resnet50", "--network: ", out.network,
              " expects the images of ImageNet; --shapes ", out.network, " measures it without them");
  // The authors leave strided convolutions dense. Of ResNet-8 those are a fifth.
  if (out.strided == "auto") out.strided = out.network == "resnet8" ? "yes" : "no";
  const Schedule schedule = schedule_of(options.scale);
  if (out.epochs == 0) out.epochs = schedule.epochs;
  if (out.period == 0) out.period = schedule.period;
  if (out.finetune_epochs == 0) out.finetune_epochs = schedule.finetune_epochs;
  if (out.finetune_lr == 0) out.finetune_lr = schedule.finetune_lr;
  if (out.train_images == 0 && options.scale != Scale::kPaper)
    out.train_images = options.scale == Scale::kSmoke ? 400 : options.data == "cifar10" ? 10000 : 12000;
  return out;
}

experiment::ImageProblem load_problem(const Options& options, const Settings& settings) {
  experiment::ImageSetup setup;
  const bool smoke = options.scale == Scale::kSmoke, paper = options.scale == Scale::kPaper;
  setup.train = settings.train_images;
  setup.validation = smoke ? 100 : 1000;
  setup.test = smoke ? 200 : paper ? 0 : 5000;
  setup.augment.horizontal_flip = true;
  if (options.data == "cifar10") {
    setup.pool = smoke ? 2 : 1;
    setup.augment.padding = 4;
    setup.augment.mean = {0.4914F, 0.4822F, 0.4465F};
    setup.augment.std = {0.2023F, 0.1994F, 0.2010F};
  } else {
    setup.pool = paper ? 1 : 2;
    setup.augment.padding = 2;
    setup.augment.mean = {0.2860F};
    setup.augment.std = {0.3530F};
  }
  return experiment::load_images(options.data, setup);
}

int run_row(Row row, int argc, char** argv) {
  Settings settings;
  std::string shapes;
  std::filesystem::path weights;
  experiment::OptionParser parser(experiment_spec(row));
  parser.add_choice("network", "the network; auto: resnet8, on CIFAR-10 resnet20", settings.network,
                    {"auto", "resnet8", "resnet20", "resnet32", "resnet56", "resnet56b"});
  parser.add_choice("decompose-strided", "decompose 3x3 convolutions of stride 2; auto: in resnet8",
                    settings.strided, {"auto", "yes", "no"});
  parser.add_choice("nu-when", "steps on which the nuclear norm joins the gradient", settings.nuclear_steps,
                    {"cached", "tsvd", "every"});
  parser.add("epochs", "epochs of training; 0: those of the scale", settings.epochs);
  parser.add("train-images", "training images; 0: those of the scale", settings.train_images);
  parser.add("period", "m, steps from one cut to the next; 0: that of the scale", settings.period);
  parser.add("finetune-epochs", "epochs of finetuning the baselines; 0: those of the scale",
             settings.finetune_epochs);
  parser.add("finetune-lr", "their learning rate; 0: the last one of training, 0.001", settings.finetune_lr);
  parser.add("shapes", "instead of a run, one step of this network on made-up images (resnet18, resnet50)",
             shapes);
  parser.add("weights", "with --shapes: a safetensors file of trained weights", weights);
  return experiment::run_program(parser, argc, argv, [&](const experiment::Options& options) {
    if (!shapes.empty()) {
      std::cout << experiment::to_text(shapes_table(shapes, weights), 140);
      return 0;
    }
    return run(row, options, resolved(settings, options));
  });
}

}  // namespace tenon::trp
