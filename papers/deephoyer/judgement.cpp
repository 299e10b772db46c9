#include "papers/deephoyer/judgement.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace tenon::deephoyer {
namespace {

using experiment::Claim;
using experiment::Condition;
using experiment::Relation;
using Figure = double (*)(const PointFacts&);
using Measured = std::map<int64_t, double>;
using Choice = std::function<bool(const Front&)>;

constexpr int kSeedsOfMlp =
    3;  // that claims on what LeNet-300-100 learns are the means of, whatever the schedule

double test_percent(const PointFacts& f) { return 100 * f.final_test; }
double density_percent(const PointFacts& f) { return 100 * f.density(); }
double mac_percent(const PointFacts& f) { return 100 * f.mac_fraction(); }

bool is_penalty(const Front& front, PenaltyKind kind, Network network = Network::lenet_300_100) {
  return front.recipe->method == Method::penalty && front.recipe->penalty.kind == kind &&
         front.recipe->network == network;
}
Choice of_penalty(PenaltyKind kind, Network network = Network::lenet_300_100) {
  return [=](const Front& front) { return is_penalty(front, kind, network); };
}
Choice of_method(Method method) {
  return [=](const Front& front) { return front.recipe->method == method; };
}

Measured per_seed(const Front* front, Figure figure) {
  Measured out;
  if (front != nullptr)
    for (const PointFacts* f : front->seeds) out[f->seed] = figure(*f);
  return out;
}

// Of the seeds that both have.
Measured per_pair(const Front* a, const Front* b, double (*figure)(const PointFacts&, const PointFacts&)) {
  Measured out;
  if (a == nullptr || b == nullptr) return out;
  for (const PointFacts* f : a->seeds)
    for (const PointFacts* g : b->seeds)
      if (f->seed == g->seed) out[f->seed] = figure(*f, *g);
  return out;
}

class Judge {
 public:
  Judge(const Facts& facts, const experiment::Options& options)
      : facts_(facts), options_(options), fronts_(fronts_of(facts)) {}

  std::vector<Claim> all() {
    accuracy_at_density();
    fronts();
    free_cut();
    bound();
    structural();
    lenet5();
    speed();
    scale();
    return std::move(claims_);
  }

  std::vector<Claim> of_large() {
    bound();
    residual();
    scale();
    return std::move(claims_);
  }

 private:
  // The point of the best validation accuracy among those that pass; where none does, the one nearest to passing.
  const Front* best(const Choice& choice, Figure figure, double most) const {
    const Front* chosen = nullptr;
    const Front* nearest = nullptr;
    for (const Front& front : fronts_) {
      if (!choice(front)) continue;
      if (nearest == nullptr || front.mean(figure) < nearest->mean(figure)) nearest = &front;
      if (front.mean(figure) > most) continue;
      if (chosen == nullptr || front.validation() > chosen->validation()) chosen = &front;
    }
    return chosen != nullptr ? chosen : nearest;
  }

  // The sparsest point whose validation accuracy reaches `percent`.
  const Front* sparsest(const Choice& choice, double percent, Figure figure) const {
    const Front* chosen = nullptr;
    for (const Front& front : fronts_)
      if (choice(front) && front.validation() >= percent &&
          (chosen == nullptr || front.mean(figure) < chosen->mean(figure)))
        chosen = &front;
    return chosen;
  }

  // The point of the best validation accuracy.
  const Front* most_accurate(const Choice& choice) const {
    const Front* chosen = nullptr;
    for (const Front& front : fronts_)
      if (choice(front) && (chosen == nullptr || front.validation() > chosen->validation())) chosen = &front;
    return chosen;
  }

  int64_t points_of(const Choice& choice) const {
    return std::count_if(fronts_.begin(), fronts_.end(), choice);
  }

  std::string published_for_mnist() const {
    if (options_.scale == experiment::Scale::kSmoke)
      return "smoke scale trains on 2,000 images for two epochs";
    if (options_.data != "mnist")
      return concat("the figures are MNIST's; this run trained on ", options_.data);
    return "";
  }

  Claim& add(std::string id, std::string statement, std::string published, int seeds) {
    Claim claim;
    claim.id = std::move(id);
    claim.statement = std::move(statement);
    claim.published = std::move(published);
    claim.required_seeds = seeds;
    claims_.push_back(std::move(claim));
    return claims_.back();
  }

  void add_pair(const std::string& id, const std::string& statement, const std::string& published,
                const Front* front, double accuracy, const char* size, Figure figure, double most,
                int seeds) {
    Claim& claim = add(id,
                       front == nullptr ? statement
                                        : concat(statement, " [", front->recipe->arm, ", cut ",
                                                 point_label(*front->recipe, front->point), "]"),
                       published, seeds);
    claim.conditions = {
        {"test accuracy", Relation::kAtLeast, accuracy, "%", 2, per_seed(front, test_percent)},
        {size, Relation::kAtMost, most, "%", 2, per_seed(front, figure)}};
    if (front == nullptr) claim.missing_arms.push_back("an arm of this method and network");
    claim.not_comparable = published_for_mnist();
  }

  bool paper_scale() const { return options_.scale == experiment::Scale::kPaper; }

  void accuracy_at_density() {
    Claim& dense = add("0", "LeNet-300-100 trains to its dense accuracy", "98.4 %", kSeedsOfMlp);
    dense.conditions = {{"test accuracy, dense", Relation::kAtLeast, 98.2, "%", 2, {}}};
    for (const DenseFacts& f : facts_.dense)
      if (f.recipe->network == Network::lenet_300_100) dense.conditions[0].measured[f.seed] = 100 * f.test;
    dense.not_comparable = published_for_mnist();
    const Choice hs = of_penalty(PenaltyKind::hoyer_square);
    const char* published = "98.4 % at 1.84 %";
    if (paper_scale()) {
      add_pair("1a", "HS, full schedule: accurate with few weights", published,
               best(hs, density_percent, 1.6), 98.0, "weights", density_percent, 1.6, kSeedsOfMlp);
      add_pair("1b", "HS, full schedule: no loss with hardly more", published, best(hs, density_percent, 2.0),
               98.2, "weights", density_percent, 2.0, kSeedsOfMlp);
    } else {
      add_pair("1a", "HS, quick schedule: accurate with few weights", published,
               best(hs, density_percent, 2.7), 97.9, "weights", density_percent, 2.7, kSeedsOfMlp);
      add_pair("1b", "HS, quick schedule: a second point, sparser", published, best(hs, density_percent, 1.6),
               97.7, "weights", density_percent, 1.6, kSeedsOfMlp);
    }
  }

  // Densities at equal accuracy. Each method chooses its sparsest point whose validation accuracy reaches the target. If HS has
  // none, the claim is that it should; a rival that has none cannot be compared.
  void fronts() {
    const double target = 98.0;
    const Choice any_hs = of_penalty(PenaltyKind::hoyer_square);
    auto ratio = [&](const char* id, const char* than, const Choice& other, double most) {
      const Front* hs = sparsest(any_hs, target, density_percent);
      const Front* rival = sparsest(other, target, density_percent);
      Claim& claim = add(id, concat("At 98.0 % accuracy HS needs few weights beside ", than),
                         "44–54× against 12×", kSeedsOfMlp);
      claim.conditions = {{concat("density(HS) / density(", than, ")"), Relation::kAtMost, most, "", 2,
                           per_pair(hs, rival, [](const PointFacts& f, const PointFacts& g) {
                             return f.density() / g.density();
                           })}};
      if (points_of(any_hs) < 4) claim.missing_arms.push_back("HS at >= 4 points");
      if (points_of(other) < 4) claim.missing_arms.push_back(concat(than, " at >= 4 points"));
      claim.not_comparable = published_for_mnist();
      if (!claim.missing_arms.empty()) return;
      if (hs == nullptr)
        claim.conditions = {
            {"validation accuracy of HS's best point", Relation::kAtLeast, target, "%", 2,
             per_seed(most_accurate(any_hs), [](const PointFacts& f) { return 100 * f.final_validation; })}};
      else if (rival == nullptr && claim.not_comparable.empty())
        claim.not_comparable = concat("no point of ", than, " reaches ", target, " %");
    };
    ratio("2a", "one-shot magnitude", of_method(Method::magnitude), 0.5);
    ratio("2b", "L1", of_penalty(PenaltyKind::l1), 1.15);
    if (paper_scale()) ratio_to_best(any_hs);
  }

  void ratio_to_best(const Choice& hs) {
    const Choice rivals = [hs](const Front& front) {
      return front.recipe->network == Network::lenet_300_100 && !hs(front);
    };
    const Front* mine = sparsest(hs, 97.9, density_percent);
    const Front* rival = sparsest(rivals, 97.9, density_percent);
    Claim& claim = add("2c", "Full schedule: HS reaches the least density of all at 97.9 %",
                       "1.84 %, the least of the table", kSeedsOfMlp);
    claim.conditions = {{"density(HS) / least density of the others", Relation::kAtMost, 1, "", 2,
                         per_pair(mine, rival, [](const PointFacts& f, const PointFacts& g) {
                           return f.density() / g.density();
                         })}};
    for (PenaltyKind kind : {PenaltyKind::l1, PenaltyKind::transformed_l1, PenaltyKind::hoyer})
      if (points_of(of_penalty(kind)) < 4)
        claim.missing_arms.push_back(concat(name_of(kind), " at >= 4 points"));
    claim.not_comparable = published_for_mnist();
  }

  void free_cut() {
    const Front* front = nullptr;
    for (const Front& f : fronts_)
      if (front == nullptr && is_penalty(f, PenaltyKind::hoyer_square) && f.point == 0.03) front = &f;
    Claim& claim = add(
        "3",
        concat(
            "The cut at 0.03 std is nearly free after HS, and ruinous for the dense net at the same density",
            front == nullptr ? std::string() : concat(" [", front->recipe->arm, "]")),
        "", kSeedsOfMlp);
    claim.conditions = {
        {"points lost by the cut", Relation::kAtMost, 0.3, "points", 2,
         per_seed(front, [](const PointFacts& f) { return 100 * (f.before_test - f.cut_test); })},
        {"points lost by magnitude", Relation::kAtLeast, 5, "points", 2,
         per_seed(front, [](const PointFacts& f) { return 100 * (f.dense_test - f.magnitude_cut_test); })}};
    if (options_.scale == experiment::Scale::kSmoke) claim.not_comparable = published_for_mnist();
  }

  void bound() {
    Claim& claim = add(
        "4", "The sum of HS over the layers bounds the non-zeros from below, in every pruned network", "", 1);
    Condition condition{"largest ΣHS / non-zeros", Relation::kAtMost, 1, "", 4, {}};
    for (const PointFacts& f : facts_.points) {
      const double ratio = f.hoyer_square / static_cast<double>(f.nonzero + f.nonzero_biases);
      double& worst = condition.measured.emplace(f.seed, ratio).first->second;
      worst = std::max(worst, ratio);
    }
    claim.conditions = {condition};
  }

  void structural() {
    const Front* group = best(of_penalty(PenaltyKind::group_hoyer_square), mac_percent, 10);
    add_pair("5a", "Group-HS: few multiplications after physical shrinking", "98.2 % at 6.2 %", group, 97.9,
             "MACs", mac_percent, 10, kSeedsOfMlp);
    Claim& claim = add("5b", "Group-HS needs no more MACs than group lasso of about its accuracy",
                       "6.2 % (LeNet-5: 7.4 % against 8.8 %)", kSeedsOfMlp);
    const Front* rival = nullptr;  // the smallest within 0.15 point
    if (group != nullptr)
      for (const Front& f : fronts_)
        if (is_penalty(f, PenaltyKind::group_lasso) && f.validation() >= group->validation() - 0.15 &&
            (rival == nullptr || f.macs() < rival->macs()))
          rival = &f;
    if (rival == nullptr) claim.missing_arms.push_back("group lasso within 0.15 point");
    claim.conditions = {{"MACs(Group-HS) / MACs(group lasso)", Relation::kAtMost, 1, "", 2,
                         per_pair(group, rival, [](const PointFacts& f, const PointFacts& g) {
                           return f.mac_fraction() / g.mac_fraction();
                         })}};
    claim.not_comparable = published_for_mnist();
  }

  void lenet5() {
    const Front* hs = best(of_penalty(PenaltyKind::hoyer_square, Network::lenet_5), density_percent, 1.5);
    add_pair("6a", "LeNet-5, HS: accurate with few weights", "99.2 % at 0.82 %", hs, 99.0, "weights",
             density_percent, 1.5, 1);
    const Front* group = best(of_penalty(PenaltyKind::group_hoyer_square, Network::lenet_5), mac_percent, 12);
    add_pair("6b", "LeNet-5, Group-HS: few multiplications after shrinking", "99.0 % at 7.4 %", group, 98.8,
             "MACs", mac_percent, 12, 1);
  }

  void speed() {
    Claim& shrunk =
        add("8a", "Shrunk networks compute what the masked ones do, and at <= 20 % of the MACs twice as fast",
            "", 1);
    Condition error{"largest difference of logits", Relation::kAtMost, 1e-4, "", 6, {}};
    Condition speedup{"speed-up, batch 128", Relation::kAtLeast, 2, "×", 2, {}};
    for (const PointFacts& f : facts_.points) {
      double& worst = error.measured.emplace(f.seed, 0).first->second;
      worst = std::max(worst, f.shrunk.largest_error);
      const bool group = f.recipe->penalty.kind == PenaltyKind::group_hoyer_square;
      if (!group || f.mac_fraction() > 0.2) continue;
      const double times = f.shrunk.dense_ms / f.shrunk.shrunk_ms;
      double& least = speedup.measured.emplace(f.seed, times).first->second;
      least = std::min(least, times);
    }
    shrunk.conditions = {error, speedup};
    sparse_speed();
  }

  // Section C of the experiments. The network is the one that has points; ResNet-20 if none has.
  void residual() {
    const Network network = fronts_.empty() ? Network::resnet_20 : fronts_.front().recipe->network;
    const std::string& name = info_of(network).name;
    const Front* group = best(of_penalty(PenaltyKind::group_hoyer_square, network), mac_percent, 60);
    const auto relative_time = [](const PointFacts& f) { return f.shrunk.shrunk_ms / f.shrunk.dense_ms; };
    const auto lost = [](const PointFacts& f) { return 100 * (f.dense_test - f.final_test); };
    const auto lost_to = [](const PointFacts& f, const PointFacts& g) {
      return 100 * (g.final_test - f.final_test);
    };

    const Front* control = nullptr;  // trained and finetuned as long
    for (const Front& f : fronts_)
      if (is_penalty(f, PenaltyKind::none, network)) control = &f;
    Claim& loss = add_of_group(
        group, "7a", concat(name, ", Group-HS: at <= 60 % of the MACs little is lost"),
        {{"MACs", Relation::kAtMost, 60, "%", 2, per_seed(group, mac_percent)},
         {"points lost against the dense start", Relation::kAtMost, 1.5, "points", 2, per_seed(group, lost)},
         {"points lost against the same training without a penalty", Relation::kAtMost, 1.5, "points", 2,
          per_pair(group, control, lost_to)}});
    if (control == nullptr) loss.missing_arms.push_back("the arm without a penalty");
    add_of_group(group, "7b", concat(name, ", Group-HS: the shrunk network is faster on the clock"),
                 {{"time / dense time, both compiled for inference", Relation::kAtMost, 0.75, "", 2,
                   per_seed(group, relative_time)}});
    against_lasso(network);

    Claim& equal = add("8a", "Shrunk networks compute what the masked ones do", "", 1);
    Condition error{"largest difference of logits", Relation::kAtMost, 1e-4, "", 9, {}};
    for (const PointFacts& f : facts_.points) {
      double& worst = error.measured.emplace(f.seed, 0).first->second;
      worst = std::max(worst, f.shrunk.largest_error);
    }
    equal.conditions = {error};
  }

  Claim& add_of_group(const Front* group, const std::string& id, const std::string& statement,
                      std::vector<Condition> conditions) {
    Claim& claim =
        add(id, group == nullptr ? statement : concat(statement, " [", group->recipe->arm, "]"), "", 1);
    claim.conditions = std::move(conditions);
    if (group == nullptr) claim.missing_arms.push_back("Group-HS");
    claim.not_comparable = set_for_cifar();
    return claim;
  }

  // At equal MACs: the two points, one of each method, that are nearest to each other in MACs among those that are smaller
  // than the dense network by a tenth at least.
  void against_lasso(Network network) {
    const Front* mine = nullptr;
    const Front* rival = nullptr;
    const auto gap = [](const Front& a, const Front& b) { return std::fabs(a.macs() - b.macs()); };
    for (const Front& f : fronts_)
      for (const Front& g : fronts_)
        if (is_penalty(f, PenaltyKind::group_hoyer_square, network) &&
            is_penalty(g, PenaltyKind::group_lasso, network) && f.macs() <= 90 && g.macs() <= 90 &&
            (mine == nullptr || gap(f, g) < gap(*mine, *rival)))
          mine = &f, rival = &g;
    Claim& claim =
        add("7c",
            concat("At equal MACs Group-HS is no worse than group lasso",
                   mine == nullptr ? std::string()
                                   : concat(" [", mine->recipe->arm, " against ", rival->recipe->arm, "]")),
            "on or above the front", 1);
    claim.conditions = {{"MACs apart", Relation::kAtMost, 5, "% of dense", 2,
                         per_pair(mine, rival,
                                  [](const PointFacts& f, const PointFacts& g) {
                                    return std::fabs(mac_percent(f) - mac_percent(g));
                                  })},
                        {"accuracy of Group-HS beyond group lasso's", Relation::kAtLeast, -0.3, "points", 2,
                         per_pair(mine, rival, [](const PointFacts& f, const PointFacts& g) {
                           return test_percent(f) - test_percent(g);
                         })}};
    if (mine == nullptr) claim.missing_arms.push_back("a point of each method at <= 90 % of the MACs");
    claim.not_comparable = set_for_cifar();
    if (claim.not_comparable.empty() && mine != nullptr && gap(*mine, *rival) > 5)
      claim.not_comparable = "no two points are within 5 % of the dense network's MACs";
  }

  std::string set_for_cifar() const {
    if (options_.scale == experiment::Scale::kSmoke) return "smoke scale trains on 400 images for two epochs";
    if (options_.data != "cifar10")
      return concat("the bars are set for CIFAR-10; this run trained on ", options_.data);
    return "";
  }

  // On the masks that the runs left, of LeNet-300-100 with at most 2 % of its weights; the slowest one counts.
  void sparse_speed() {
    Claim& claim =
        add("8b",
            "Sparse kernels reach their floors: >= 8x on LeNet-300-100 with 2 % of the weights at batch 128",
            "", 1);
    Condition error{"largest difference of logits", Relation::kAtMost, 1e-4, "", 6, {}};
    Condition batch{"speed-up over dense", Relation::kAtLeast, 8, "×", 1, {}};
    Condition single{"speed-up over dense, batch 1", Relation::kAtLeast, 1.8, "×", 1, {}};
    for (const PointFacts& f : facts_.points) {
      const bool masked = f.recipe->method != Method::small_dense;
      if (f.recipe->network != Network::lenet_300_100 || !masked || f.density() > 0.02) continue;
      double& worst = error.measured.emplace(f.seed, 0).first->second;
      worst = std::max(worst, f.sparse.largest_error);
      auto note = [&](Condition& condition, double times) {
        double& least = condition.measured.emplace(f.seed, times).first->second;
        least = std::min(least, times);
      };
      note(batch, f.sparse.batch_128.speed_up());
      note(single, f.sparse.batch_1.speed_up());
    }
    claim.conditions = {error, batch, single};
    if (batch.measured.empty()) claim.missing_arms = {"a LeNet-300-100 with at most 2 % of its weights"};
  }

  void scale() {
    Claim& claim = add("9", "Weights times ten: HS does not change, L1 is ten times as large", "", 1);
    Condition hs{"relative change of HS", Relation::kAtMost, 1e-5, "", 9, {}};
    Condition l1{"|L1 ratio / 10 − 1|", Relation::kAtMost, 1e-5, "", 9, {}};
    if (facts_.scale) {
      hs.measured[options_.seed] = facts_.scale->hoyer_square_change;
      l1.measured[options_.seed] = std::fabs(facts_.scale->l1_ratio / 10 - 1);
    }
    claim.conditions = {hs, l1};
  }

  const Facts& facts_;
  const experiment::Options& options_;
  std::vector<Front> fronts_;
  std::vector<Claim> claims_;
};

}  // namespace

double Front::mean(double (*figure)(const PointFacts&)) const {
  double total = 0;
  for (const PointFacts* f : seeds) total += figure(*f);
  return total / static_cast<double>(seeds.size());
}
double Front::test() const { return mean(test_percent); }
double Front::validation() const {
  return mean([](const PointFacts& f) { return 100 * f.final_validation; });
}
double Front::density() const { return mean(density_percent); }
double Front::macs() const { return mean(mac_percent); }

std::vector<Front> fronts_of(const Facts& facts) {
  std::vector<Front> fronts;
  for (const PointFacts& f : facts.points) {
    auto same = [&](const Front& front) { return front.recipe == f.recipe && front.point == f.point; };
    auto at = std::find_if(fronts.begin(), fronts.end(), same);
    if (at == fronts.end()) at = fronts.insert(fronts.end(), {f.recipe, f.point, {}});
    at->seeds.push_back(&f);
  }
  return fronts;
}

std::vector<experiment::Claim> claims_of(const Facts& facts, const experiment::Options& options,
                                         Family family) {
  Judge judge(facts, options);
  return family == Family::lenet ? judge.all() : judge.of_large();
}

}  // namespace tenon::deephoyer
