// AutoGrow's arms end to end on made-up images: a killed run goes on to the same bits, what it says of its growth is true, and
// how claims are judged.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/ops/elementwise.h"
#include "papers/autogrow/published.h"
#include "papers/autogrow/report.h"
#include "tests/papers/killed_run.h"
#include "tests/papers/made_up_problem.h"
#include "tests/temporary_folder.h"

namespace tenon::autogrow {
namespace {

experiment::ImageProblem made_up_problem() {
  Generator shapes(5, 1);
  const Tensor base = random_uniform({4, 1, 8, 8}, shapes);
  return test::image_problem("made-up patterns", 4, test::noisy_copies(base, 80, 1),
                             test::noisy_copies(base, 40, 2), test::noisy_copies(base, 40, 3));
}

Plan small_plan(const experiment::ImageProblem& problem, experiment::RunFolder& folder, std::ostream& out) {
  Plan plan;
  plan.problem = &problem;
  plan.folder = &folder;
  plan.schedule = schedule_of(experiment::Scale::kSmoke);
  plan.schedule.batch = 20;
  plan.schedule.width3 = plan.schedule.width4 = 3;
  plan.out = &out;
  return plan;
}

// Every method, every family, and every kind of growth.
const std::vector<std::string> kArms = {
    "p-gau",         "p-adam",      "p-gau-quarter",    "p-gau-reset", "c-gau",
    "clock",         "seed",        "c-gau-stairs",     "scratch",     "depth-2",
    "morphism-adam", "plain-p-gau", "bottleneck4-p-gau"};

void run_in(const std::filesystem::path& path, int threads) {
  test::train_in(path, threads, [](experiment::RunFolder& folder, std::ostream& progress) {
    const experiment::ImageProblem problem = made_up_problem();
    const Plan plan = small_plan(problem, folder, progress);
    for (const std::string& arm : with_needed(kArms)) run_arm(plan, recipe_of(arm), 1);
  });
}

}  // namespace

// Not a test of its own: the process that the next test kills.
TEST_CASE("autogrow: the run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE("autogrow: a run that is killed with SIGKILL goes on to the same bits, on one thread and on two") {
  // Files: growth and tail of seven grown
  // arms, growth of the clock and of the staircase; two of `seed` and of morphism, one of `scratch` and of `depth-2`;
  // thirteen results.
  test::check_killed_run("autogrow: the run that is killed", 14 + 2 + 6 + 13, run_in);
}

TEST_CASE("autogrow: what a run says of its growth is true, and is judged") {
  const test::TemporaryFolder temporary;
  run_in(temporary.path() / "run", 1);
  std::ostringstream progress;
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), true);
  const experiment::ImageProblem problem = made_up_problem();
  const Plan plan = small_plan(problem, folder, progress);
  const Facts facts = gather_facts(plan, kArms, {1});
  REQUIRE(facts.arms.size() == kArms.size());
  const std::vector<Json> log = folder.read_log();
  for (const ArmFacts& f : facts.arms) {
    INFO(f.recipe->arm);
    // The policy, told the logged accuracies, does what was done; and the last checkpoint has those blocks.
    if (f.growing_epochs > 0) {
      GrowthPolicy policy(policy_options(plan, *f.recipe),
                          Depths(static_cast<size_t>(stages_of(f.recipe->family)), 1));
      for (const Json& line : log)
        if (line.at("arm").as_string() == f.recipe->arm && !policy.ended())
          policy.observe(100 * line.at("validation").as_real());
      CHECK(policy.ended());
      CHECK(policy.events() == f.events);
      CHECK(policy.depths() == f.depths);
      CHECK(policy.epochs() == f.growing_epochs);
      CHECK(f.test_images_given == 0);
      if (!is_plain(f.recipe->family) && !std::isnan(f.zero_change)) CHECK(f.zero_change == 0);
    }
    const int64_t lines = std::count_if(log.begin(), log.end(), [&](const Json& line) {
      return line.at("arm").as_string() == f.recipe->arm;
    });
    CHECK(lines == f.epochs);
  }
  const auto arm = [&](const char* name) { return facts.find(name, 1); };
  CHECK(arm("p-gau")->blocks() > 3);
  CHECK(arm("scratch")->depths == arm("p-gau")->depths);
  CHECK(arm("morphism-adam")->depths == arm("p-gau")->depths);
  CHECK(arm("depth-2")->depths == Depths{2, 2, 2});
  CHECK(arm("seed")->epochs == arm("p-gau")->epochs);
  CHECK(arm("seed")->macs < arm("p-gau")->macs);
  CHECK(arm("seed")->macs == static_cast<double>(arm("seed")->epochs) * arm("seed")->scratch_epoch_macs);
  CHECK(arm("p-adam")->adam_epochs >=
        static_cast<double>(arm("p-adam")->blocks() - 3));  // an epoch a block at least
  CHECK(facts.traces_missed == 0);
  CHECK(facts.values_changed == 0);

  experiment::Options options;
  options.data = "fashion_mnist";
  int exact = 0, missing = 0;
  for (const experiment::Claim& claim : claims_of(plan, facts, options)) {
    const experiment::Verdict verdict = experiment::judge(claim).verdict;
    INFO("claim ", claim.id, ": ", experiment::verdict_name(verdict));
    for (const char* id : {"G1", "G3", "G4", "G15"})
      if (claim.id == id) {
        CHECK(verdict == experiment::Verdict::kHolds);
        ++exact;
      }
    if (claim.id == "G8" || claim.id == "G11") {
      CHECK(verdict == experiment::Verdict::kNotRun);
      ++missing;
    }
  }
  CHECK(exact == 4);
  CHECK(missing == 2);
  CHECK(make_report(plan, facts, {}).html().find("stage 1 grows") != std::string::npos);
}

TEST_CASE("autogrow: recipes and published rows name arms that there are") {
  for (const Recipe& recipe : recipes())
    if (!recipe.like.empty()) CHECK(recipe_of(recipe.like).family == recipe.family);
  for (const Published& row : published())
    if (!row.arm.empty()) CHECK(name_of(recipe_of(row.arm).family) == row.family);
  CHECK(with_needed({"plain-scratch"}) == std::vector<std::string>{"plain-p-gau", "plain-scratch"});
  CHECK(staircase(1, 14, 30) == 1);
  CHECK(staircase(1, 15, 30) == 0.1);
  CHECK(staircase(1, 23, 30) == 0.01);
  CHECK_THROWS_WITH_AS(recipe_of("p-none"), doctest::Contains("p-none"), Error);
}

}  // namespace tenon::autogrow
