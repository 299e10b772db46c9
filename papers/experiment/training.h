// Stages of training: epochs of an optimiser over labelled images, checkpointed at every epoch, so that a killed run
// goes on to the same bits. What is particular to a method hangs on the hooks of a stage.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "data/loader.h"
#include "nn/checkpoint.h"
#include "nn/optim.h"
#include "papers/experiment/images.h"
#include "papers/experiment/interrupt.h"
#include "papers/experiment/progress.h"
#include "papers/experiment/run_folder.h"

namespace tenon::experiment {

/// Learning rate of epoch e, from 0.
using LearningRate = std::function<double(int64_t epoch)>;
/// `first` at the first of `epochs`, `last` at the last, exponential in between.
LearningRate exponential_rate(double first, double last, int64_t epochs);
/// `rate`, times 0.1 from each of these epochs on: with `milestones` {82, 123}, epoch 82 is the first of 0.1 `rate`.
LearningRate stepped_rate(double rate, std::vector<int64_t> milestones);

/// What came of an epoch: fractions of images that were classified rightly.
struct EpochOutcome {
  double loss = 0;
  double training = 0;    ///< of each batch as it was trained
  double validation = 0;  ///< after the epoch
};

struct Stage {
  std::string name;    ///< "dense", "finetune-0.03"; also the name of its file
  int64_t epochs = 0;  ///< at most
  LearningRate lr;
  /// Made anew for every stage.
  std::function<std::unique_ptr<Optimizer>(const Module& net)> make_optimizer;
  int64_t batch = 100;
  /// The result is the epoch of the best validation accuracy (the first of equals) instead of the last one.
  bool keep_best = false;

  // Hooks; each may be empty. `step` counts the steps of the stage from 0.
  std::function<void(int64_t epoch)> begin_epoch;    ///< sets up what is random in the network
  std::function<void(int64_t step)> begin_step;      ///< before the forward, without recording
  std::function<Variable()> extra_loss;              ///< added to the loss of every batch
  std::function<void(int64_t step)> after_backward;  ///< gradients are there; without recording
  std::function<void(int64_t step)> after_step;      ///< without recording
  /// May change what the network is made of, and returns true if it did: the optimiser is then made anew, and the state of
  /// the parameters that both have is carried over by name, or dropped with `drop_state`. Before the epoch's line and
  /// checkpoint.
  std::function<bool(const EpochOutcome& outcome)> after_epoch;
  bool drop_state = false;
  std::function<bool()> done;         ///< ends the stage before its epochs are over; asked before each
  std::function<Json()> epoch_facts;  ///< members appended to the epoch's line of the log: an object
  /// What hooks keep from step to step goes into the checkpoint, and comes back before the first step of a resumed stage,
  /// before the weights do: where after_epoch changed the network, loading changes it again, and does so too before the
  /// weights of a finished stage are loaded. An empty state is not written.
  std::function<State()> hook_state;
  std::function<void(const State&)> load_hook_state;
};

/// What stage `stage` of a pair left. Throws Error that names the arm if it has not been run.
State stage_state(RunFolder& folder, const std::string& arm, int64_t seed, const std::string& stage);

/// {"validation": .., "test": ..}: the accuracies of a network.
Json accuracies(Module& net, const ImageProblem& problem);

/// Runs the stages of one (arm, seed) pair one after another. A finished stage left its weights in
/// `<folder>/<stage>.safetensors` and is not run again; an unfinished one goes on from
/// `checkpoint.safetensors`. Epochs are numbered through all stages, so that no two have the same order of images.
class StageRunner {
 public:
  /// `total_epochs` of all stages, for the progress line, which goes to `out`; with `memory`, there goes also
  /// what holds the memory at the peak of the second step of each stage.
  StageRunner(const ImageProblem& problem, ArmRun& arm, int64_t total_epochs, std::ostream& out,
              bool memory = false);

  /// Trains `net` from its present weights and leaves it with the stage's result. Throws Interrupted, and Error on
  /// unreadable or foreign files in the folder.
  void run(const Stage& stage, Module& net);
  /// Epochs of this pair that are done.
  int64_t epochs_done() const { return epochs_done_; }
  /// An epoch of `stage` that is not counted, logged or kept, for hooks that train a part of the network between two epochs.
  /// `order` numbers the order of images, beyond those of the counted epochs. Throws Interrupted.
  EpochOutcome extra_epoch(const Stage& stage, Module& net, Optimizer& optimizer, int64_t order);

 private:
  void train(const Stage& stage, Module& net);
  /// Before the first epoch that this process trains.
  void go_on();
  DataLoader loader_of(const Stage& stage, const Module& net) const;
  EpochOutcome train_epoch(const Stage& stage, Module& net, Optimizer& optimizer, DataLoader& loader,
                           int64_t first_step);
  /// Adds the batch's loss and right answers, both times its size, to `total`.
  void train_step(const Stage& stage, Module& net, Optimizer& optimizer, const Batch& batch, int64_t step,
                  EpochOutcome& total);
  void trace_step(const Stage& stage, Module& net, const Optimizer& optimizer,
                  const std::function<void()>& step);
  std::string file(const std::string& name) const {
    return (arm_.folder() / (name + ".safetensors")).string();
  }

  const ImageProblem& problem_;
  ArmRun& arm_;
  std::ostream& out_;
  bool memory_;
  int64_t total_epochs_;
  std::optional<Progress> progress_;  // from the first epoch on that this process trains
  int64_t epochs_done_ = 0;
  std::string traced_stage_;  // whose memory was printed last
};

}  // namespace tenon::experiment
