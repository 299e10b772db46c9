// Joint Pruning's arms end to end on made-up images: a killed run goes on to the same bits, and how claims are judged.
#include <doctest/doctest.h>

#include "core/ops/elementwise.h"
#include "papers/joint_pruning/judgement.h"
#include "papers/joint_pruning/latency.h"
#include "tests/papers/killed_run.h"
#include "tests/papers/made_up_problem.h"
#include "tests/temporary_folder.h"

namespace tenon::joint_pruning {
namespace {

experiment::ImageProblem made_up_problem() {
  Generator shapes(5, 1);
  const Tensor base = mul(random_uniform({10, 1, 28, 28}, shapes),
                          random_bernoulli({10, 1, 28, 28}, shapes, 0.3).to(float32));
  return test::image_problem("made-up patterns", 10, test::noisy_copies(base, 300, 1),
                             test::noisy_copies(base, 50, 2), test::noisy_copies(base, 50, 3));
}

// One of every method, and random winners and thresholds.
const char* const kArms[] = {"dense",          "wp",           "jp-12-24",  "jp-auto",  "ap-12-24",
                             "reversed-12-24", "random-12-24", "l1a-12-24", "v2-12-24", "static-12-24"};

void run_in(const std::filesystem::path& path, int threads) {
  test::train_in(path, threads, [](experiment::RunFolder& folder, std::ostream& progress) {
    const experiment::ImageProblem problem = made_up_problem();
    const Plan plan{&problem, &folder, experiment::Scale::kSmoke, &progress};
    for (const char* arm : kArms) run_arm(plan, recipe_of(arm), 1);
  });
}

}  // namespace

// Not a test of its own: the process that the next test kills.
TEST_CASE("joint pruning: the run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE(
    "joint pruning: a run that is killed with SIGKILL goes on to the same bits, on one thread and on two") {
  // Files: dense 1, WP 4, five of one stage,
  // reversed and simultaneous 4 each, and ten results.
  test::check_killed_run("joint pruning: the run that is killed", 29, run_in);
}

TEST_CASE("joint pruning: what arms leave is built again, exact and judged") {
  const test::TemporaryFolder temporary;
  run_in(temporary.path() / "run", 1);
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), true);
  const experiment::ImageProblem problem = made_up_problem();
  const Facts facts = gather_facts(folder, {"dense", "wp", "jp-12-24", "static-12-24", "jp-6-15"}, {1});
  REQUIRE(facts.arms.size() == 4);
  for (const ArmFacts& f : facts.arms) {
    MaskedNet net = final_net(folder, *f.recipe, f.seed);
    INFO(f.recipe->arm);
    CHECK(experiment::accuracy(*net.chain, problem.test) == f.final.test);
    CHECK(count(net, training_images(problem, 1000)).pair_share() == f.count.pair_share());
  }
  const ArmFacts& jp = *facts.find("jp-12-24", 1);
  CHECK(jp.count.weight_share() <= 0.101);
  CHECK(jp.count.activation_share() <= 0.175);
  CHECK(facts.find("wp", 1)->sensitivity.size() == 2);

  const std::vector<Latency> latencies = measure_latencies(folder, facts, problem);
  REQUIRE(latencies.size() == 1);
  CHECK(latencies[0].largest_error < 1e-5);
  CHECK(latencies[0].winner_misses == 0);
  CHECK(latencies[0].pair_error == 0);

  experiment::Options options;
  options.data = "mnist";
  int judged = 0;
  for (const experiment::Claim& claim : claims_of(facts, latencies, options)) {
    const experiment::Verdict verdict = experiment::judge(claim).verdict;
    INFO("claim ", claim.id, ": ", experiment::verdict_name(verdict));
    if (claim.id == "9") CHECK(verdict == experiment::Verdict::kHolds);
    if (claim.id == "1c") CHECK(verdict == experiment::Verdict::kNotJudged);  // needs the full schedule
    if (claim.id == "1d") CHECK(verdict == experiment::Verdict::kNotRun);
    if (claim.id == "8") CHECK(false);  // of another data set
    judged += verdict == experiment::Verdict::kHolds || verdict == experiment::Verdict::kFails ? 1 : 0;
  }
  CHECK(judged >= 4);
}

}  // namespace tenon::joint_pruning
