// The experiments of AutoGrow: grows and trains the arms that the command line names, measures what they left, and writes the
// run's folder with results.json and report.html.
#include <iostream>

#include "papers/autogrow/report.h"
#include "papers/experiment/program.h"

using namespace tenon;

namespace {

/// What the command line adds to the shared options. 0 leaves the choice to the scale.
struct Settings {
  int64_t train_images = 0, interval = 0, window = 0, tail = 0, max_depth = 0, max_epochs = 0;
};

autogrow::Schedule schedule_of(experiment::Scale scale, const Settings& settings) {
  autogrow::Schedule schedule = autogrow::schedule_of(scale);
  if (settings.train_images > 0) schedule.train = settings.train_images;
  if (settings.interval > 0) schedule.interval = settings.interval;
  if (settings.window > 0) schedule.window = settings.window;
  if (settings.tail > 0) schedule.tail = settings.tail;
  if (settings.max_depth > 0) schedule.max_depth = settings.max_depth;
  if (settings.max_epochs > 0) schedule.max_epochs = settings.max_epochs;
  return schedule;
}

Json identity(const experiment::Options& options, const autogrow::Schedule& schedule) {
  Json out = experiment::identity_json(options);
  out["train_images"] = schedule.train;
  out["interval"] = schedule.interval;
  out["window"] = schedule.window;
  out["tail"] = schedule.tail;
  out["max_depth"] = schedule.max_depth;
  out["max_epochs"] = schedule.max_epochs;
  return out;
}

int run(experiment::Options options, const autogrow::Schedule& schedule) {
  options.arms = autogrow::with_needed(options.arms);
  experiment::RunFolder folder(options.out, identity(options, schedule), options.resume);
  const experiment::ImageProblem problem = autogrow::load_problem(options, schedule);
  std::cout << problem.description << std::endl;
  const autogrow::Plan plan{&problem,      &folder, schedule, &std::cout, Device::parse(options.device),
                            options.memory};
  const bool smoke = options.scale == experiment::Scale::kSmoke;
  const double rate = autogrow::measured_rate(plan, smoke ? 1 : 11);
  std::cout << "training steps of a 3-3-3: " << experiment::format_number(rate, 1)
            << " * 10^9 multiply-accumulates a second of one thread" << std::endl;
  for (const std::string& arm : options.arms)
    for (int64_t seed : options.seed_list()) autogrow::run_arm(plan, autogrow::recipe_of(arm), seed);

  autogrow::Facts facts = autogrow::gather_facts(plan, options.arms, options.seed_list());
  facts.giga_macs_per_second = rate;
  experiment::Results results = experiment::collect_results("autogrow", problem.description, options, folder);
  results.claims = autogrow::claims_of(plan, facts, options);
  results.extra = Json::object({{"settings", identity(options, schedule)}, {"giga_macs_per_second", rate}});
  folder.write_results(experiment::results_json(results));
  const std::filesystem::path page = folder.path() / "report.html";
  autogrow::make_report(plan, facts, results).write(page);
  std::cout << '\n'
            << experiment::to_text(autogrow::published_table(plan, facts), 170) << '\n'
            << experiment::to_text(autogrow::arms_table(plan, facts), 200) << '\n'
            << experiment::to_text(experiment::claims_table(results.claims), 150)
            << "\nThe page: " << page.string() << std::endl;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  experiment::OptionParser parser(autogrow::experiment_spec());
  parser.add("train-images", "training images; 0: those of the scale", settings.train_images);
  parser.add("interval", "K, epochs from growth to growth; 0: those of the scale", settings.interval);
  parser.add("window", "J, epochs over which accuracy must gain; 0: those of the scale", settings.window);
  parser.add("tail", "epochs after growth; 0: those of the scale", settings.tail);
  parser.add("max-depth", "limit of blocks a stage; 0: that of the scale", settings.max_depth);
  parser.add("max-epochs", "limit of growing epochs; 0: that of the scale", settings.max_epochs);
  return experiment::run_program(parser, argc, argv, [&](const experiment::Options& options) {
    return run(options, schedule_of(options.scale, settings));
  });
}
