#include "papers/deephoyer/training.h"

#include <cmath>
#include <filesystem>
#include <optional>

#include "autograd/ops/elementwise.h"
#include "nn/checkpoint.h"
#include "nn/loss.h"
#include "papers/experiment/interrupt.h"
#include "papers/experiment/memory.h"

namespace tenon::deephoyer {
namespace {

constexpr int64_t kBatch = 100;
constexpr int64_t kEvaluationBatch = 1000;

// The best epoch so far, as it is kept through a break.
struct Best {
  double accuracy = -1;
  int64_t epoch = 0;
  State model;
};

void save(const std::string& path, const Stage& stage, const Module& net, const Optimizer& optimizer,
          const Best& best, int64_t epoch) {
  Checkpoint out;
  out.put("stage", stage.name);
  out.put("epoch", epoch);
  out.put("model", net.state());
  out.put("optimizer", optimizer.state());
  out.put("best", best.model);
  out.put("best_accuracy", best.accuracy);
  out.put("best_epoch", best.epoch);
  out.save(path);
}

}  // namespace

double lr_of(const Stage& stage, int64_t epoch) {
  if (stage.epochs <= 1) return stage.lr_first;
  const double part = static_cast<double>(epoch) / static_cast<double>(stage.epochs - 1);
  return stage.lr_first * std::pow(stage.lr_last / stage.lr_first, part);
}

double accuracy(Module& net, const Labelled& set) {
  NoGrad no_grad;
  const bool was_training = net.is_training();
  net.eval();
  int64_t correct = 0;
  const int64_t count = set.labels.numel();
  const Device device = net.device();
  for (int64_t i = 0; i < count; i += kEvaluationBatch) {
    const int64_t n = std::min(kEvaluationBatch, count - i);
    const Variable logits = net(Variable(set.images.narrow(0, i, n).to(device)));
    correct += count_correct(logits.value(), set.labels.narrow(0, i, n).to(device));
  }
  net.train(was_training);
  return static_cast<double>(correct) / static_cast<double>(count);
}

StageRunner::StageRunner(const Problem& problem, experiment::ArmRun& arm, int64_t total_epochs,
                         std::ostream& out, bool memory)
    : problem_(problem),
      arm_(arm),
      out_(out),
      memory_(memory),
      progress_(out, concat(arm.name(), " seed ", arm.seed()), total_epochs,
                {.terminal = experiment::is_terminal(1), .interval = 30, .already_done = 0, .clock = {}}) {}

void StageRunner::run(const Stage& stage, Module& net, const Masks* masks) {
  if (!std::filesystem::exists(file(stage.name)))
    train(stage, net, masks);
  else
    epochs_done_ += stage.epochs;
  net.load_state(Checkpoint::load(file(stage.name)).state("model"));
}

void StageRunner::train(const Stage& stage, Module& net, const Masks* masks) {
  if (masks != nullptr) {
    NoGrad no_grad;
    masks->apply();
  }
  // Fresh for every stage: no momentum of what was cut survives the cut.
  Adam optimizer(net.named_parameters(), {.lr = stage.lr_first, .weight_decay = stage.weight_decay});
  DataLoader loader(problem_.source, problem_.train,
                    {.batch_size = kBatch,
                     .shuffle = true,
                     .drop_last = false,
                     .seed = static_cast<uint64_t>(arm_.seed()),
                     .prefetch = 0,
                     .augment = {}});
  Best best;
  int64_t epoch = 0;
  if (std::filesystem::exists(file("checkpoint"))) {
    const Checkpoint in = Checkpoint::load(file("checkpoint"));
    if (in.text("stage") == stage.name) {  // else it is of a stage that is finished
      epoch = in.integer("epoch");
      net.load_state(in.state("model"));
      optimizer.load_state(in.state("optimizer"));
      best = {in.real("best_accuracy"), in.integer("best_epoch"), in.state("best")};
    }
  }
  if (!log_rewound_) arm_.rewind_log(epochs_done_ + epoch);
  log_rewound_ = true;
  // Epochs are numbered through all stages, so that no two have the same order of images.
  const int64_t first = epochs_done_;
  epochs_done_ += epoch;
  while (epoch < stage.epochs) {
    loader.seek({first + epoch, 0});
    optimizer.set_lr(lr_of(stage, epoch));
    if (stage.begin_epoch) stage.begin_epoch(epoch);
    const double loss = train_epoch(stage, net, masks, optimizer, loader);
    const double validation = accuracy(net, problem_.validation);
    ++epoch;
    ++epochs_done_;
    if (!stage.keep_best || validation > best.accuracy) best = {validation, epoch, clone_state(net.state())};
    arm_.log(Json::object({{"epoch", epochs_done_},
                           {"stage", stage.name},
                           {"stage_epoch", epoch},
                           {"lr", lr_of(stage, epoch - 1)},
                           {"loss", loss},
                           {"validation", validation},
                           {"measure", measure(stage.penalty.kind, net.parameters())},
                           {"hoyer_square", measure(PenaltyKind::hoyer_square, net.parameters())}}));
    save(file("checkpoint"), stage, net, optimizer, best, epoch);
    progress_.update(epochs_done_, concat(stage.name, " ", epoch, "/", stage.epochs, "  loss ", loss,
                                          "  validation ", 100 * validation, " %"));
  }
  Checkpoint out;
  out.put("model", best.model);
  out.put("validation", best.accuracy);
  out.put("epoch", best.epoch);
  out.save(file(stage.name));
}

double StageRunner::train_epoch(const Stage& stage, Module& net, const Masks* masks, Optimizer& optimizer,
                                DataLoader& loader) {
  net.train();
  double total = 0;
  int64_t steps = 0;
  for (Batch batch; loader.next(batch);) {
    if (experiment::stop_requested())
      throw Interrupted(
          concat(arm_.name(), ", seed ", arm_.seed(), ": stopped after ", epochs_done_, " epochs"));
    optimizer.zero_grad();
    // The second step is like all that follow: the first makes the optimiser's state.
    const bool traced = memory_ && ++steps == 2 && stage.name != traced_stage_;
    std::optional<MemoryTrace> trace;
    if (traced) trace.emplace(net.device());
    total += train_step(stage, net, masks, optimizer, batch) * static_cast<double>(batch.labels.numel());
    if (!traced) continue;
    traced_stage_ = stage.name;
    experiment::Table table = experiment::memory_table(trace->peak(), net, optimizer);
    table.title = concat(arm_.name(), ", ", stage.name, ": memory at the peak of a step");
    out_ << '\n' << experiment::to_text(table) << std::flush;
  }
  return total / static_cast<double>(loader.size());
}

double StageRunner::train_step(const Stage& stage, Module& net, const Masks* masks, Optimizer& optimizer,
                               const Batch& batch) {
  const Batch here = batch.to(net.device());
  Variable loss = cross_entropy(net(Variable(here.images)), here.labels);
  const double value = loss.item();
  if (stage.extra_loss) loss = loss + stage.extra_loss();
  backward(loss);
  NoGrad no_grad;
  add_gradient(stage.penalty, net.parameters());
  if (masks != nullptr) masks->apply_to_gradients();
  optimizer.step();
  if (masks != nullptr) masks->apply();
  return value;
}

}  // namespace tenon::deephoyer
