#include "papers/trp/shapes.h"

#include "core/allocator.h"
#include "nn/checkpoint.h"
#include "papers/trp/facts.h"

namespace tenon::trp {

experiment::Table shapes_table(const std::string& network, const std::filesystem::path& weights) {
  constexpr int64_t kBatch = 4;
  constexpr double kPaperBatch = 256, kEnergy = 0.005;
  const bool imagenet = network == "resnet18" || network == "resnet50";
  const Shape image = imagenet ? Shape{3, 224, 224} : Shape{3, 32, 32};
  const int64_t classes = imagenet ? 1000 : 10;
  experiment::Table table;
  table.title = concat(
      network, ", one step of made-up images: shapes, memory and times; nothing was learned. Weights: ",
      weights.empty() ? "random" : weights.string());
  table.header = {"scheme",
                  "MACs",
                  "layers",
                  "at e = 0.005, one cut",
                  "seconds a step of 4",
                  "seconds a cut",
                  "share % at m = 20, batch 256",
                  "peak MiB"};
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial}) {
    auto net = make_network(network, image, classes, 1);
    if (!weights.empty()) load_weights(weights.string(), *net);
    const Candidates candidates = candidates_of(*net, scheme, image, false);
    const int64_t left = candidates.macs_at(candidates.by_rule({RankRule::Kind::energy, kEnergy}));
    reset_peak_memory();
    const ShareFacts share = measured_share(*net, scheme, image, classes, kBatch, 1);
    // A step of the paper's batch takes as many times as long as there are more images.
    const ShareFacts full{scheme, share.step_ms * kPaperBatch / static_cast<double>(kBatch), share.cut_ms};
    const auto number = experiment::format_number;
    table.rows.push_back(
        {name_of(scheme), std::to_string(candidates.network_macs), std::to_string(candidates.layers.size()),
         number(static_cast<double>(candidates.network_macs) / static_cast<double>(left), 2) + "x",
         number(share.step_ms / 1e3, 2), number(share.cut_ms / 1e3, 2), number(100 * full.share(20), 2),
         number(static_cast<double>(memory_stats().peak_bytes) / (1 << 20), 0)});
  }
  table.align.assign(table.header.size(), experiment::Align::kRight);
  table.align[0] = experiment::Align::kLeft;
  return table;
}

}  // namespace tenon::trp
