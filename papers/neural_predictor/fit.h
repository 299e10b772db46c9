// Training a predictor on a few architectures, and asking it about many.
#pragma once

#include <span>
#include <vector>

#include "papers/neural_predictor/graphs.h"
#include "papers/neural_predictor/predictor.h"

namespace tenon::neural_predictor {

enum class Target {
  accuracy,  ///< the mean squared error of accuracy_of(logit), in percent squared
  above,     ///< the cross-entropy of sigmoid(logit) with 0 or 1
};

/// The paper's training: Adam (0.9, 0.999, 1e-8), its rate on a cosine to 0 over all steps; weight decay is added to
/// the gradient, of weights alone; the last partial batch of an epoch is dropped.
struct FitOptions {
  Target target = Target::accuracy;
  int64_t epochs = 300, batch = 10;
  double lr = 1e-4, weight_decay = 1e-3;
  EncodeOptions encode = {};
};

/// Trains on graphs[rows[i]] with targets[i]; leaves the network in evaluation mode. The generator draws the order
/// of each epoch. Between epochs it looks whether the user asked to stop, and throws
/// experiment::Interrupted.
/// Denormals count as zeros. Throws Error if
/// there are fewer rows than a batch, or other targets than rows.
void fit(GraphModule& net, const LabelledGraphs& graphs, std::span<const int64_t> rows,
         std::span<const double> targets, const FitOptions& options, Generator& generator);

/// The logits of graphs[rows[i]], a hundred or so at a time, in evaluation mode.
std::vector<float> predict(GraphModule& net, const LabelledGraphs& graphs, std::span<const int64_t> rows,
                           const EncodeOptions& encode = {});

}  // namespace tenon::neural_predictor
