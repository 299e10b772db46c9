#include "papers/experiment/training.h"

#include <cmath>
#include <filesystem>
#include <optional>

#include "autograd/ops/elementwise.h"
#include "nn/loss.h"
#include "nn/schedule.h"
#include "papers/experiment/interrupt.h"
#include "papers/experiment/memory.h"

namespace tenon::experiment {
namespace {

// The epoch whose weights are the stage's result so far, as it is kept through a break.
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
  if (const State hooks = stage.hook_state ? stage.hook_state() : State(); !hooks.empty())
    out.put("hooks", hooks);
  out.put("best_accuracy", best.accuracy);
  out.put("best_epoch", best.epoch);
  if (!best.model.empty()) out.put("best", best.model);
  out.save(path);
}

void load_hooks(const Checkpoint& in, const Stage& stage) {
  if (!stage.load_hook_state || !stage.hook_state) return;
  const bool kept = in.has("hooks");
  stage.load_hook_state(kept ? in.state("hooks") : State());
}

// Makes the optimiser, and takes over the checkpoint if it is of this stage: the epoch that it was written after, or 0.
int64_t resume(const std::string& path, const Stage& stage, Module& net,
               std::unique_ptr<Optimizer>& optimizer, Best& best) {
  std::optional<Checkpoint> in;
  if (std::filesystem::exists(path)) in = Checkpoint::load(path);
  if (in && in->text("stage") != stage.name) in.reset();  // of a stage that is finished
  if (in) load_hooks(*in, stage);
  optimizer = stage.make_optimizer(net);
  if (!in) return 0;
  net.load_state(in->state("model"));
  optimizer->load_state(in->state("optimizer"));
  best = {in->real("best_accuracy"), in->integer("best_epoch"), {}};
  if (stage.keep_best) best.model = in->state("best");
  return in->integer("epoch");
}

}  // namespace

LearningRate exponential_rate(double first, double last, int64_t epochs) {
  return [=](int64_t epoch) {
    if (epochs <= 1) return first;
    const double part = static_cast<double>(epoch) / static_cast<double>(epochs - 1);
    return first * std::pow(last / first, part);
  };
}

LearningRate stepped_rate(double rate, std::vector<int64_t> milestones) {
  return
      [rate, factor = multi_step(std::move(milestones), 0.1)](int64_t epoch) { return rate * factor(epoch); };
}

State stage_state(RunFolder& folder, const std::string& arm, int64_t seed, const std::string& stage) {
  const std::string path = (folder.arm(arm, seed).folder() / (stage + ".safetensors")).string();
  TENON_CHECK(std::filesystem::exists(path), path, ": is missing: arm '", arm,
              "' has not been run with seed ", seed);
  return Checkpoint::load(path).state("model");
}

Json accuracies(Module& net, const ImageProblem& problem) {
  return Json::object(
      {{"validation", accuracy(net, problem.validation)}, {"test", accuracy(net, problem.test)}});
}

StageRunner::StageRunner(const ImageProblem& problem, ArmRun& arm, int64_t total_epochs, std::ostream& out,
                         bool memory)
    : problem_(problem), arm_(arm), out_(out), memory_(memory), total_epochs_(total_epochs) {}

void StageRunner::run(const Stage& stage, Module& net) {
  if (!std::filesystem::exists(file(stage.name))) {
    train(stage, net);
    net.load_state(Checkpoint::load(file(stage.name)).state("model"));
    return;
  }
  const Checkpoint in = Checkpoint::load(file(stage.name));
  if (stage.after_epoch) load_hooks(in, stage);
  net.load_state(in.state("model"));
  epochs_done_ += stage.done ? in.integer("epochs") : stage.epochs;
}

// A card trains while the host makes the next batches; on the host a thread for them would take from the kernels'.
DataLoader StageRunner::loader_of(const Stage& stage, const Module& net) const {
  return {problem_.source,
          problem_.train,
          {.batch_size = stage.batch,
           .shuffle = true,
           .drop_last = false,
           .seed = static_cast<uint64_t>(arm_.seed()),
           .prefetch = net.device().is_cuda() ? 2 : 0,
           .augment = problem_.augment}};
}

void StageRunner::train(const Stage& stage, Module& net) {
  DataLoader loader = loader_of(stage, net);
  Best best;
  std::unique_ptr<Optimizer> optimizer;
  int64_t epoch = resume(file("checkpoint"), stage, net, optimizer, best);
  const int64_t first = epochs_done_;
  epochs_done_ += epoch;
  if (!progress_) go_on();
  while (epoch < stage.epochs && !(stage.done && stage.done())) {
    loader.seek({first + epoch, 0});
    const double lr = stage.lr(epoch);
    optimizer->set_lr(lr);
    if (stage.begin_epoch) stage.begin_epoch(epoch);
    EpochOutcome outcome = train_epoch(stage, net, *optimizer, loader, epoch * loader.batches_per_epoch());
    outcome.validation = accuracy(net, problem_.validation);
    ++epoch;
    ++epochs_done_;
    if (stage.after_epoch && stage.after_epoch(outcome)) {
      std::unique_ptr<Optimizer> fresh = stage.make_optimizer(net);
      if (!stage.drop_state) fresh->inherit(*optimizer);
      optimizer = std::move(fresh);
    }
    if (!stage.keep_best)
      best = {outcome.validation, epoch, {}};
    else if (outcome.validation > best.accuracy)
      best = {outcome.validation, epoch, clone_state(net.state())};
    Json line = Json::object({{"epoch", epochs_done_},
                              {"stage", stage.name},
                              {"stage_epoch", epoch},
                              {"lr", lr},
                              {"loss", outcome.loss},
                              {"training", outcome.training},
                              {"validation", outcome.validation}});
    const Json facts = stage.epoch_facts ? stage.epoch_facts() : Json::object();
    for (const JsonMember& fact : facts.members()) line[fact.key] = fact.value;
    arm_.log(line);
    save(file("checkpoint"), stage, net, *optimizer, best, epoch);
    progress_->update(epochs_done_, concat(stage.name, " ", epoch, "/", stage.epochs, "  loss ", outcome.loss,
                                           "  validation ", 100 * outcome.validation, " %"));
  }
  Checkpoint out;
  out.put("model", best.model.empty() ? net.state() : best.model);
  out.put("validation", best.accuracy);
  out.put("epoch", best.epoch);
  if (stage.done) out.put("epochs", epoch);
  if (stage.after_epoch && stage.hook_state) out.put("hooks", stage.hook_state());
  out.save(file(stage.name));
}

void StageRunner::go_on() {
  arm_.rewind_log(epochs_done_);
  progress_.emplace(
      out_, concat(arm_.name(), " seed ", arm_.seed()), total_epochs_,
      Progress::Settings{
          .terminal = is_terminal(1), .interval = 30, .already_done = epochs_done_, .clock = {}});
}

EpochOutcome StageRunner::extra_epoch(const Stage& stage, Module& net, Optimizer& optimizer, int64_t order) {
  constexpr int64_t kBeyond = int64_t{1} << 23;  // half of the epochs that a loader knows
  DataLoader loader = loader_of(stage, net);
  loader.seek({kBeyond + order, 0});
  return train_epoch(stage, net, optimizer, loader, 0);
}

EpochOutcome StageRunner::train_epoch(const Stage& stage, Module& net, Optimizer& optimizer,
                                      DataLoader& loader, int64_t first_step) {
  net.train();
  EpochOutcome total;
  int64_t step = first_step;
  for (Batch batch; loader.next(batch); ++step) {
    if (stop_requested())
      throw Interrupted(
          concat(arm_.name(), ", seed ", arm_.seed(), ": stopped after ", epochs_done_, " epochs"));
    const auto run = [&] { train_step(stage, net, optimizer, batch, step, total); };
    // The second step is like all that follow: the first makes the optimiser's state.
    if (memory_ && step == first_step + 1 && stage.name != traced_stage_)
      trace_step(stage, net, optimizer, run);
    else
      run();
  }
  const auto size = static_cast<double>(loader.size());
  return {.loss = total.loss / size, .training = total.training / size};
}

void StageRunner::trace_step(const Stage& stage, Module& net, const Optimizer& optimizer,
                             const std::function<void()>& step) {
  const MemoryTrace trace(net.device());
  step();
  traced_stage_ = stage.name;
  Table table = memory_table(trace.peak(), net, optimizer);
  table.title = concat(arm_.name(), ", ", stage.name, ": memory at the peak of a step");
  out_ << '\n' << to_text(table) << std::flush;
}

void StageRunner::train_step(const Stage& stage, Module& net, Optimizer& optimizer, const Batch& batch,
                             int64_t step, EpochOutcome& total) {
  optimizer.zero_grad();
  if (stage.begin_step) {
    NoGrad no_grad;
    stage.begin_step(step);
  }
  const Batch here = batch.to(net.device());
  const Variable logits = net(Variable(here.images));
  Variable loss = cross_entropy(logits, here.labels);
  total.loss += loss.item() * static_cast<double>(here.labels.numel());
  total.training += static_cast<double>(count_correct(logits.value(), here.labels));
  if (stage.extra_loss) loss = loss + stage.extra_loss();
  backward(loss);
  NoGrad no_grad;
  if (stage.after_backward) stage.after_backward(step);
  optimizer.step();
  if (stage.after_step) stage.after_step(step);
}

}  // namespace tenon::experiment
