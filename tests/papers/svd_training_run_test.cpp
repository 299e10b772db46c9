// SVD training's arms end to end on made-up images: a killed run goes on to the same bits, no decomposition is computed
// inside the loop, and the claims are judged by what they say.
#include <doctest/doctest.h>

#include <sstream>

#include "core/ops/elementwise.h"
#include "papers/svd_training/judgement.h"
#include "papers/svd_training/report.h"
#include "tests/papers/killed_run.h"
#include "tests/papers/made_up_problem.h"
#include "tests/papers/verdicts.h"
#include "tests/temporary_folder.h"

namespace tenon::svd_training {
namespace {

// Ten shades with noise: enough to be learned, never reported.
experiment::Labelled shades(int64_t count, uint64_t stream) {
  Generator g(6, stream);
  const Tensor labels = random_integers({count}, g, 0, 10);
  const Tensor shade = affine(labels.to(float32), 0.08, 0).reshape({count, 1, 1, 1});
  return {add(shade, random_uniform({count, 1, 8, 8}, g, 0, 0.2)), labels};
}

experiment::ImageProblem made_up_problem(int64_t training = 100, int64_t others = 40) {
  return test::image_problem("made-up shades", 10, shades(training, 1), shades(others, 2), shades(others, 3));
}

Plan small_plan(const experiment::ImageProblem& problem, experiment::RunFolder& folder, std::ostream& out) {
  Plan plan;
  plan.study = &conv_study();
  plan.task.network = Network::resnet_8;
  plan.task.schedule = {2, 2, 1, 50};
  plan.problem = &problem;
  plan.folder = &folder;
  plan.out = &out;
  return plan;
}

const std::vector<std::string> kArms = {"dense-sgd",          "channel-full",          "channel-hoyer-0.1",
                                        "channel-fixed-rank", "post-hoc-channel-data", "filters-fpgm"};

// Runs arms in `folder`; goes on with what is there.
void run_arms(const std::filesystem::path& path, int threads, const std::vector<std::string>& arms) {
  test::train_in(path, threads, [&](experiment::RunFolder& folder, std::ostream& progress) {
    const experiment::ImageProblem problem = made_up_problem();
    const Plan plan = small_plan(problem, folder, progress);
    for (const std::string& arm : arms) run_arm(plan, conv_study().recipe(arm), 1);
  });
}
void run_in(const std::filesystem::path& path, int threads) {
  run_arms(path, threads, {"channel-full", "channel-hoyer-0.1"});
}

}  // namespace

// Not a test of its own: the process that the next test kills.
TEST_CASE("svd training: the run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE(
    "svd training: a run that is killed with SIGKILL goes on to the same bits, on one thread and on two") {
  // Files: a stage of the first arm, four of the second, two results.
  test::check_killed_run("svd training: the run that is killed", 7, run_in);
}

TEST_CASE(
    "svd training: what a run leaves is measured, its epochs compute no decomposition, and the page is "
    "written") {
  const test::TemporaryFolder temporary;
  run_arms(temporary.path() / "run", 1, kArms);
  std::ostringstream progress;
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), true);
  const experiment::ImageProblem problem = made_up_problem();
  const Plan plan = small_plan(problem, folder, progress);
  const Facts facts = gather_facts(plan, kArms, {1}, false);
  REQUIRE(facts.arms.size() == kArms.size());
  REQUIRE(facts.points.size() == 4 * 3);
  for (const ArmFacts& f : facts.arms) {
    CHECK(f.svd_calls == 0);
    CHECK(f.zero_error < 1e-5);
  }
  for (const PointFacts& f : facts.points) {
    CAPTURE(f.recipe->arm);
    CHECK(f.fold_error < 1e-4);
    CHECK(f.speed_up() >= 1);
    CHECK(f.final.test >= 0);
  }
  // Ranks from scratch are those that were found.
  const auto point_of = [&](const char* arm, double point) -> const PointFacts& {
    for (const PointFacts& f : facts.points)
      if (f.recipe->arm == arm && f.point == point) return f;
    fail("no such point");
  };
  CHECK(point_of("channel-fixed-rank", 0.1).ranks == point_of("channel-hoyer-0.1", 0.1).ranks);
  CHECK(point_of("channel-hoyer-0.1", 0.2).rank < point_of("channel-hoyer-0.1", 0.01).rank);

  experiment::Options options;
  options.scale = experiment::Scale::kSmoke;
  experiment::Results results;
  results.paper = "svd_training";
  results.options = options;
  results.claims = claims_of(facts, conv_study(), options);
  const std::string page = make_report(plan, facts, results).html();
  CHECK(page.find("Singular values") != std::string::npos);
  const std::string csv = epochs_csv(conv_study(), folder.read_log());
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 1 + static_cast<int64_t>(folder.read_log().size()));
}

TEST_CASE("svd training: on the CUDA device an arm takes the same course as on the host") {
  if (!Device::has_cuda()) {
    MESSAGE("skipped: no device");
    return;
  }
  const test::TemporaryFolder temporary;
  const experiment::ImageProblem problem = made_up_problem(10, 5);  // the emulation is slow
  std::vector<double> losses[2], ranks[2];
  for (Device device : {Device::cpu(), Device::cuda()}) {
    std::ostringstream progress;
    experiment::RunFolder folder(temporary.path() / device.str(), Json::object({{"data", "made up"}}), false);
    Plan plan = small_plan(problem, folder, progress);
    plan.device = device;
    plan.task.schedule = {2, 2, 1, 5};
    run_arm(plan, conv_study().recipe("channel-full"), 1);
    for (const Json& line : folder.read_log()) {
      losses[device.is_cuda()].push_back(line.at("loss").as_real());
      ranks[device.is_cuda()].push_back(static_cast<double>(line.at("rank_99").as_integer()));
    }
  }
  REQUIRE(losses[0].size() == 2);
  CHECK(ranks[1] == ranks[0]);
  for (size_t i = 0; i < losses[0].size(); ++i)
    CHECK(losses[1][i] == doctest::Approx(losses[0][i]).epsilon(1e-3));
}

TEST_CASE("svd training: a trade-off is what no other point beats in both, joined by lines") {
  const TradeOff front({{1.5, 80}, {1, 90}, {2, 86}, {3, 70}, {1.8, 85}});  // 1.5 and 1.8 are beaten by 2
  REQUIRE(front.front().size() == 3);
  CHECK(*front.speed_up_at(88) == doctest::Approx(1.5));
  CHECK(*front.speed_up_at(60) == 3);
  CHECK_FALSE(front.speed_up_at(91).has_value());
  CHECK(*front.accuracy_at(2.5) == doctest::Approx(78));
  CHECK_FALSE(front.accuracy_at(3.5).has_value());
  CHECK_FALSE(TradeOff({}).speed_up_at(0).has_value());
}

namespace {

ArmFacts arm_of(const char* arm, int64_t seed, double orthogonality, double raw_at_tenth) {
  ArmFacts f;
  f.recipe = &conv_study().recipe(arm);
  f.seed = seed;
  f.before = {0.87, 0.87};
  f.dense_macs = 100;
  f.full_rank = 100;
  f.rank_99 = f.recipe->sparsifier == Sparsifier::none ? 100 : 60;
  f.orthogonality = orthogonality;
  f.orthogonality_rms = 0.1;
  f.gradient_ratio = 2;
  f.curve = {{1e-5, 0, 100, 100, {0.87, 0.87}, {0.87, 0.87}},
             {1e-3, 1e-3, 90, 90, {0.86, 0.86}, {0.87, 0.87}},
             {0.1, 0.1, 50, 50, {raw_at_tenth, raw_at_tenth}, {0.8, 0.8}}};
  return f;
}

}  // namespace

TEST_CASE("svd training: claims are judged against the arms that they name, with the seeds that they need") {
  using experiment::Verdict;
  using test::verdict_of;
  Facts facts;
  for (int64_t seed : {1, 2, 3})
    for (const char* arm : {"channel-none", "channel-hoyer-0.1", "channel-l1-0.1"}) {
      facts.arms.push_back(arm_of(arm, seed, 0.02, 0.7));
      if (std::string(arm) == "channel-none") continue;
      const std::string free = concat("channel-free", std::string(arm).substr(7));
      facts.arms.push_back(arm_of(free.c_str(), seed, 0.2, 0.6));
    }
  experiment::Options options;
  options.seeds = 3;
  auto claims = claims_of(facts, conv_study(), options);
  CHECK(verdict_of(claims, "2a") == Verdict::kHolds);
  CHECK(verdict_of(claims, "2c") == Verdict::kHolds);
  CHECK(verdict_of(claims, "3") == Verdict::kHolds);
  CHECK(verdict_of(claims, "5") == Verdict::kHolds);
  CHECK(verdict_of(claims, "6") == Verdict::kHolds);  // one point of two at 1e-3
  CHECK(verdict_of(claims, "9") == Verdict::kNotRun);
  CHECK(verdict_of(claims, "12") == Verdict::kNotRun);
  for (ArmFacts& f : facts.arms) f.orthogonality = 0.02;  // the penalty changed nothing
  CHECK(verdict_of(claims_of(facts, conv_study(), options), "2a") == Verdict::kFails);
  Facts penalised = facts;
  std::erase_if(penalised.arms, [](const ArmFacts& f) { return f.recipe->lambda_o == 0; });
  CHECK(test::judgement_of(claims_of(penalised, conv_study(), options), "2a").reason ==
        "needs an arm without the penalty");
  facts.arms.resize(5);  // one seed
  for (const char* id : {"2a", "2b", "2c", "5"})
    CHECK(test::judgement_of(claims_of(facts, conv_study(), options), id).reason == "needs 3 seeds, has 1");
  CHECK_THROWS_WITH_AS(conv_study().recipe("nothing"), doctest::Contains("nothing"), Error);
}

}  // namespace tenon::svd_training
