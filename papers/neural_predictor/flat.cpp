#include "papers/neural_predictor/flat.h"

#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "nn/init.h"

namespace tenon::neural_predictor {
namespace {

// The row-normalised adjacency [B, n, n] along the edges, which tells all that the matrix of bits tells.
Variable adjacency_of(const char* who, const GraphBatch& graphs) {
  TENON_CHECK(graphs.is_dense(), who, ": expects dense graphs, got sparse ones");
  return Variable(
      graphs.adjacency().slice(1, 0, 1).reshape({graphs.graphs(), graphs.vertices(), graphs.vertices()}));
}

}  // namespace

MlpPredictor::MlpPredictor(const PredictorOptions& options, int64_t padded, Generator& generator)
    : dropout_(options.dropout), generator_(&generator) {
  const int64_t wide = 2 * options.width;
  const int64_t extents[] = {padded * (options.labels + padded), wide, wide, options.hidden};
  for (int i = 0; i < 3; ++i)
    layers_.push_back(
        add_module(concat("dense", i), predictor_linear(extents[i], extents[i + 1], 0, generator)));
  head_ = add_module("head", predictor_linear(options.hidden, 1, options.first_bias, generator));
}

Variable MlpPredictor::forward(const GraphBatch& graphs, const Variable& x) {
  Variable v = flatten(cat({x, adjacency_of(kind(), graphs)}, 2), 1);
  for (const auto& layer : layers_) {
    v = relu((*layer)(v));
    if (is_training()) v = dropout(v, dropout_, *generator_);
  }
  return reshape((*head_)(v), {graphs.graphs()});
}

CnnPredictor::CnnPredictor(const PredictorOptions& options, int64_t padded, Generator& generator)
    : dropout_(options.dropout), generator_(&generator) {
  for (int64_t layer = 0; layer < options.layers; ++layer) {
    const int64_t in = layer == 0 ? options.labels + padded : options.width;
    auto conv = std::make_shared<Conv1d>(in, options.width, Dims{3}, ConvOptions{.padding = {1}}, Bias::yes,
                                         generator);
    init::xavier_uniform(conv->weight.value(), generator);
    init::constant(conv->bias.value(), 0);
    convs_.push_back(add_module(concat("conv", layer), std::move(conv)));
  }
  dense_ = add_module("dense", predictor_linear(options.width, options.hidden, 0, generator));
  head_ = add_module("head", predictor_linear(options.hidden, 1, options.first_bias, generator));
}

Variable CnnPredictor::forward(const GraphBatch& graphs, const Variable& x) {
  const auto dropped = [&](const Variable& y) {
    return is_training() ? dropout(y, dropout_, *generator_) : y;
  };
  Variable v = transpose(cat({x, adjacency_of(kind(), graphs)}, 2), 1, 2);
  for (const auto& conv : convs_) v = dropped(relu((*conv)(v)));
  v = dropped(relu((*dense_)(mean(v, {2}))));
  return reshape((*head_)(v), {graphs.graphs()});
}

std::shared_ptr<GraphModule> make_network(Network network, const PredictorOptions& options, int64_t padded,
                                          Generator& generator) {
  switch (network) {
    case Network::graph:
      return std::make_shared<Predictor>(options, generator);
    case Network::mlp:
      return std::make_shared<MlpPredictor>(options, padded, generator);
    case Network::cnn:
      return std::make_shared<CnnPredictor>(options, padded, generator);
  }
  fail("make_network: no such network");
}

}  // namespace tenon::neural_predictor
