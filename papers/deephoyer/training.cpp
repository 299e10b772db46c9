#include "papers/deephoyer/training.h"

namespace tenon::deephoyer {
namespace {

constexpr double kFirstRate = 1e-3, kLastRate = 1e-4;

}  // namespace

experiment::Stage make_stage(const std::string& name, int64_t epochs, Module& net, const StageOptions& o) {
  if (o.masks != nullptr) {
    NoGrad no_grad;
    o.masks->apply();
  }
  experiment::Stage stage;
  stage.name = name;
  stage.epochs = epochs;
  stage.lr = experiment::exponential_rate(kFirstRate, kLastRate, epochs);
  // Fresh for every stage: no momentum of what was cut survives the cut.
  stage.make_optimizer = [decay = o.weight_decay](const Module& module) {
    return std::make_unique<Adam>(module.named_parameters(),
                                  AdamOptions{.lr = kFirstRate, .weight_decay = decay});
  };
  stage.keep_best = o.keep_best;
  stage.after_backward = [&net, o](int64_t) {
    add_gradient(o.penalty, net.parameters());
    if (o.masks != nullptr) o.masks->apply_to_gradients();
  };
  if (o.masks != nullptr) stage.after_step = [masks = o.masks](int64_t) { masks->apply(); };
  stage.epoch_facts = [&net, kind = o.penalty.kind] {
    return Json::object({{"measure", measure(kind, net.parameters())},
                         {"hoyer_square", measure(PenaltyKind::hoyer_square, net.parameters())}});
  };
  return stage;
}

experiment::ImageProblem load_problem(const std::string& data, bool reduced) {
  experiment::ImageSetup setup;
  if (reduced) setup.train = 2000, setup.validation = 500, setup.test = 1000;
  return experiment::load_images(data, setup);
}

}  // namespace tenon::deephoyer
