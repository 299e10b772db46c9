// The shared command line: defaults, a paper's own options, errors that name the option; and what arms need before them.
#include "papers/experiment/options.h"

#include "core/error.h"
#include "doctest/doctest.h"
#include "papers/experiment/recipes.h"

using namespace tenon;
using namespace tenon::experiment;

namespace {

ExperimentSpec spec() {
  return {"demo", "A demonstration.", {"fashion_mnist", "mnist"}, {"dense", "hs", "l1"}, {"dense", "hs"}};
}

ParseOutcome parse(OptionParser& parser, std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "demo");
  return parser.parse(static_cast<int>(arguments.size()), arguments.data());
}

Options parsed(std::vector<const char*> arguments) {
  OptionParser parser(spec());
  ParseOutcome outcome = parse(parser, std::move(arguments));
  INFO(outcome.message);
  REQUIRE(outcome.options.has_value());
  return *outcome.options;
}

}  // namespace

TEST_CASE("options: defaults") {
  const Options options = parsed({});
  CHECK(options.data == "fashion_mnist");
  CHECK(options.device == "cpu");
  CHECK(options.seed_list() == std::vector<std::int64_t>{1});
  CHECK(options.scale == Scale::kScaled);
  CHECK(options.arms == std::vector<std::string>{"dense", "hs"});
  CHECK(options.out == "runs/demo/fashion_mnist-scaled-seed1");
  CHECK_FALSE(options.resume);
}

TEST_CASE("options: all given") {
  const Options options =
      parsed({"--data", "mnist", "--device", "cuda", "--seed=7", "--seeds", "3", "--threads", "2", "--scale",
              "paper", "--arms", "l1,dense", "--out", "x/y", "--resume"});
  CHECK(options.data == "mnist");
  CHECK(options.seed_list() == std::vector<std::int64_t>{7, 8, 9});
  CHECK(options.threads == 2);
  CHECK(options.scale == Scale::kPaper);
  CHECK(options.arms == std::vector<std::string>{"dense", "l1"});  // in the order in which they run
  CHECK(options.has_arm("l1"));
  CHECK_FALSE(options.has_arm("hs"));
  CHECK(options.out == "x/y");
  CHECK(options.resume);
  CHECK(parsed({"--arms", "all"}).arms.size() == 3);
  CHECK(parsed({"--device", "cuda", "--scale", "smoke"}).out == "runs/demo/fashion_mnist-smoke-cuda-seed1");
}

TEST_CASE("options: only what decides the numbers is a run's identity") {
  const Json here = identity_json(parsed({"--threads", "2", "--arms", "all", "--seeds", "3", "--resume"}));
  CHECK(here == identity_json(parsed({})));
  CHECK(here != identity_json(parsed({"--seed", "2"})));
  CHECK(here != identity_json(parsed({"--scale", "smoke"})));
  CHECK(here != identity_json(parsed({"--data", "mnist"})));
}

TEST_CASE("options: errors name the option, help is no error") {
  struct Refused {
    std::vector<const char*> arguments;
    const char* named;
  };
  const std::vector<Refused> cases = {
      {{"--seed", "x"}, "--seed"},
      {{"--seed", "-1"}, "--seed"},
      {{"--seeds", "0"}, "--seeds"},
      {{"--scale", "big"}, "--scale"},
      {{"--data", "cifar"}, "--data"},
      {{"--device", "tpu"}, "--device"},
      {{"--arms", "dense,no"}, "--arms"},
      {{"--arms", ","}, "--arms"},
      {{"--lamda", "1"}, "--lamda"},
      {{"--threads", "1.5"}, "--threads"},
      {{"--rate", "fast"}, "--rate"},
      {{"stray"}, "stray"},
      {{"--rule", "none"}, "--rule"},
      {{"--cuts", "0.1,x"}, "--cuts"},
      {{"--out"}, "--out"},
      {{"--rate", "-0.1"}, "--rate"},
      {{"--epochs", "-3"}, "--epochs"},
  };
  for (const Refused& refused : cases) {
    OptionParser parser(spec());
    double rate = 1;
    int64_t epochs = 0;
    std::string rule = "std";
    std::vector<double> cuts;
    parser.add("rate", "a number", rate);
    parser.add("epochs", "a count", epochs);
    parser.add_choice("rule", "a choice", rule, {"std", "fixed"});
    parser.add("cuts", "numbers", cuts);
    const ParseOutcome outcome = parse(parser, refused.arguments);
    CAPTURE(refused.named);
    CAPTURE(outcome.message);
    CHECK_FALSE(outcome.options.has_value());
    CHECK(outcome.exit_status == 2);
    CHECK(outcome.message.find(refused.named) != std::string::npos);
    CHECK(outcome.message.ends_with('\n'));
  }
  OptionParser parser(spec());
  const ParseOutcome help = parse(parser, {"--help"});
  CHECK_FALSE(help.options.has_value());
  CHECK(help.exit_status == 0);
  for (const char* option :
       {"--data", "--device", "--seed", "--seeds", "--threads", "--scale", "--arms", "--out", "--resume"}) {
    CHECK(help.message.find(option) != std::string::npos);
  }
}

TEST_CASE("options: a paper's own") {
  OptionParser parser(spec());
  std::int64_t epochs = 30;
  double rate = 0.5;
  std::vector<double> cuts = {0.03};
  bool fast = false;
  std::string rule = "std";
  std::filesystem::path file;
  parser.add("epochs", "how long", epochs);
  parser.add("rate", "how fast", rate);
  parser.add("cuts", "thresholds", cuts);
  parser.add_flag("fast", "hurry", fast);
  parser.add_choice("rule", "threshold rule", rule, {"std", "fixed"});
  parser.add("file", "weights", file);
  const ParseOutcome outcome = parse(parser, {"--epochs", "2", "--cuts", "0.1,0.2", "--fast", "--rule",
                                              "fixed", "--file", "a/b", "--seed", "4"});
  INFO(outcome.message);
  REQUIRE(outcome.options.has_value());
  CHECK(epochs == 2);
  CHECK(rate == 0.5);
  CHECK(cuts == std::vector<double>{0.1, 0.2});
  CHECK(fast);
  CHECK(rule == "fixed");
  CHECK(file == "a/b");
  CHECK(outcome.options->seed == 4);
  CHECK_THROWS_AS(parser.add("seed", "taken", epochs), Error);
}

TEST_CASE("experiment: arms come with what they start from, in the order in which they run") {
  struct Recipe {
    std::string arm, start;
  };
  const std::vector<Recipe> recipes = {
      {"dense", ""}, {"pruned", "dense"}, {"other", ""}, {"masked", "pruned"}};
  const auto start = [](const Recipe& recipe) { return std::vector{recipe.start}; };
  using Names = std::vector<std::string>;
  CHECK(arms_of(recipes) == Names{"dense", "pruned", "other", "masked"});
  CHECK(with_needed(recipes, {"masked"}, start) == Names{"dense", "pruned", "masked"});
  CHECK(with_needed(recipes, {"other", "dense"}, start) == Names{"dense", "other"});
  CHECK(recipe_called(recipes, "pruned").start == "dense");
  CHECK_THROWS_WITH_AS(with_needed(recipes, {"mask"}, start), doctest::Contains("'mask'"), Error);
}
