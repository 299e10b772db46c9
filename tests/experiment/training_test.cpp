// Stages: hooks run in their order, and a broken run goes on to the same bits, with what the hooks keep.
#include "papers/experiment/training.h"

#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <thread>

#include "core/ops/elementwise.h"
#include "nn/linear.h"
#include "nn/sequential.h"
#include "papers/experiment/interrupt.h"
#include "tests/temporary_folder.h"

namespace tenon::experiment {
namespace {

ImageProblem made_up_problem() {
  Generator g(1);
  ImageProblem problem;
  const Tensor images = random_integers({60, 1, 4, 4}, g, 0, 256, uint8),
               labels = random_integers({60}, g, 0, 3);
  problem.source = std::make_shared<TensorSource>(images, labels);
  for (int64_t i = 0; i < 50; ++i) problem.train.push_back(i);
  problem.validation = {random_uniform({20, 1, 4, 4}, g), random_integers({20}, g, 0, 3)};
  return problem;
}

std::shared_ptr<Sequential> make_net() {
  Generator g(2);
  auto net = std::make_shared<Sequential>();
  net->add("flatten", std::make_shared<Flatten>()).add("fc", std::make_shared<Linear>(16, 3, Bias::yes, g));
  return net;
}

Stage sgd_stage(const std::string& name, int64_t epochs) {
  Stage stage;
  stage.name = name;
  stage.epochs = epochs;
  stage.batch = 20;
  stage.lr = stepped_rate(0.1, {1});
  stage.make_optimizer = [](const Module& net) {
    return std::make_unique<SGD>(net.named_parameters(), SgdOptions{.lr = 0.1, .momentum = 0.9});
  };
  return stage;
}

// Trains two stages; the second one's hook keeps a running sum and adds it to the gradients.
State train(const std::filesystem::path& folder, int64_t stop_at_step) {
  const ImageProblem problem = made_up_problem();
  std::ostringstream out;
  RunFolder run(folder, Json::object({{"data", "made up"}}), true);
  ArmRun arm = run.arm("arm", 1);
  StageRunner runner(problem, arm, 5, out);
  auto net = make_net();
  runner.run(sgd_stage("first", 2), *net);
  Stage stage = sgd_stage("second", 3);
  Tensor kept = Tensor::zeros({3});
  stage.after_backward = [&](int64_t step) {
    if (step == stop_at_step) throw Interrupted("stopped by the test");
    const Tensor gradient = net->parameters()[1].grad().value();
    kept = add(kept, gradient);
    gradient.copy_(kept);
  };
  stage.hook_state = [&] { return State{{"kept", kept}}; };
  stage.load_hook_state = [&](const State& state) { kept = state.at("kept").clone(); };
  runner.run(stage, *net);
  CHECK(runner.epochs_done() == 5);
  return clone_state(net->state());
}

}  // namespace

TEST_CASE("experiment: a stage that was broken off goes on to the same bits, hooks included") {
  const test::TemporaryFolder temporary;
  const State whole = train(temporary.path() / "whole", -1);
  CHECK_THROWS_AS(train(temporary.path() / "broken", 7),
                  Interrupted);  // in the third epoch of the second stage
  const State resumed = train(temporary.path() / "broken", -1);
  for (const auto& [name, value] : whole)
    CHECK(resumed.at(name).to_vector<float>() == value.to_vector<float>());
}

// A kill may fall between the checkpoint of the last epoch and the file of the stage.
TEST_CASE("experiment: a stage broken off after its last epoch leaves the same file") {
  const test::TemporaryFolder temporary;
  const ImageProblem problem = made_up_problem();
  for (bool keep_best : {true, false}) {
    CAPTURE(keep_best);
    const std::filesystem::path folder = temporary.path() / (keep_best ? "best" : "last");
    const auto train_whole = [&] {
      std::ostringstream out;
      RunFolder run(folder, Json::object({{"data", "made up"}}), true);
      ArmRun arm = run.arm("arm", 1);
      Stage stage = sgd_stage("only", 2);
      stage.keep_best = keep_best;
      StageRunner(problem, arm, 2, out).run(stage, *make_net());
      return arm.folder() / "only.safetensors";
    };
    const std::filesystem::path file = train_whole();
    const std::string whole = test::text_of(file);
    std::filesystem::remove(file);
    CHECK(test::text_of(train_whole()) == whole);
  }
}

TEST_CASE("experiment: the speed that a resumed run prints is its own") {
  const test::TemporaryFolder temporary;
  const ImageProblem problem = made_up_problem();
  std::string printed;
  for (bool resumed : {false, true}) {
    std::ostringstream out;
    RunFolder run(temporary.path() / "run", Json::object({{"data", "made up"}}), true);
    ArmRun arm = run.arm("arm", 1);
    StageRunner runner(problem, arm, 41, out);
    auto net = make_net();
    runner.run(sgd_stage("first", 40), *net);
    if (!resumed) continue;
    Stage slow = sgd_stage("second", 1);
    slow.begin_epoch = [](int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(50)); };
    runner.run(slow, *net);
    printed = out.str();
  }
  const std::string before = "41/41  ";
  REQUIRE(printed.find(before) != std::string::npos);
  CHECK(std::stod(printed.substr(printed.find(before) + before.size())) <= 20);  // 1 epoch in 0.05 s or more
}

TEST_CASE("experiment: hooks run in their order, once a step") {
  const test::TemporaryFolder temporary;
  const ImageProblem problem = made_up_problem();
  std::ostringstream out;
  RunFolder run(temporary.path() / "run", Json::object({{"data", "made up"}}), false);
  ArmRun arm = run.arm("arm", 1);
  StageRunner runner(problem, arm, 2, out);
  auto net = make_net();
  std::string calls;
  Stage stage = sgd_stage("only", 2);
  stage.begin_epoch = [&](int64_t epoch) { calls += concat("E", epoch); };
  stage.begin_step = [&](int64_t step) { calls += concat(" b", step); };
  stage.extra_loss = [&] {
    calls += "l";
    return Variable(Tensor::zeros({}));
  };
  stage.after_backward = [&](int64_t) { calls += "g"; };
  stage.after_step = [&](int64_t) { calls += "s"; };
  stage.epoch_facts = [&] {
    calls += " f ";
    return Json::object({{"fact", 7}});
  };
  runner.run(stage, *net);
  CHECK(calls == "E0 b0lgs b1lgs b2lgs f E1 b3lgs b4lgs b5lgs f ");
  const std::vector<Json> log = run.read_log();
  REQUIRE(log.size() == 2);
  CHECK(log[1].at("fact").as_integer() == 7);
  CHECK(log[0].at("lr").as_real() == doctest::Approx(0.1));
  CHECK(log[1].at("lr").as_real() == doctest::Approx(0.01));
}

TEST_CASE("experiment: the best epoch is kept where that is asked for, and the last one otherwise") {
  const test::TemporaryFolder temporary;
  const ImageProblem problem = made_up_problem();
  for (bool keep_best : {true, false}) {
    std::ostringstream out;
    RunFolder run(temporary.path() / (keep_best ? "best" : "last"), Json::object({{"data", "made up"}}),
                  false);
    ArmRun arm = run.arm("arm", 1);
    StageRunner runner(problem, arm, 6, out);
    auto net = make_net();
    Stage stage = sgd_stage("only", 6);
    stage.keep_best = keep_best;
    runner.run(stage, *net);
    double best = 0, last = 0;
    for (const Json& line : run.read_log())
      last = line.at("validation").as_real(), best = std::max(best, last);
    CHECK(accuracy(*net, problem.validation) == doctest::Approx(keep_best ? best : last));
  }
}

TEST_CASE("experiment: learning rates") {
  const LearningRate falling = exponential_rate(1e-3, 1e-4, 5);
  CHECK(falling(0) == doctest::Approx(1e-3));
  CHECK(falling(2) == doctest::Approx(std::sqrt(1e-7)));
  CHECK(falling(4) == doctest::Approx(1e-4));
  CHECK(exponential_rate(1e-3, 1e-4, 1)(0) == doctest::Approx(1e-3));
  const LearningRate stepped = stepped_rate(0.1, {82, 123});
  CHECK(stepped(81) == doctest::Approx(0.1));
  CHECK(stepped(82) == doctest::Approx(0.01));
  CHECK(stepped(123) == doctest::Approx(0.001));
}

// A network that gets a layer after the second epoch, in a stage that ends itself after the fourth.
namespace {

State train_growing(const std::filesystem::path& folder, int64_t stop_at_step, bool drop_state = false) {
  const ImageProblem problem = made_up_problem();
  std::ostringstream out;
  RunFolder run(folder, Json::object({{"data", "made up"}}), true);
  ArmRun arm = run.arm("arm", 1);
  StageRunner runner(problem, arm, 6, out);
  auto net = make_net();
  int64_t epochs = 0;
  const auto grow = [&] {
    Generator g(3);
    if (epochs >= 2 && net->size() == 2) net->add("more", std::make_shared<Linear>(3, 3, Bias::yes, g));
  };
  Stage stage = sgd_stage("growing", 100);
  stage.lr = stepped_rate(0.1, {});
  stage.drop_state = drop_state;
  stage.after_step = [&](int64_t step) {
    if (step == stop_at_step) throw Interrupted("stopped by the test");
  };
  stage.after_epoch = [&](const EpochOutcome& outcome) {
    CHECK(outcome.loss > 0);
    CHECK(outcome.training >= 0);
    CHECK(outcome.training <= 1);
    const size_t before = net->size();
    ++epochs;
    grow();
    return net->size() > before;
  };
  stage.done = [&] { return epochs == 4; };
  stage.hook_state = [&] { return State{{"epochs", Tensor::scalar(static_cast<double>(epochs), int64)}}; };
  stage.load_hook_state = [&](const State& state) {
    epochs = static_cast<int64_t>(state.at("epochs").item());
    grow();
  };
  runner.run(stage, *net);
  CHECK(runner.epochs_done() == 4);
  runner.run(sgd_stage("tail", 2), *net);
  CHECK(runner.epochs_done() == 6);
  return clone_state(net->state());
}

}  // namespace

TEST_CASE("experiment: a network that grows in training is broken off and goes on to the same bits") {
  const test::TemporaryFolder temporary;
  const State whole = train_growing(temporary.path() / "whole", -1);
  CHECK(whole.contains("more.weight"));
  for (int64_t step : {4, 8}) {  // before it grew, and after
    const std::filesystem::path folder = temporary.path() / concat("broken-", step);
    CHECK_THROWS_AS(train_growing(folder, step), Interrupted);
    for (int again = 0; again < 2; ++again) {  // the second time every stage is finished
      const State resumed = train_growing(folder, -1);
      for (const auto& [name, value] : whole)
        CHECK(resumed.at(name).to_vector<float>() == value.to_vector<float>());
    }
  }
  const State dropped = train_growing(temporary.path() / "dropped", -1, true);
  CHECK(dropped.at("fc.weight").to_vector<float>() != whole.at("fc.weight").to_vector<float>());
}

}  // namespace tenon::experiment
