#include "papers/deephoyer/training.h"

namespace tenon::deephoyer {

experiment::Stage make_stage(const std::string& name, Network network, const Schedule& schedule,
                             int64_t batch, Module& net, const StageOptions& o) {
  if (o.masks != nullptr) {
    NoGrad no_grad;
    o.masks->apply();
  }
  experiment::Stage stage;
  stage.name = name;
  stage.epochs = schedule.epochs;
  stage.batch = batch;
  stage.lr = schedule.milestones.empty()
                 ? experiment::exponential_rate(schedule.rate, schedule.rate / 10, schedule.epochs)
                 : experiment::stepped_rate(schedule.rate, schedule.milestones);
  // Fresh for every stage: no momentum of what was cut survives the cut.
  stage.make_optimizer = [network, rate = schedule.rate, decay = o.weight_decay](const Module& module) {
    return make_optimizer(network, module, rate, decay);
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

ImageChoice image_choice(const std::string& data, experiment::Scale scale) {
  switch (scale) {
    case experiment::Scale::kSmoke:
      return {.train = 400, .validation = 100, .test = 200, .pool = 2};
    case experiment::Scale::kScaled:
      return {.train = 12000, .validation = 2000, .test = data == "cifar10" ? 0 : 5000, .pool = 2};
    case experiment::Scale::kPaper:
      return {};
  }
  fail("deephoyer: no such scale");
}

experiment::ImageProblem load_augmented(const std::string& data, const ImageChoice& choice) {
  experiment::ImageSetup setup;
  setup.train = choice.train;
  setup.validation = choice.validation;
  setup.test = choice.test;
  setup.pool = choice.pool;
  setup.augment.padding = 4 / choice.pool;
  setup.augment.horizontal_flip = true;
  if (data == "cifar10") {
    setup.augment.mean = {0.4914F, 0.4822F, 0.4465F};
    setup.augment.std = {0.2023F, 0.1994F, 0.2010F};
  } else {
    setup.augment.mean = {0.2860F};
    setup.augment.std = {0.3530F};
  }
  return experiment::load_images(data, setup);
}

}  // namespace tenon::deephoyer
