// Predictors that do not know what a graph is: what the graph network is compared with (the paper's supplement). They
// see the vertices in the order of the table, so the same cell written otherwise is another cell to them.
#pragma once

#include <memory>

#include "nn/conv.h"
#include "papers/neural_predictor/predictor.h"

namespace tenon::neural_predictor {

enum class Network {
  graph,  ///< Predictor
  mlp,    ///< dense layers on all one-hots and the adjacency matrix, side by side
  cnn,  ///< convolutions along the list of vertices, whose channels are one-hot and row of the adjacency matrix
};

/// Three dense layers of 2 width, 2 width and `hidden` units with ReLU and dropout, then one number; `layers` is not
/// looked at. Dense graphs of `padded` vertices only. Weights and biases as Predictor's.
class MlpPredictor : public GraphModule {
 public:
  MlpPredictor(const PredictorOptions& options, int64_t padded, Generator& generator);
  using GraphModule::forward;
  Variable forward(const GraphBatch& graphs, const Variable& x) override;
  const char* kind() const override { return "MlpPredictor"; }

 private:
  double dropout_;
  Generator* generator_;
  std::vector<std::shared_ptr<Linear>> layers_;
  std::shared_ptr<Linear> head_;
};

/// `layers` convolutions of `width` channels and kernel 3 with ReLU and dropout, the mean over the vertices, a dense
/// layer with ReLU and dropout, one number. Dense graphs of `padded` vertices only.
class CnnPredictor : public GraphModule {
 public:
  CnnPredictor(const PredictorOptions& options, int64_t padded, Generator& generator);
  using GraphModule::forward;
  Variable forward(const GraphBatch& graphs, const Variable& x) override;
  const char* kind() const override { return "CnnPredictor"; }

 private:
  double dropout_;
  Generator* generator_;
  std::vector<std::shared_ptr<Conv1d>> convs_;
  std::shared_ptr<Linear> dense_, head_;
};

/// For graphs padded to so many vertices.
std::shared_ptr<GraphModule> make_network(Network network, const PredictorOptions& options, int64_t padded,
                                          Generator& generator);

}  // namespace tenon::neural_predictor
