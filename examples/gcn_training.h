// Semi-supervised classification of papers in a citation network, as Kipf and Welling (2017) trained it.
#pragma once

#include "core/device.h"
#include "data/planetoid.h"

namespace tenon {

/// Their settings (sec. 5.2).
struct GcnRecipe {
  int64_t hidden = 16;
  double dropout = 0.5;
  double weight_decay = 5e-4;  ///< of the first layer: half its square is added to the loss
  double lr = 0.01;            ///< Adam
  int64_t epochs = 200;        ///< at most
  int64_t window = 10;         ///< of early stopping
};

struct GcnOutcome {
  double validation_accuracy, test_accuracy;  ///< in percent, of the last epoch
  int64_t epochs;                             ///< trained
};

/// Trains on the labels of network.train, on features whose rows sum to 1. Stops, after `window` epochs at least,
/// when the loss on network.validation is above its mean over the `window` epochs before (the criterion of
/// their published code). The seed decides weights and dropout.
GcnOutcome train_gcn(const CitationNetwork& network, const GcnRecipe& recipe, uint64_t seed,
                     Device device = Device::cpu());

}  // namespace tenon
