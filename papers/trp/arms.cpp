#include "papers/trp/arms.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "nn/compress/filters.h"
#include "nn/norm.h"
#include "papers/experiment/pair.h"

namespace tenon::trp {
namespace {

using experiment::Stage;

constexpr uint64_t kRankStream = 100;  // of the seed; models draw from streams numbered from 0
constexpr int64_t kResponseImages = 1000;

// The point at whose MACs and ranks other arms are judged too.
const Json& first_point(const Json& result) { return result.at("points").at(size_t{0}); }

Ranks dealt_to_others(const Ranks& ranks, const Candidates& candidates, int64_t seed) {
  std::vector<double> shares;
  for (const Candidate& c : candidates.layers)
    if (ranks.count(c.layer.name) > 0)
      shares.push_back(static_cast<double>(ranks.at(c.layer.name)) / static_cast<double>(c.values.size(-1)));
  Generator generator(static_cast<uint64_t>(seed), kRankStream);
  const std::vector<int64_t> order =
      random_permutation(static_cast<int64_t>(shares.size()), generator).to_vector<int64_t>();
  Ranks out;
  size_t next = 0;
  for (const Candidate& c : candidates.layers) {
    if (ranks.count(c.layer.name) == 0) continue;
    const double share = shares[static_cast<size_t>(order[next++])];
    const auto full = static_cast<double>(c.values.size(-1));
    out[c.layer.name] = std::max<int64_t>(1, std::llround(share * full));
  }
  return out;
}

int64_t total_epochs(const Recipe& recipe, const Schedule& schedule) {
  const bool trains =
      recipe.method == Method::dense || recipe.method == Method::trp || recipe.method == Method::scratch;
  const auto points = std::max<int64_t>(1, static_cast<int64_t>(recipe.speed_ups.size()));
  return trains ? schedule.epochs : points * schedule.finetune_epochs;
}

// The stages of one pair, and what they leave.
class Pair : public experiment::Pair<Plan, Recipe> {
 public:
  Pair(const Plan& plan, const Recipe& recipe, experiment::ArmRun& arm)
      : experiment::Pair<Plan, Recipe>(plan, recipe, arm, total_epochs(recipe, plan.schedule)) {}

  Json run() {
    switch (recipe_.method) {
      case Method::dense:
      case Method::trp:
        dense();
        break;
      case Method::basic:
      case Method::data_driven:
      case Method::random_ranks:
        decomposed_afterwards();
        break;
      case Method::filters:
        without_filters();
        break;
      case Method::scratch:
        from_scratch();
        break;
    }
    return result_;
  }

 private:
  const Shape& image() const { return plan_.problem->image; }

  Stage stage(const std::string& name, int64_t epochs, experiment::LearningRate lr) const {
    const Schedule& s = plan_.schedule;
    Stage out;
    out.name = name;
    out.epochs = epochs;
    out.batch = s.batch;
    out.make_optimizer = [=](const Module& net) {
      return std::make_unique<SGD>(
          net.named_parameters(),
          SgdOptions{.lr = lr(0), .momentum = s.momentum, .weight_decay = s.weight_decay});
    };
    out.lr = std::move(lr);
    return out;
  }
  Stage training() const {
    return stage("train", plan_.schedule.epochs,
                 experiment::stepped_rate(plan_.schedule.lr, plan_.schedule.milestones));
  }

  // Trains in dense form, with the hooks of the method if the arm has any.
  void dense() {
    auto net = fresh_network(plan_, arm_.seed());
    net->to(plan_.device);
    RankTruncation truncation(trained_convs(*net), {.scheme = recipe_.scheme,
                                                    .energy = recipe_.energy,
                                                    .period = plan_.schedule.period,
                                                    .lambda = recipe_.lambda,
                                                    .nuclear_steps = plan_.nuclear_steps});
    Stage train = training();
    if (recipe_.energy > 0 || recipe_.lambda > 0) {
      train.begin_step = [&](int64_t step) { truncation.begin_step(step); };
      train.after_backward = [&](int64_t step) { truncation.after_backward(step); };
      train.after_step = [&](int64_t step) { truncation.after_step(step); };
      train.epoch_facts = [&] { return Json::object({{"cuts", cuts_json(truncation.take_cuts())}}); };
      train.hook_state = [&] { return truncation.state(); };
      train.load_hook_state = [&](const State& state) { truncation.load_state(state); };
    }
    runner_.run(train, *net);
    note_dense(*net);
    if (recipe_.method == Method::trp) cut_by_rules(*net);
  }

  void note_dense(Module& net) {
    result_["dense"] = accuracies(net);
    result_["macs"] = conv_macs(net, image());
  }

  void cut_by_rules(Sequential& net) {
    const State trained = clone_state(net.state());
    for (const auto& [name, rule] : final_rules(recipe_)) {
      auto cut = fresh_network(plan_, arm_.seed());
      cut->load_state(trained);
      const Candidates candidates = candidates_of(*cut, recipe_.scheme, image(), plan_.strided);
      const Ranks ranks = candidates.by_rule(rule);
      candidates.decompose(*cut, ranks);
      Json point = cut_point(name, *cut);
      point["ranks"] = ranks_json(ranks);
      result_["points"].push_back(std::move(point));
    }
  }

  // What is known of a smaller network before any finetuning.
  Json point_of(const std::string& name, Module& net) const {
    return Json::object({{"name", name}, {"macs", conv_macs(net, image())}, {"cut", accuracies(net)}});
  }
  // The same of one that was just cut, and what it would be with its norms' statistics estimated anew, which it is not left
  // with.
  Json cut_point(const std::string& name, Module& net) const {
    Json point = point_of(name, net);
    const State as_cut = clone_state(net.state());
    estimate_statistics(net, plan_.problem->validation.images, plan_.schedule.batch);
    point["estimated"] = accuracies(net);
    net.load_state(as_cut);
    return point;
  }

  // Each target in words, with the multiply-accumulates that it allows.
  std::vector<std::pair<std::string, int64_t>> targets() const {
    if (!recipe_.like.empty())
      return {{"as-" + recipe_.like, first_point(result_of(recipe_.like)).at("macs").as_integer()}};
    std::vector<std::pair<std::string, int64_t>> out;
    const auto macs = static_cast<double>(result_.at("macs").as_integer());
    for (double speed_up : recipe_.speed_ups)
      out.emplace_back(concat(speed_up, "x"), static_cast<int64_t>(macs / speed_up));
    return out;
  }

  Json result_of(const std::string& arm) const { return plan_.folder->arm(arm, arm_.seed()).result(); }

  void decomposed_afterwards() {
    note_dense(*trained_network(plan_, recipe_.start, arm_.seed()));
    for (const auto& [name, macs] : targets()) {
      auto net = trained_network(plan_, recipe_.start, arm_.seed());
      const bool by_responses = recipe_.method == Method::data_driven;
      const Candidates candidates =
          by_responses ? candidates_by_responses(*net, image(), plan_.strided, response_images())
                       : candidates_of(*net, recipe_.scheme, image(), plan_.strided);
      std::optional<Ranks> ranks = candidates.by_macs(macs);
      if (recipe_.method == Method::random_ranks)
        ranks = dealt_to_others(ranks_of(first_point(result_of(recipe_.like)).at("ranks")), candidates,
                                arm_.seed());
      if (!ranks) continue;
      candidates.decompose(*net, *ranks);
      Json point = cut_point(name, *net);
      point["ranks"] = ranks_json(*ranks);
      finetune(*net, std::move(point));
    }
  }

  Tensor response_images() const {
    const Tensor& images = plan_.problem->validation.images;
    return images.narrow(0, 0, std::min(kResponseImages, images.size(0)));
  }

  void without_filters() {
    note_dense(*trained_network(plan_, recipe_.start, arm_.seed()));
    for (const auto& [name, macs] : targets()) {
      auto net = trained_network(plan_, recipe_.start, arm_.seed());
      const std::optional<Filters> kept = filters_by_macs(*net, experiment::one_image(image()), macs);
      if (!kept) continue;
      keep_filters(*net, *kept);
      Json point = cut_point(name, *net);
      finetune(*net, std::move(point));
    }
  }

  void finetune(Module& net, Json point) {
    net.to(plan_.device);
    const double rate = plan_.schedule.finetune_lr;
    runner_.run(stage("finetune-" + point.at("name").as_string(), plan_.schedule.finetune_epochs,
                      [=](int64_t) { return rate; }),
                net);
    point["final"] = accuracies(net);
    result_["points"].push_back(std::move(point));
  }

  void from_scratch() {
    const Ranks ranks = ranks_of(first_point(result_of(recipe_.like)).at("ranks"));
    auto net = fresh_network(plan_, arm_.seed());
    result_["macs"] = conv_macs(*net, image());
    Generator generator(static_cast<uint64_t>(arm_.seed()), kRankStream);
    decompose_fresh(*net, recipe_.scheme, ranks, generator);
    net->to(plan_.device);
    runner_.run(training(), *net);
    result_["dense"] = accuracies(*net);
    Json point = point_of("as-" + recipe_.like, *net);
    point["ranks"] = ranks_json(ranks);
    result_["points"].push_back(std::move(point));
  }
};

}  // namespace

std::vector<std::pair<std::string, RankRule>> final_rules(const Recipe& recipe) {
  return {{"value", {RankRule::Kind::value, 0.05}},
          {"relative", {RankRule::Kind::relative_value, 0.05}},
          {"energy", {RankRule::Kind::energy, recipe.energy}}};
}

std::shared_ptr<Sequential> fresh_network(const Plan& plan, int64_t seed) {
  return make_network(plan.network, plan.problem->image, plan.problem->classes, seed);
}

std::shared_ptr<Sequential> trained_network(const Plan& plan, const std::string& arm, int64_t seed) {
  auto net = fresh_network(plan, seed);
  net->load_state(experiment::stage_state(*plan.folder, arm, seed, "train"));
  return net;
}

std::shared_ptr<Sequential> point_network(const Plan& plan, const Recipe& recipe, int64_t seed,
                                          const Json& point) {
  if (recipe.method == Method::trp) {
    auto net = trained_network(plan, recipe.arm, seed);
    candidates_of(*net, recipe.scheme, plan.problem->image, plan.strided)
        .decompose(*net, ranks_of(point.at("ranks")));
    return net;
  }
  // Those of the same number of multiply-accumulates are the same filters.
  auto net = recipe.method == Method::filters ? trained_network(plan, recipe.start, seed)
                                              : fresh_network(plan, seed);
  if (recipe.method == Method::filters) {
    keep_filters(*net, *filters_by_macs(*net, experiment::one_image(plan.problem->image),
                                        point.at("macs").as_integer()));
  } else {
    Generator generator(static_cast<uint64_t>(seed), kRankStream);
    decompose_fresh(*net, recipe.scheme, ranks_of(point.at("ranks")), generator);
  }
  const bool scratch = recipe.method == Method::scratch;
  net->load_state(experiment::stage_state(*plan.folder, recipe.arm, seed,
                                          scratch ? "train" : "finetune-" + point.at("name").as_string()));
  return net;
}

Json run_arm(const Plan& plan, const Recipe& recipe, int64_t seed) {
  return experiment::run_pair<Pair>(plan, recipe, seed);
}

}  // namespace tenon::trp
