#include "papers/neural_predictor/predictor.h"

#include <cmath>

#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/view.h"
#include "nn/init.h"

namespace tenon::neural_predictor {
namespace {

constexpr double kChance = 10, kSpan = 90;  // percent

}  // namespace

Predictor::Predictor(const PredictorOptions& options, Generator& generator)
    : dropout_(options.dropout), generator_(&generator) {
  TENON_CHECK(options.layers >= 1, "Predictor: expects a layer at least, got ", options.layers);
  for (int64_t layer = 0; layer < options.layers; ++layer)
    convs_.push_back(add_module(concat("conv", layer),
                                std::make_shared<GraphConv>(layer == 0 ? options.labels : options.width,
                                                            options.width, 2, Epilogue::relu, generator)));
  dense_ = add_module("dense", predictor_linear(options.width, options.hidden, 0, generator));
  head_ = add_module("head", predictor_linear(options.hidden, 1, options.first_bias, generator));
}

Variable Predictor::dropped(const Variable& x) const {
  return is_training() ? dropout(x, dropout_, *generator_) : x;
}

Variable Predictor::forward(const GraphBatch& graphs, const Variable& x) {
  Variable v = x;
  for (const auto& conv : convs_) v = dropped((*conv)(graphs, v));
  v = dropped(relu((*dense_)(mean_of_graphs(graphs, v))));
  return reshape((*head_)(v), {graphs.graphs()});
}

std::shared_ptr<Linear> predictor_linear(int64_t in, int64_t out, double bias, Generator& generator) {
  auto layer = std::make_shared<Linear>(in, out, Bias::yes, generator);
  init::xavier_uniform(layer->weight.value(), generator);
  init::constant(layer->bias.value(), bias);
  return layer;
}

Variable accuracy_of(const Variable& logits) { return kChance + kSpan * sigmoid(logits); }

double accuracy_of(double logit) { return kChance + kSpan / (1 + std::exp(-logit)); }

double logit_of(double accuracy) {
  const double p = (accuracy - kChance) / kSpan;
  TENON_CHECK(p > 0 && p < 1, "logit_of: expects an accuracy inside (", kChance, ", ", kChance + kSpan,
              ") %, got ", accuracy);
  return std::log(p / (1 - p));
}

}  // namespace tenon::neural_predictor
