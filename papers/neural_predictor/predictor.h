// The neural predictor: from the graph of an architecture to its accuracy (Wen et al., 2020, sec. 3.2).
#pragma once

#include <memory>
#include <vector>

#include "nn/graph_conv.h"
#include "nn/linear.h"

namespace tenon::neural_predictor {

struct PredictorOptions {
  int64_t labels = 5;     ///< features of a vertex
  int64_t width = 144;    ///< D, of every graph convolution
  int64_t layers = 3;     ///< L: information travels a hop a layer
  int64_t hidden = 128;   ///< of the dense layer
  double dropout = 0.1;   ///< behind every graph convolution and the dense layer
  double first_bias = 0;  ///< of the last layer: logit of what an untrained predictor says
};

/// L times V = 1/2 ReLU(F V W+) + 1/2 ReLU(B V W-) with dropout, the mean over the vertices that are there, a dense
/// layer with ReLU and dropout, and one number a graph: a logit [B]. Weights are drawn by xavier_uniform, biases
/// (dense layers alone have them) begin at 0 and at `first_bias`. Parameters: `conv0.weight`, ..., `dense.weight`,
/// `dense.bias`, `head.weight`, `head.bias`.
class Predictor : public GraphModule {
 public:
  /// The generator, which must outlive the module, draws the weights and then the dropout.
  Predictor(const PredictorOptions& options, Generator& generator);

  using GraphModule::operator();
  using GraphModule::forward;
  Variable forward(const GraphBatch& graphs, const Variable& x) override;
  const char* kind() const override { return "Predictor"; }

 private:
  Variable dropped(const Variable& x) const;

  double dropout_;
  Generator* generator_;
  std::vector<std::shared_ptr<GraphConv>> convs_;
  std::shared_ptr<Linear> dense_, head_;
};

/// A dense layer as predictors have it: weights by xavier_uniform, all biases `bias`.
std::shared_ptr<Linear> predictor_linear(int64_t in, int64_t out, double bias, Generator& generator);

/// What a logit says in percent: 10 + 90 sigmoid(z), between chance and perfect.
Variable accuracy_of(const Variable& logits);
double accuracy_of(double logit);
/// The logit that says this, for an accuracy inside (10, 100).
double logit_of(double accuracy);

}  // namespace tenon::neural_predictor
