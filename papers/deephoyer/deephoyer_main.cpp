// The experiments of DeepHoyer: trains the arms that the command line names, and writes the run's folder.
#include <iostream>

#include "core/parallel.h"
#include "papers/deephoyer/arms.h"
#include "papers/deephoyer/training.h"
#include "papers/experiment/interrupt.h"
#include "papers/experiment/options.h"

using namespace tenon;

namespace {

int run(const experiment::Options& options) {
  if (options.threads > 0) set_num_threads(static_cast<int>(options.threads));
  TENON_CHECK(options.device == "cpu", "deephoyer: runs on cpu, not on ", options.device);
  experiment::RunFolder folder(options.out, experiment::identity_json(options), options.resume);
  const deephoyer::Problem problem =
      deephoyer::load_problem(options.data, options.scale == experiment::Scale::kSmoke);
  std::cout << problem.description << std::endl;
  const deephoyer::Plan plan{&problem, &folder, options.scale, &std::cout};
  for (const deephoyer::Recipe& recipe : deephoyer::recipes()) {
    if (!options.has_arm(recipe.arm)) continue;
    for (int64_t seed : options.seed_list()) {
      const Json result = deephoyer::run_arm(plan, recipe, seed);
      std::cout << recipe.arm << " seed " << seed << "  " << result.dump() << std::endl;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  experiment::OptionParser parser(deephoyer::experiment_spec());
  const experiment::ParseOutcome outcome = parser.parse(argc, argv);
  if (!outcome.options) {
    (outcome.exit_status == 0 ? std::cout : std::cerr) << outcome.message;
    return outcome.exit_status;
  }
  try {
    const experiment::InterruptGuard guard;
    return run(*outcome.options);
  } catch (const deephoyer::Interrupted& stop) {
    std::cout << stop.what() << "; --resume goes on from there\n";
    return 130;
  } catch (const Error& error) {
    std::cerr << "deephoyer: " << error.what() << '\n';
    return 1;
  }
}
