#include "papers/deephoyer/shapes.h"

#include <algorithm>
#include <chrono>

#include "core/allocator.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "nn/compress/accounting.h"
#include "nn/loss.h"
#include "papers/experiment/images.h"

namespace tenon::deephoyer {

StepFacts one_step(Network network, const Penalty& penalty, int64_t batch, int64_t seed) {
  const NetworkInfo& info = info_of(network);
  const Schedule& schedule = stages_of(experiment::Scale::kPaper, network).penalty;
  Generator generator(static_cast<uint64_t>(seed), 1);
  reset_peak_memory();
  const size_t held_before = memory_stats().current_bytes;
  auto net = make_network(network, seed);
  const Account sizes = account(*net, experiment::one_image(info.image));
  StepFacts facts;
  facts.weights = sizes.weights;
  facts.parameters = sizes.parameters;
  facts.macs = sizes.macs;
  facts.measure = measure(penalty.kind, net->parameters());
  auto optimizer = make_optimizer(network, *net, schedule.rate, info.weight_decay);
  Shape images{batch};
  for (int64_t extent : info.image) images.push_back(extent);
  const Variable x(random_normal(images, generator));
  const Tensor labels = random_integers({batch}, generator, 0, info.classes);

  const auto start = std::chrono::steady_clock::now();
  const Variable loss = cross_entropy((*net)(x), labels);
  facts.loss = loss.item();
  backward(loss);
  {
    NoGrad no_grad;
    const Variable first = net->parameters().front();
    const Tensor before = first.grad().value().clone();
    add_gradient(penalty, net->parameters());
    facts.largest_change = schedule.rate * amax(abs(sub(first.grad().value(), before))).item();
    optimizer->step();
  }
  facts.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  facts.peak_bytes = static_cast<int64_t>(memory_stats().peak_bytes - held_before);
  return facts;
}

experiment::Table shapes_table(const std::vector<Network>& networks) {
  constexpr int64_t kBatch = 2, kSeed = 1;
  experiment::Table table;
  table.title = "One step of two made-up images: sizes, memory and time; nothing was learned";
  table.header = {"network",  "penalty", "weights", "published, millions", "MACs", "published, millions",
                  "peak MiB", "seconds"};
  table.align.assign(table.header.size(), experiment::Align::kRight);
  table.align[0] = table.align[1] = experiment::Align::kLeft;
  for (Network network : networks) {
    const auto penalised = [&](const Recipe& r) {
      return r.network == network && r.penalty.kind != PenaltyKind::none;
    };
    const auto recipe = std::find_if(recipes().begin(), recipes().end(), penalised);
    TENON_CHECK(recipe != recipes().end(), "shapes: ", info_of(network).name, " has no arm under a penalty");
    const StepFacts facts = one_step(network, recipe->penalty, kBatch, kSeed);
    const auto number = experiment::format_number;
    table.rows.push_back({info_of(network).name, name_of(recipe->penalty.kind), std::to_string(facts.weights),
                          number(info_of(network).published_weights, 2), std::to_string(facts.macs),
                          number(info_of(network).published_macs, 1),
                          number(static_cast<double>(facts.peak_bytes) / (1 << 20), 0),
                          number(facts.seconds, 2)});
  }
  return table;
}

}  // namespace tenon::deephoyer
