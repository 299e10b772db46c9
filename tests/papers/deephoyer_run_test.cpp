// DeepHoyer's stages end to end on made-up images: a killed run goes on to the same bits, whatever the number of
// threads; and how the claims are judged.
#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

#include "core/random.h"
#include "nn/checkpoint.h"
#include "papers/deephoyer/judgement.h"
#include "papers/deephoyer/training.h"
#include "tests/papers/killed_run.h"
#include "tests/papers/made_up_problem.h"
#include "tests/papers/verdicts.h"
#include "tests/temporary_folder.h"

namespace tenon::deephoyer {
namespace {

experiment::ImageProblem made_up_problem() {
  Generator shapes(5, 1);
  const Tensor base = random_uniform({10, 1, 28, 28}, shapes);
  return test::image_problem("made-up patterns", 10, test::noisy_copies(base, 1000, 1),
                             test::noisy_copies(base, 200, 2), test::noisy_copies(base, 200, 3));
}

const char* const kArms[] = {"dense", "hs-2e-4", "l0-0.1"};

// Runs the arms in `folder` at smoke scale; goes on with what is there.
void run_in(const std::filesystem::path& path, int threads) {
  test::train_in(path, threads, [](experiment::RunFolder& folder, std::ostream& progress) {
    const experiment::ImageProblem problem = made_up_problem();
    const Plan plan{&problem, &folder, experiment::Scale::kSmoke, &progress, Device::cpu()};
    for (const char* arm : kArms) run_arm(plan, recipe_of(arm), 1);
  });
}

}  // namespace

// Not a test of its own: the process that the next test kills.
TEST_CASE("deephoyer: the run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE("deephoyer: a run that is killed with SIGKILL goes on to the same bits, on one thread and on two") {
  // Files: dense; penalty and three points;
  // penalty and one point; three results.
  test::check_killed_run("deephoyer: the run that is killed", 10, run_in);
}

TEST_CASE("deephoyer: on the CUDA device the arms take the same course as on the host") {
  if (!Device::has_cuda()) {
    MESSAGE("skipped: no device");
    return;
  }
  const test::TemporaryFolder temporary;
  experiment::ImageProblem problem = made_up_problem();
  problem.train.resize(100);
  std::vector<double> losses[2];
  for (Device device : {Device::cpu(), Device::cuda()}) {
    std::ostringstream progress;
    experiment::RunFolder folder(temporary.path() / device.str(), Json::object({{"data", "made up"}}), false);
    const Plan plan{&problem, &folder, experiment::Scale::kSmoke, &progress, device};
    for (const char* arm : {"dense", "hs-2e-4", "l0-0.1"}) run_arm(plan, recipe_of(arm), 1);
    std::istringstream log(test::text_of(folder.path() / "log.jsonl"));
    for (std::string line; std::getline(log, line);)
      losses[device.is_cuda() ? 1 : 0].push_back(Json::parse(line, "log.jsonl").at("loss").as_real());
  }
  REQUIRE(losses[0].size() == losses[1].size());
  CHECK(losses[0].size() > 5);
  for (size_t i = 0; i < losses[0].size(); ++i)
    CHECK(losses[1][i] == doctest::Approx(losses[0][i]).epsilon(1e-3));
}

TEST_CASE("deephoyer: masked weights stay zero through finetuning, and what was learned stays") {
  const test::TemporaryFolder temporary;
  run_in(temporary.path() / "run", 1);
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), true);
  const Recipe& recipe = recipe_of("hs-2e-4");
  auto before = make_network(recipe.network, 1), after = make_network(recipe.network, 1);
  before->load_state(experiment::stage_state(folder, recipe.arm, 1, "penalty"));
  after->load_state(experiment::stage_state(folder, recipe.arm, 1, point_stage(recipe, 0.1)));
  const Masks masks = cut(*before, {.std_multiple = 0.1});
  CHECK(masks.kept() < masks.total());
  const std::vector<Variable> parameters = after->parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const std::vector<float> w = parameters[i].value().to_vector<float>();
    const std::vector<uint8_t> keep = masks.entries()[i].keep.to_vector<uint8_t>();
    for (size_t j = 0; j < w.size(); ++j)
      if (keep[j] == 0) REQUIRE(w[j] == 0);
  }
  CHECK(experiment::accuracy(*after, made_up_problem().test) > 0.8);
  CHECK_THROWS_WITH_AS(before->load_state(experiment::stage_state(folder, recipe.arm, 2, "penalty")),
                       doctest::Contains("seed 2"), Error);
}

// ---- claims ----------------------------------------------------------------------------------------------------

namespace {

PointFacts point_of(const char* arm, int64_t seed, double point, double test, double validation,
                    int64_t nonzero) {
  PointFacts f;
  f.recipe = &recipe_of(arm);
  f.seed = seed;
  f.point = point;
  f.final_test = test;
  f.final_validation = validation;
  f.dense_test = f.before_test = f.cut_test = 0.98;
  f.magnitude_cut_test = 0.5;
  f.weights = 100000;
  f.nonzero = nonzero;
  f.hoyer_square = 0.5 * static_cast<double>(nonzero);
  f.dense_macs = 100000;
  f.shrunk.macs = nonzero;
  f.shrunk.dense_ms = 1;
  f.shrunk.shrunk_ms = 0.1;
  f.sparse.batch_128 = {1, 0.1};
  f.sparse.batch_1 = {0.1, 0.02};
  return f;
}

}  // namespace

TEST_CASE("deephoyer: claims are judged at the point that validation accuracy chooses") {
  Facts facts;
  for (int64_t seed : {1, 2, 3}) {
    facts.points.push_back(
        point_of("hs-2e-4", seed, 0.03, 0.978, 0.990, 2600));  // chosen, though worse on test images
    facts.points.push_back(point_of("hs-2e-4", seed, 0.08, 0.985, 0.980, 2000));
    facts.points.push_back(point_of("hs-2e-4", seed, 0.1, 0.979, 0.979, 1500));
  }
  experiment::Options options;
  options.data = "mnist";
  options.seeds = 3;
  const auto claims = claims_of(facts, options);
  using experiment::Verdict;
  using test::verdict_of;
  CHECK(verdict_of(claims, "1a") == Verdict::kFails);  // 97.8 < 97.9
  CHECK(verdict_of(claims, "1b") == Verdict::kHolds);  // 97.9 at 1.5 %
  CHECK(verdict_of(claims, "2a") == Verdict::kNotRun);
  CHECK(verdict_of(claims, "3") == Verdict::kHolds);
  CHECK(verdict_of(claims, "4") == Verdict::kHolds);
  CHECK(verdict_of(claims, "6a") == Verdict::kNotRun);
  CHECK(verdict_of(claims, "8b") == Verdict::kHolds);
  facts.points[1].sparse.batch_128.sparse_ms = 1;  // one seed: no faster than dense
  CHECK(verdict_of(claims_of(facts, options), "8b") == Verdict::kFails);
  for (PointFacts& f : facts.points) f.nonzero = 2600;
  CHECK(verdict_of(claims_of(facts, options), "8b") == Verdict::kNotRun);
}

TEST_CASE("deephoyer: densities are compared at 98 %, and a method that does not get there is told so") {
  Facts facts;
  const auto add_points = [&](const char* arm, double validation, int64_t nonzero) {
    for (int64_t seed : {1, 2, 3})
      for (double point : {0.1, 0.05})
        facts.points.push_back(point_of(arm, seed, point, 0.98, validation, nonzero));
  };
  add_points("hs-2e-4", 0.975, 1000);
  add_points("hs-5e-5", 0.981, 2000);
  add_points("magnitude", 0.97, 3000);
  experiment::Options options;
  options.data = "mnist";
  options.seeds = 3;
  using experiment::Verdict;
  const auto judged = [&](const char* id) { return test::judgement_of(claims_of(facts, options), id); };
  CHECK(judged("2a").verdict == Verdict::kNotRun);  // two points of magnitude
  CHECK(judged("2b").verdict == Verdict::kNotRun);
  add_points("l1-3e-5", 0.982, 1800);
  add_points("l1-1e-4", 0.981, 1600);
  CHECK(judged("2b").verdict == Verdict::kFails);  // 1.25 times L1's
  for (PointFacts& f : facts.points)
    if (f.recipe->arm == "hs-5e-5") f.nonzero = 1700;
  CHECK(judged("2b").verdict == Verdict::kHolds);
  for (PointFacts& f : facts.points)
    if (f.recipe->arm == "hs-5e-5") f.final_validation = 0.979;
  CHECK(judged("2b").verdict == Verdict::kFails);
  CHECK(judged("2b").reason.find("validation accuracy of HS's best point") != std::string::npos);
  for (PointFacts& f : facts.points)
    f.final_validation = f.recipe->arm.rfind("l1", 0) == 0 ? 0.979
                         : f.recipe->arm == "hs-5e-5"      ? 0.981
                                                           : 0.97;
  CHECK(judged("2b").verdict == Verdict::kNotRun);
  CHECK(judged("2b").reason.find("no point of L1") != std::string::npos);
}

TEST_CASE("deephoyer: MNIST's bars are not judged on other data, nor at smoke scale, nor on fewer seeds") {
  Facts facts;
  facts.points.push_back(point_of("hs-2e-4", 1, 0.03, 0.999, 0.999, 100));
  experiment::Options options;
  options.data = "fashion_mnist";
  using experiment::Verdict;
  using test::verdict_of;
  CHECK(verdict_of(claims_of(facts, options), "1a") == Verdict::kNotJudged);
  options.data = "mnist";
  CHECK(test::judgement_of(claims_of(facts, options), "1a").reason.find("3 seeds") != std::string::npos);
  options.scale = experiment::Scale::kSmoke;
  CHECK(verdict_of(claims_of(facts, options), "1a") == Verdict::kNotJudged);
  options.scale = experiment::Scale::kPaper;
  for (const char* id : {"1a", "1b", "3"})
    CHECK(test::judgement_of(claims_of(facts, options), id).reason == "needs 3 seeds, has 1");
  for (int64_t seed : {2, 3}) facts.points.push_back(point_of("hs-2e-4", seed, 0.03, 0.999, 0.999, 100));
  CHECK(verdict_of(claims_of(facts, options), "1a") == Verdict::kHolds);
  CHECK(verdict_of(claims_of(facts, options), "3") == Verdict::kHolds);
}

}  // namespace tenon::deephoyer
