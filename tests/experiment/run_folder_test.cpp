// The run folder: what survives a crash, and what refuses to be mixed.
#include "papers/experiment/run_folder.h"

#include <fstream>
#include <optional>

#include "core/error.h"
#include "doctest/doctest.h"
#include "tests/temporary_folder.h"

using namespace tenon;
using namespace tenon::experiment;

namespace {

Json config() {
  return Json::object({{"data", "mnist"}, {"train", Json::object({{"rate", 0.001}, {"epochs", 3}})}});
}

Json line(std::int64_t epoch) {
  return Json::object({{"epoch", epoch}, {"loss", 1.0 / static_cast<double>(epoch)}});
}

// Logs epochs first..last of an arm, as a training loop does after a checkpoint of epoch first - 1.
void train(RunFolder& run, const char* name, std::int64_t first, std::int64_t last) {
  ArmRun arm = run.arm(name, 1);
  arm.rewind_log(first - 1);
  for (std::int64_t epoch = first; epoch <= last; ++epoch) arm.log(line(epoch));
}

std::string refusal(const std::filesystem::path& folder, const Json& config, bool resume) {
  try {
    RunFolder run(folder, config, resume);
  } catch (const Error& error) {
    return error.what();
  }
  return "was accepted";
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("run folder: the log of a resumed run equals an unbroken one's") {
  const test::TemporaryFolder folder;
  {
    RunFolder run(folder.path() / "unbroken", config(), false);
    CHECK_FALSE(run.resumed());
    train(run, "dense", 1, 3);
    train(run, "hs", 1, 4);
  }
  const auto broken = folder.path() / "broken";
  {
    RunFolder run(broken, config(), false);
    train(run, "dense", 1, 3);
    train(run, "hs", 1, 3);  // killed: lines up to 3, the checkpoint of epoch 2, and half a line
  }
  std::ofstream(broken / "log.jsonl", std::ios::app) << "{\"arm\":\"hs\",\"se";
  {
    RunFolder run(broken, config(), true);
    CHECK(run.resumed());
    train(run, "hs", 3, 4);
    CHECK(run.read_log().size() == 7);
  }
  CHECK(test::text_of(broken / "log.jsonl") == test::text_of(folder.path() / "unbroken" / "log.jsonl"));
  CHECK(test::text_of(broken / "log.jsonl")
            .starts_with("{\"arm\":\"dense\",\"seed\":1,\"epoch\":1,\"loss\":1.0}\n"));
}

TEST_CASE("run folder: rewinding one arm or seed keeps the lines of the others") {
  const test::TemporaryFolder folder;
  RunFolder run(folder.path() / "run", config(), false);
  for (const std::int64_t seed : {1, 2}) run.arm("hs", seed).log(line(5));
  run.arm("l1", 1).log(line(5));
  run.arm("hs", 2).rewind_log(0);
  const std::vector<Json> log = run.read_log();
  REQUIRE(log.size() == 2);
  CHECK(log[0].at("seed").as_integer() == 1);
  CHECK(log[1].at("arm").as_string() == "l1");
}

TEST_CASE("run folder: another configuration is refused by key") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "run";
  { RunFolder run(path, config(), false); }
  Json other = config();
  other["train"]["rate"] = 0.01;
  other["extra"] = true;
  const std::string message = refusal(path, other, true);
  CHECK(contains(message, "train.rate: 0.001 there, 0.01 here"));
  CHECK(contains(message, "extra: absent there, true here"));
  CHECK_FALSE(contains(message, "epochs"));
  CHECK(test::text_of(path / "config.json") == config().dump(2) + "\n");
  CHECK(config_differences(Json::object({{"a", 1}, {"b", 2}}), Json::object({{"b", 2}, {"a", 1}})).empty());
}

TEST_CASE("run folder: a run is not overwritten, taken twice, or started in a foreign folder") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "run";
  std::optional<RunFolder> run;
  run.emplace(path, config(), false);
  CHECK(contains(refusal(path, config(), true), "another process"));
  run.reset();
  CHECK(contains(refusal(path, config(), false), "--resume"));
  CHECK(refusal(path, config(), true) == "was accepted");
  std::ofstream(folder.path() / "letter.txt") << "mine";
  CHECK(contains(refusal(folder.path(), config(), true), "is not empty"));
}

TEST_CASE("run folder: finished arms are known and keep their results") {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "run";
  {
    RunFolder run(path, config(), false);
    ArmRun arm = run.arm("hs", 2);
    CHECK_FALSE(arm.finished());
    CHECK_THROWS_AS(arm.result(), Error);
    arm.finish(Json::object({{"accuracy", 98.25}}));
    std::ofstream(arm.folder() / "checkpoint.safetensors.tmp-1-1") << "left by a killed process";
  }
  RunFolder run(path, config(), true);
  CHECK(run.arm("hs", 2).finished());
  CHECK(run.arm("hs", 2).result().at("accuracy").as_real() == 98.25);
  CHECK_FALSE(run.arm("hs", 1).finished());
  CHECK_FALSE(std::filesystem::exists(run.arm("hs", 2).folder() / "checkpoint.safetensors.tmp-1-1"));
}

TEST_CASE("run folder: names and lines that would do harm are refused") {
  const test::TemporaryFolder folder;
  RunFolder run(folder.path() / "run", config(), false);
  CHECK_THROWS_AS(run.arm("../other", 1), Error);
  CHECK_THROWS_AS(run.arm("..", 1), Error);
  CHECK_THROWS_AS(run.arm("", 1), Error);
  ArmRun arm = run.arm("hs", 1);
  CHECK_THROWS_AS(arm.log(Json::object({{"loss", 1.0}})), Error);
  CHECK_THROWS_AS(arm.log(Json::object({{"epoch", 1}, {"arm", "l1"}})), Error);
  CHECK(run.read_log().empty());
}
