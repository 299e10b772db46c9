// TRP's arms end to end on made-up images: a killed run goes on to the same bits, what is decomposed computes what was
// trained; and how the claims are judged.
#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

#include "core/ops/elementwise.h"
#include "papers/trp/experiment.h"
#include "papers/trp/judgement.h"
#include "tests/papers/killed_run.h"
#include "tests/papers/made_up_problem.h"
#include "tests/papers/verdicts.h"
#include "tests/temporary_folder.h"

namespace tenon::trp {
namespace {

// Ten patterns, `looked_at` of them held out and as many for testing.
experiment::ImageProblem made_up_problem(int64_t train, int64_t looked_at = 40) {
  Generator shapes(5, 1);
  const Tensor base = random_uniform({10, 1, 8, 8}, shapes);
  return test::image_problem("made-up patterns", 10, test::noisy_copies(base, train, 1),
                             test::noisy_copies(base, looked_at, 2), test::noisy_copies(base, looked_at, 3));
}

Plan small_plan(const experiment::ImageProblem& problem, experiment::RunFolder& folder, std::ostream& out) {
  Plan plan;
  plan.problem = &problem;
  plan.folder = &folder;
  plan.network = "resnet8";
  plan.schedule = {
      .epochs = 2, .finetune_epochs = 1, .batch = 25, .lr = 0.05, .milestones = {1}, .period = 3};
  plan.strided = true;
  plan.out = &out;
  plan.timed_runs = 1;
  return plan;
}

const char* const kArms[] = {"baseline", "trp-nu-spatial-0.1", "zhang", "filters"};

// Runs the arms in `folder`; goes on with what is there.
void run_in(const std::filesystem::path& path, int threads) {
  test::train_in(path, threads, [](experiment::RunFolder& folder, std::ostream& progress) {
    const experiment::ImageProblem problem = made_up_problem(100);
    const Plan plan = small_plan(problem, folder, progress);
    for (const char* arm : kArms) run_arm(plan, recipe_of(Row::ijcai, arm), 1);
  });
}

}  // namespace

// Not a test of its own: the process that the next test kills.
TEST_CASE("trp: the run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE("trp: a run that is killed with SIGKILL goes on to the same bits, on one thread and on two") {
  // Files: two trained networks, twelve finetuned, four results.
  test::check_killed_run("trp: the run that is killed", 18, run_in);
}

TEST_CASE("trp: what an arm leaves is built again from its files, and the log tells of every cut") {
  const test::TemporaryFolder temporary;
  std::ostringstream progress;
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), false);
  const experiment::ImageProblem problem = made_up_problem(200);
  const Plan plan = small_plan(problem, folder, progress);
  const std::vector<std::string> arms =
      with_needed(Row::ijcai, {"trp-spatial-0.1", "basic-as-trp-spatial-0.1", "random-ranks-trp-spatial-0.1",
                               "scratch-trp-spatial-0.1", "zhang", "filters"});
  for (const std::string& arm : arms) run_arm(plan, recipe_of(Row::ijcai, arm), 1);
  const Facts facts = gather_facts(plan, arms, {1, 2});
  REQUIRE(facts.points.size() == 3 + 1 + 1 + 1 + 6 + 6);
  for (const PointFacts& f : facts.points) {
    CAPTURE(f.recipe->arm);
    CAPTURE(f.name);
    const Json result = folder.arm(f.recipe->arm, 1).result();
    for (const Json& point : result.at("points").items()) {
      if (point.at("name").as_string() != f.name) continue;
      // The network as it is on disk has the accuracy and the cost that were noted when it was trained.
      auto net = point_network(plan, *f.recipe, 1, point);
      CHECK(experiment::accuracy(*net, problem.test) == f.delivered_test());
      CHECK(point.at("macs").as_integer() == f.macs);
    }
    CHECK(f.macs <= f.dense_macs);
    if (f.recipe->method == Method::basic) CHECK(f.macs <= facts.points.front().macs);
    CHECK(f.batch_128.ms > 0);
  }
  REQUIRE(facts.ranks.size() == 1);
  CHECK(facts.ranks[0].cuts.size() == 6);  // 16 steps, every third
  CHECK(facts.ranks[0].epochs.back() == 2);
  CHECK(facts.ranks[0].under_proof().rises == 0);
  CHECK(facts.ranks[0].under_theorem().pairs <= facts.ranks[0].under_proof().pairs);
  // The parameter that training left is of full rank by what the last steps added; the value rule sees through it.
  CHECK(facts.controls.size() == 1);
  CHECK(facts.controls[0].cuts.back().layers.back().rank <= 10);
  CHECK(facts.shares.size() == 1);
  CHECK_THROWS_WITH_AS(trained_network(plan, "baseline", 2), doctest::Contains("seed 2"), Error);
  CHECK(facts_json(facts).at("points").size() == facts.points.size());
}

TEST_CASE("trp: on the CUDA device an arm takes the same course as on the host") {
  if (!Device::has_cuda()) {
    MESSAGE("skipped: no device");
    return;
  }
  const test::TemporaryFolder temporary;
  const experiment::ImageProblem problem = made_up_problem(10, 5);  // the emulation is slow
  std::vector<double> losses[2];
  for (Device device : {Device::cpu(), Device::cuda()}) {
    std::ostringstream progress;
    experiment::RunFolder folder(temporary.path() / device.str(), Json::object({{"data", "made up"}}), false);
    Plan plan = small_plan(problem, folder, progress);
    plan.device = device;
    plan.schedule.batch = 5;
    run_arm(plan, recipe_of(Row::ijcai, "trp-nu-channel-0.1"), 1);
    for (const Json& line : folder.read_log())
      losses[device.is_cuda() ? 1 : 0].push_back(line.at("loss").as_real());
  }
  REQUIRE(losses[0].size() == 2);
  for (size_t i = 0; i < 2; ++i) CHECK(losses[1][i] == doctest::Approx(losses[0][i]).epsilon(1e-3));
}

// ---- claims ------------------------------------------------------------------------------------------------------------

namespace {

PointFacts point_of(const char* arm, const char* name, int64_t seed, double dense, double cut, double final,
                    int64_t macs) {
  PointFacts f;
  f.recipe = &recipe_of(Row::ijcai, arm);
  f.seed = seed;
  f.name = name;
  f.dense_test = dense;
  f.cut_test = cut;
  f.final_test = final;
  f.dense_macs = 1000;
  f.macs = macs;
  f.batch_128 = {2, 1};
  return f;
}

}  // namespace

TEST_CASE("trp: claims compare a network as it was cut with a finetuned one, over the seeds that both have") {
  Facts facts;
  for (int64_t seed : {1, 2, 3}) {
    facts.dense.push_back({&recipe_of(Row::ijcai, "baseline"), seed, 0.87, 0.87});
    facts.dense.push_back({&recipe_of(Row::ijcai, "trp-spatial-0.02"), seed, 0.86, 0.86});
    facts.points.push_back(point_of("trp-spatial-0.02", "value", seed, 0.86, 0.86, NAN, 400));
    facts.points.push_back(
        point_of("basic-as-trp-spatial-0.02", "as-trp-spatial-0.02", seed, 0.87, 0.7, 0.862, 400));
  }
  for (int64_t seed : {1, 2, 3}) {
    RankFacts ranks;
    ranks.recipe = &recipe_of(Row::ijcai, "trp-spatial-0.02");
    ranks.seed = seed;
    ranks.cuts = {{0, {{40, NAN, NAN}}, {}}, {20, {{30, 0.2, 0.1}}, {}}, {40, {{31, 0.2, 0.15}}, {}}};
    ranks.epochs = {1, 2, 2};
    facts.ranks.push_back(ranks);
  }
  Plan plan;
  plan.network = "resnet8";
  experiment::Options options;
  options.data = "fashion_mnist";
  options.seeds = 3;
  using experiment::Verdict;
  using test::verdict_of;
  auto verdict = [&](const char* id) { return verdict_of(claims_of(plan, facts, options), id); };
  CHECK(verdict("1a") == Verdict::kHolds);
  CHECK(verdict("1b") == Verdict::kHolds);
  CHECK(verdict("2 spatial 0.02") == Verdict::kHolds);  // 86.0 against 86.2 − 0.3
  CHECK(verdict("3 spatial") == Verdict::kNotRun);
  CHECK(verdict("5 spatial") == Verdict::kNotRun);
  CHECK(verdict("6a") == Verdict::kFails);  // one rise of two
  CHECK(verdict("6b") == Verdict::kHolds);
  CHECK(verdict("6c") == Verdict::kHolds);  // sqrt(0.02) = 0.141 is below both quotients there
  CHECK(verdict("7 trp-spatial-0.02") == Verdict::kHolds);
  CHECK(verdict("8") == Verdict::kNotRun);
  CHECK(verdict("10a") == Verdict::kHolds);
  CHECK(verdict("10b") == Verdict::kHolds);  // (2 - 1) / (2.5 - 1)
  facts.ranks[0].cuts[2].layers[0] = {31, 0.2, 0.1};
  CHECK(verdict("6c") == Verdict::kFails);  // the proof promised that there is none
  facts.points[1].final_test = 0.88;        // one seed: better than TRP
  CHECK(verdict("2 spatial 0.02") == Verdict::kFails);
  for (PointFacts& f : facts.points) f.batch_128 = {1, 1.1};
  CHECK(verdict("10a") == Verdict::kFails);
  options.scale = experiment::Scale::kSmoke;
  CHECK(verdict("1a") == Verdict::kNotJudged);
  facts.points.resize(2);
  options.scale = experiment::Scale::kScaled;
  facts.ranks.resize(1);
  for (const char* id : {"1a", "6a", "6b", "10a", "10b"})  // one seed of three
    CHECK(test::judgement_of(claims_of(plan, facts, options), id).reason == "needs 3 seeds, has 1");
}

TEST_CASE("trp: a published row is judged on its own network, data and schedule alone") {
  Facts facts;
  facts.dense.push_back({&recipe_of(Row::ijcai, "trp-spatial-0.02"), 1, 0.92, 0.92});
  facts.points.push_back(point_of("trp-spatial-0.02", "value", 1, 0.92, 0.92, NAN, 300));
  Plan plan;
  plan.network = "resnet20";
  experiment::Options options;
  options.data = "cifar10";
  const char* id = "P resnet20 trp-spatial";
  using experiment::Verdict;
  using test::verdict_of;
  CHECK(verdict_of(claims_of(plan, facts, options), id) == Verdict::kNotJudged);
  options.scale = experiment::Scale::kPaper;
  CHECK(verdict_of(claims_of(plan, facts, options), id) == Verdict::kHolds);
  facts.points[0].macs = 500;  // 2x where 2.66x is published
  CHECK(verdict_of(claims_of(plan, facts, options), id) == Verdict::kFails);
}

TEST_CASE("trp: settings that are left open are chosen by data and scale") {
  experiment::Options options;
  options.data = "fashion_mnist";
  Settings settings = resolved({}, options);
  CHECK(settings.network == "resnet8");
  CHECK(settings.strided == "yes");
  CHECK(settings.train_images == 12000);
  options.data = "cifar10";
  settings = resolved({}, options);
  CHECK(settings.network == "resnet20");
  CHECK(settings.strided == "no");
  options.scale = experiment::Scale::kPaper;
  CHECK(resolved({}, options).epochs == 164);
  CHECK(resolved({}, options).train_images == 0);
  settings.network = "resnet18";
  CHECK_THROWS_WITH_AS(resolved(settings, options), doctest::Contains("ImageNet"), Error);
}

}  // namespace tenon::trp
