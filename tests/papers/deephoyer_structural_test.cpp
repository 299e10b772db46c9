// DeepHoyer's larger networks: sizes against the published ones, one step of each, the cut by filters, the shrunk network
// against the masked one, a killed run, and the claims.
#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "core/ops/elementwise.h"
#include "core/random.h"
#include "nn/compress/accounting.h"
#include "nn/conv.h"
#include "papers/deephoyer/judgement.h"
#include "papers/deephoyer/shapes.h"
#include "papers/deephoyer/training.h"
#include "tests/papers/killed_run.h"
#include "tests/papers/made_up_problem.h"
#include "tests/papers/verdicts.h"
#include "tests/seed.h"
#include "tests/temporary_folder.h"

namespace tenon::deephoyer {
namespace {

// Noise whose mean tells the class: never reported.
experiment::ImageProblem made_up_problem() {
  const auto draw = [](int64_t count, uint64_t stream) {
    Generator g(5, stream);
    const Tensor labels = random_integers({count}, g, 0, 10);
    const Tensor shade = affine(labels.to(float32), 20, 20).reshape({count, 1, 1, 1});
    const Tensor grain = random_uniform({count, 1, 14, 14}, g, 0, 50);
    return experiment::Labelled{affine(add(grain, shade), 1.0 / 255, 0), labels};
  };
  return test::image_problem("made-up shades", 10, draw(200, 1), draw(60, 2), draw(60, 3));
}

const char* const kArms[] = {"resnet8-dense", "resnet8-none", "resnet8-group-hs-8e-3",
                             "resnet8-group-lasso-4e-3"};

void run_in(const std::filesystem::path& path, int threads) {
  test::train_in(path, threads, [](experiment::RunFolder& folder, std::ostream& progress) {
    const experiment::ImageProblem problem = made_up_problem();
    const Plan plan{&problem, &folder, experiment::Scale::kSmoke, &progress, Device::cpu()};
    for (const char* arm : kArms) run_arm(plan, recipe_of(arm), 1);
  });
}

int64_t weights_below(const Account& sizes, const std::string& prefix) {
  int64_t weights = 0;
  for (const LayerAccount& layer : sizes.layers)
    if (layer.name.rfind(prefix, 0) == 0) weights += layer.weights;
  return weights;
}

}  // namespace

TEST_CASE("deephoyer: the larger networks have the published layers, stage by stage") {
  // He et al. (2016), table 6: 2n layers of each width at 32, 16 and 8 pixels; the shortcuts are 1 x 1 convolutions here.
  for (auto [network, n] : {std::pair<Network, int64_t>{Network::resnet_56, 9}, {Network::resnet_110, 18}}) {
    const Account sizes = account(*make_network(network, 1), {1, 3, 32, 32});
    CHECK(weights_below(sizes, "layer1.") == 2 * n * 9 * 16 * 16);
    CHECK(weights_below(sizes, "layer2.") == 9 * 16 * 32 + (2 * n - 1) * 9 * 32 * 32 + 16 * 32);
    CHECK(weights_below(sizes, "layer3.") == 9 * 32 * 64 + (2 * n - 1) * 9 * 64 * 64 + 32 * 64);
  }
  // He et al. (2016), table 1: 3, 4, 6, 3 bottlenecks; the first of a stage has a projection.
  const Account r50 = account(*make_network(Network::resnet_50, 1), {1, 3, 224, 224});
  int64_t in = 64;
  const std::vector<std::pair<int64_t, int64_t>> table = {{3, 64}, {4, 128}, {6, 256}, {3, 512}};
  for (size_t s = 0; s < table.size(); ++s) {
    const auto [blocks, w] = table[s];
    const int64_t body = 9 * w * w + 4 * w * w;
    CHECK(weights_below(r50, concat("layer", s + 1, ".")) ==
          in * w + body + 4 * in * w + (blocks - 1) * (4 * w * w + body));
    in = 4 * w;
  }
}

TEST_CASE("deephoyer: the published schedules of the larger networks") {
  for (Network network : {Network::resnet_20, Network::resnet_56, Network::resnet_110}) {
    const Stages stages = stages_of(experiment::Scale::kPaper, network);
    CHECK(stages.batch == 128);
    for (const Schedule* s : {&stages.dense, &stages.penalty, &stages.finetune}) {
      CHECK(s->epochs == 164);
      CHECK(s->rate == 0.1);
      CHECK(s->milestones == std::vector<int64_t>{81, 122});
    }
  }
  const Stages alexnet = stages_of(experiment::Scale::kPaper, Network::alexnet);
  CHECK(alexnet.penalty.epochs == 45);
  CHECK(alexnet.penalty.rate == 1e-3);
  CHECK(alexnet.finetune.epochs == 30);
  const Stages r50 = stages_of(experiment::Scale::kPaper, Network::resnet_50);
  CHECK(r50.batch == 256);
  CHECK(r50.finetune.rate == 0.01);
  CHECK(recipe_of("resnet56-group-hs-4e-4").points.front() == 1e-4);
  CHECK(recipe_of("resnet110-group-lasso-8e-4").weight_decay == 1e-4);
  CHECK(recipe_of("alexnet-hs-1e-6").penalty.kind == PenaltyKind::hoyer_square);
  CHECK(point_label(recipe_of("resnet50-group-hs-1e-5"), 1e-4) == "|w| < 1e-4");
}

// Peaks in MiB, of the network, gradients and momentum (three times the parameters) and the activations of two images; a
// quarter of room for buffers of other numbers of threads.
TEST_CASE(
    "deephoyer: one step of each larger network: the published sizes, its penalty, the memory it takes") {
  struct Expected {
    Network network;
    Penalty penalty;
    double peak;
  };
  for (const Expected& e : {Expected{Network::resnet_20, {PenaltyKind::group_hoyer_square, 4e-4}, 6},
                            Expected{Network::resnet_56, {PenaltyKind::group_hoyer_square, 4e-4}, 14},
                            Expected{Network::resnet_110, {PenaltyKind::group_hoyer_square, 4e-4}, 26},
                            Expected{Network::alexnet, {PenaltyKind::hoyer_square, 1e-6}, 702},
                            Expected{Network::resnet_50, {PenaltyKind::group_hoyer_square, 5e-5}, 338}}) {
    CAPTURE(info_of(e.network).name);
    const StepFacts facts = one_step(e.network, e.penalty, 2, 1);
    const double peak = static_cast<double>(facts.peak_bytes) / (1 << 20);
    MESSAGE(info_of(e.network).name, ": peak ", peak, " MiB, ", facts.seconds, " s");
    CHECK(static_cast<double>(facts.peak_bytes) > 3 * 4.0 * static_cast<double>(facts.parameters));
    CHECK(peak < 1.25 * e.peak);
    // Published with two or three digits. (nn/models/alexnet.h: layer by layer in tests/nn/models_test.cpp.)
    const NetworkInfo& info = info_of(e.network);
    CHECK(static_cast<double>(facts.weights) / 1e6 == doctest::Approx(info.published_weights).epsilon(0.02));
    CHECK(static_cast<double>(facts.macs) / 1e6 == doctest::Approx(info.published_macs).epsilon(0.01));
    CHECK(std::isfinite(facts.loss));
    CHECK(facts.measure > 0);
    CHECK(facts.largest_change > 0);
  }
}

TEST_CASE("deephoyer: a filter without weights loses its norm's scale and shift, and nothing else does") {
  const auto net = make_network(Network::resnet_8, 1);
  auto& conv = dynamic_cast<Conv2d&>(net->at("layer1.0.conv1"));
  conv.weight.value().select(0, 3).fill_(5e-5F);
  conv.weight.value().select(0, 4).narrow(0, 0, 1).fill_(5e-5F);
  const Masks masks = cut_weights(*net, 1e-4, channel_groups(*net));
  State keep = masks.state();
  const auto expect = [&](const char* name, int64_t cut) {
    CAPTURE(name);
    CHECK(keep.at(name).numel() - count_nonzero(keep.at(name)) == cut);
  };
  expect("layer1.0.bn1.weight", 1);
  expect("layer1.0.bn1.bias", 1);
  expect("bn1.bias", 0);
  expect("layer1.0.bn2.weight", 0);
  CHECK(count_nonzero(keep.at("layer1.0.conv1.weight").select(0, 3)) == 0);
  CHECK(keep.find("fc.bias") == keep.end());
  CHECK(live_along(keep.at("layer1.0.conv1.weight"), 0).to_vector<uint8_t>()[4] == 1);
}

TEST_CASE("deephoyer: after finetuning the shrunk network computes what the masked one does, in fewer MACs") {
  const test::TemporaryFolder temporary;
  const auto net = make_network(Network::resnet_8, 1);
  // Half of the channels inside each block, and two of those that the first stage's shortcuts carry, from every writer.
  for (const ChannelGroup& group : channel_groups(*net)) {
    const bool shared = group.writers.size() > 1;
    for (const ChannelGroup::Writer& writer : group.writers)
      dynamic_cast<Conv2d&>(net->at(writer.conv))
          .weight.value()
          .narrow(0, 0, shared ? 2 : channels_of(*net, group) / 2)
          .fill_(0);
  }
  const Masks masks = cut_weights(*net, 1e-4, channel_groups(*net));
  const experiment::ImageProblem problem = made_up_problem();
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), false);
  experiment::ArmRun arm = folder.arm("shrink", 1);
  std::ostringstream progress;
  experiment::StageRunner runner(problem, arm, 1, progress);
  runner.run(make_stage("finetune", Network::resnet_8, {1, 0.1, {1}}, 50, *net,
                        {.weight_decay = 1e-4, .masks = &masks}),
             *net);
  const ShrunkFacts facts = shrunk_facts(Network::resnet_8, *net, problem.test.images);
  CHECK(facts.structure == "14: 8 | 30: 16 | 62: 32");
  CHECK(facts.largest_error < 1e-5);
  const int64_t dense = account(*net, {1, 1, 14, 14}).macs;
  CHECK(facts.macs < 0.52 * static_cast<double>(dense));
  CHECK(facts.dense_ms > 0);
  CHECK(facts.shrunk_ms > 0);
}

// Not a test of its own: the process that the next test kills.
TEST_CASE("deephoyer: the structural run that is killed" * doctest::skip()) { test::be_killed(run_in); }

TEST_CASE("deephoyer: a structural run that is killed goes on to the same bits, on one thread and on two") {
  // Files: dense; penalty and a point; twice penalty and two points; four results.
  test::check_killed_run("deephoyer: the structural run that is killed", 13, run_in);
}

TEST_CASE("deephoyer: facts, tables and claims of a structural run") {
  const test::TemporaryFolder temporary;
  run_in(temporary.path() / "run", 1);
  experiment::RunFolder folder(temporary.path() / "run", Json::object({{"data", "made up"}}), true);
  const experiment::ImageProblem problem = made_up_problem();
  const Plan plan{&problem, &folder, experiment::Scale::kSmoke, nullptr, Device::cpu()};
  Facts facts = gather_facts(plan, {std::begin(kArms), std::end(kArms)}, {1});
  CHECK(facts.points.size() == 1 + 2 + 2);
  std::erase_if(facts.points, [](const PointFacts& f) { return f.point != 1e-4; });
  REQUIRE(facts.points.size() == 3);
  for (PointFacts& f : facts.points) {
    CHECK(f.shrunk.largest_error < 1e-5);
    CHECK((f.penalty_before > 0) == (f.recipe->penalty.lambda > 0));
    CHECK(f.dense_macs == account(*make_network(Network::resnet_8, 1), {1, 1, 14, 14}).macs);
    f.dense_test = 0.9;
    f.shrunk.macs = f.dense_macs / 2;
    f.shrunk.dense_ms = 10;
    f.shrunk.shrunk_ms = 7;
  }
  PointFacts &control = facts.points[0], &group = facts.points[1], &lasso = facts.points[2];
  control.final_test = 0.9;
  group.final_test = 0.89;
  lasso.final_test = 0.88;
  using experiment::Verdict;
  const auto verdict = [&](const std::string& id, const std::string& data) {
    experiment::Options options;
    options.data = data;
    return test::verdict_of(claims_of(facts, options, Family::large), id);
  };
  for (const char* id : {"7a", "7b", "7c", "8a", "4"}) {
    CAPTURE(id);
    CHECK(verdict(id, "cifar10") == Verdict::kHolds);
  }
  CHECK(verdict("7a", "fashion_mnist") == Verdict::kNotJudged);
  lasso.final_test = 0.895;  // half a point ahead
  CHECK(verdict("7c", "cifar10") == Verdict::kFails);
  lasso.shrunk.macs = lasso.dense_macs / 4;  // not at equal MACs
  CHECK(verdict("7c", "cifar10") == Verdict::kNotJudged);
  control.final_test = 0.91;  // longer training alone gives more
  CHECK(verdict("7a", "cifar10") == Verdict::kFails);
  group.shrunk.shrunk_ms = 9;
  CHECK(verdict("7b", "cifar10") == Verdict::kFails);
  facts.points = {control, group};
  CHECK(verdict("7c", "cifar10") == Verdict::kNotRun);
  facts.points.erase(facts.points.begin());
  CHECK(verdict("7a", "cifar10") == Verdict::kNotJudged);  // needs the control
}

}  // namespace tenon::deephoyer
