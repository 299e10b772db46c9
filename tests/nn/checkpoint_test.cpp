#include "nn/checkpoint.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "nn/loss.h"
#include "nn/models/mlp.h"
#include "nn/optim.h"
#include "nn/schedule.h"
#include "tests/temporary_folder.h"

namespace tenon {
namespace {

// A training run over random batches, all of whose state is in its members.
struct Run {
  std::shared_ptr<Sequential> net;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Schedule> schedule;
  Generator draws;
  int64_t done = 0;

  explicit Run(uint64_t seed) : draws(seed, 5) {
    Generator weights(seed);
    net = make_mlp({6, 16, 3}, weights);
    optimizer =
        std::make_unique<Adam>(net->named_parameters(), AdamOptions{.lr = 1e-2, .weight_decay = 1e-3});
    schedule = std::make_unique<Schedule>(*optimizer, cosine(20, 0.1));
  }
  void advance(int64_t steps) {
    for (int64_t i = 0; i < steps; ++i, ++done) {
      Variable x(random_normal({8, 6}, draws));
      Tensor labels = random_integers({8}, draws, 0, 3);
      optimizer->zero_grad();
      backward(cross_entropy((*net)(x), labels));
      optimizer->step();
      schedule->step();
    }
  }
  void save(const std::string& path) const {
    Checkpoint out;
    out.put("model", net->state());
    out.put("optimizer", optimizer->state());
    out.put("schedule", schedule->state());
    out.put("random", draws);
    out.put("step", done);
    out.put("note", "ein Häkchen ✓");
    out.put("best", 0.1);
    out.save(path);
  }
  void resume(const std::string& path) {
    Checkpoint in = Checkpoint::load(path);
    net->load_state(in.state("model"));
    optimizer->load_state(in.state("optimizer"));
    schedule->load_state(in.state("schedule"));
    draws = in.generator("random");
    done = in.integer("step");
    CHECK(in.text("note") == "ein Häkchen ✓");
    CHECK(in.real("best") == 0.1);
  }
};

}  // namespace

TEST_CASE("checkpoint: a run that is resumed ends in the same bits as the unbroken one") {
  test::TemporaryFolder folder;
  const std::string path = folder.file("run.safetensors");
  Run whole(3), broken(3), resumed(99);
  whole.advance(20);
  broken.advance(9);
  broken.save(path);
  resumed.resume(path);
  CHECK(resumed.done == 9);
  resumed.advance(11);
  const State a = whole.net->state(), b = resumed.net->state();
  for (const auto& [name, tensor] : a) CHECK(tensor.to_vector<float>() == b.at(name).to_vector<float>());
  const State c = whole.optimizer->state(), d = resumed.optimizer->state();
  CHECK(c.size() == d.size());
  for (const auto& [name, tensor] : c) CHECK(sum(not_equal(tensor, d.at(name)).to(int64)).item() == 0);
}

TEST_CASE("checkpoint: what is missing, of another kind, or no checkpoint is refused by name") {
  test::TemporaryFolder folder;
  const std::string path = folder.file("c.safetensors");
  Checkpoint out;
  CHECK_THROWS_WITH_AS(out.put("model", State{}), "checkpoint: section 'model' has no tensors", Error);
  out.put("epoch", int64_t{3});
  CHECK_THROWS_WITH_AS(out.put("epoch", 3.0), "checkpoint: the name 'epoch' is taken", Error);
  CHECK_THROWS_AS(out.put("a/b", int64_t{1}), Error);
  out.save(path);
  Checkpoint in = Checkpoint::load(path);
  CHECK(in.has("epoch"));
  CHECK_FALSE(in.has("epo"));
  CHECK_THROWS_WITH_AS(in.state("model"), (path + ": expects a section 'model', has none").c_str(), Error);
  CHECK_THROWS_WITH_AS(in.real("epoch"),
                       (path + ": entry 'epoch' expects float64 [], got int64 [] on cpu").c_str(), Error);
  CHECK_THROWS_AS(in.text("epoch"), Error);

  // Weights alone are no checkpoint; each cut of a file is refused, and leaves the module as it was.
  auto net = make_mlp({3, 2});
  const std::string weights = folder.file("w.safetensors");
  save_weights(weights, *net);
  CHECK_THROWS_AS(Checkpoint::load(weights), Error);
  const std::vector<float> before = net->state().at("fc1.weight").to_vector<float>();
  for (uintmax_t size = std::filesystem::file_size(weights); size-- > 0;) {
    std::filesystem::resize_file(weights, size);
    CHECK_THROWS_AS(load_weights(weights, *net), Error);
  }
  CHECK(net->state().at("fc1.weight").to_vector<float>() == before);
  save_weights(weights, *net);
  auto wider = make_mlp({3, 4});
  try {
    load_weights(weights, *wider);
    FAIL("expected an error");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find(weights) == 0);
    CHECK(std::string(error.what()).find("'fc1.weight' expects float32 [4, 3], got float32 [2, 3]") !=
          std::string::npos);
  }
}

}  // namespace tenon
