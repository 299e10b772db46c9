// One stage of training: epochs of Adam under a penalty and masks, checkpointed at every epoch, so that a
// killed run goes on to the same bits.
#pragma once

#include <functional>
#include <ostream>
#include <string>

#include "data/loader.h"
#include "nn/compress/mask.h"
#include "nn/optim.h"
#include "papers/deephoyer/penalty.h"
#include "papers/deephoyer/problem.h"
#include "papers/experiment/progress.h"
#include "papers/experiment/run_folder.h"

namespace tenon::deephoyer {

/// Thrown between two steps when the user asked to stop; what was finished is on disk.
class Interrupted : public Error {
 public:
  using Error::Error;
};

struct Stage {
  std::string name;  ///< "dense", "penalty", "finetune-0.03std"; also the name of its file
  int64_t epochs = 0;
  double lr_first = 1e-3, lr_last = 1e-4;  ///< of the first and the last epoch; exponential in between
  double weight_decay = 0;                 ///< coupled
  Penalty penalty;
  /// The result is the epoch of the best validation accuracy (the first of equals) instead of the last one.
  bool keep_best = true;
  /// Called before every epoch with the epoch's number in the stage: sets up what is random in the network.
  std::function<void(int64_t epoch)> begin_epoch;
  /// Added to the loss of every batch.
  std::function<Variable()> extra_loss;
};

/// Runs the stages of one (arm, seed) pair one after another. A finished stage left its weights in
/// `<folder>/<stage>.safetensors` and is not run again; an unfinished one goes on from
/// `checkpoint.safetensors`.
class StageRunner {
 public:
  /// `total_epochs` of all stages, for the progress line, which goes to `out`; with `memory`, there goes also
  /// what holds the memory at the peak of the second step of each stage.
  StageRunner(const Problem& problem, experiment::ArmRun& arm, int64_t total_epochs, std::ostream& out,
              bool memory = false);

  /// Trains `net` from its present weights, under `masks` if there are any, and leaves it with the stage's
  /// result. Throws Interrupted, and Error on unreadable or foreign files in the folder.
  void run(const Stage& stage, Module& net, const Masks* masks = nullptr);
  /// Epochs of this pair that are done.
  int64_t epochs_done() const { return epochs_done_; }

 private:
  void train(const Stage& stage, Module& net, const Masks* masks);
  double train_epoch(const Stage& stage, Module& net, const Masks* masks, Optimizer& optimizer,
                     DataLoader& loader);
  double train_step(const Stage& stage, Module& net, const Masks* masks, Optimizer& optimizer,
                    const Batch& batch);
  std::string file(const std::string& name) const {
    return (arm_.folder() / (name + ".safetensors")).string();
  }

  const Problem& problem_;
  experiment::ArmRun& arm_;
  std::ostream& out_;
  bool memory_;
  experiment::Progress progress_;
  int64_t epochs_done_ = 0;
  bool log_rewound_ = false;
  std::string traced_stage_;  // whose memory was printed last
};

/// Learning rate of epoch `e` (from 0) of a stage.
double lr_of(const Stage& stage, int64_t epoch);

/// Fraction of `set`, which may lie on another device, that the network gets right, in evaluation mode.
double accuracy(Module& net, const Labelled& set);

}  // namespace tenon::deephoyer
