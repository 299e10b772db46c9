#include "papers/neural_predictor/cell_network.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/view.h"
#include "nn/init.h"

namespace tenon::neural_predictor {
namespace {

Variable halved(const Variable& x) { return max_pool(x, {.kernel = {2}, .stride = {2}}).first; }
Variable pooled(const Variable& x) {
  return max_pool(x, {.kernel = {3}, .stride = {1}, .padding = {1}}).first;
}

// The first channels of x.
Variable truncated(const Variable& x, int64_t channels) {
  return x.size(1) == channels ? x : slice(x, 1, 0, channels);
}

Variable sum_of(const std::vector<Variable>& parts) {
  Variable sum = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) sum = sum + parts[i];
  return sum;
}

}  // namespace

ConvNormRelu::ConvNormRelu(int64_t in, int64_t out, int64_t kernel, Generator& generator,
                           int64_t more_padding) {
  const auto conv = std::make_shared<Conv2d>(
      in, out, Dims{kernel}, ConvOptions{.padding = {kernel / 2 + more_padding}}, Bias::no, generator);
  init::kaiming_normal(conv->weight.value(), generator, 1);
  conv_ = add_module("conv", conv);
  norm_ = add_module("norm", std::make_shared<BatchNorm2d>(out));
}

Variable ConvNormRelu::forward(const Variable& x) { return norm_->forward_relu((*conv_)(x)); }

CellBlock::CellBlock(const Cell& cell, int64_t in, int64_t out, Generator& generator)
    : cell_(cell), channels_(vertex_channels(cell, in, out)) {
  for (int v = 1; v < cell.vertices; ++v) {
    const auto place = static_cast<size_t>(v);
    const int64_t own = channels_[place];
    const auto conv = [&](const char* name, int64_t from, int64_t kernel) {
      return add_module(concat(name, v), std::make_shared<ConvNormRelu>(from, own, kernel, generator));
    };
    if (cell.has_edge(0, v)) projections_[place] = conv("projection", in, 1);
    if (v == cell.vertices - 1) continue;
    if (cell.operation(v) == Operation::conv3x3) operations_[place] = conv("operation", own, 3);
    if (cell.operation(v) == Operation::conv1x1) operations_[place] = conv("operation", own, 1);
  }
}

Variable CellBlock::sum_at(int vertex, const std::vector<Variable>& values) const {
  const auto place = static_cast<size_t>(vertex);
  std::vector<Variable> parts;
  if (cell_.has_edge(0, vertex)) parts.push_back((*projections_[place])(values.front()));
  for (int u = 1; u < vertex; ++u)
    if (cell_.has_edge(u, vertex))
      parts.push_back(truncated(values[static_cast<size_t>(u)], channels_[place]));
  return sum_of(parts);
}

Variable CellBlock::forward(const Variable& x) {
  const int last = cell_.vertices - 1;
  std::vector<Variable> values = {x}, feeding;
  for (int v = 1; v < last; ++v) {
    const Variable sum = sum_at(v, values);
    const auto& operation = operations_[static_cast<size_t>(v)];
    values.push_back(operation ? (*operation)(sum) : pooled(sum));
    if (cell_.has_edge(v, last)) feeding.push_back(values.back());
  }
  std::vector<Variable> parts;
  if (!feeding.empty()) parts.push_back(feeding.size() == 1 ? feeding.front() : cat(feeding, 1));
  if (cell_.has_edge(0, last)) parts.push_back((*projections_[static_cast<size_t>(last)])(x));
  return sum_of(parts);
}

CellNetwork::CellNetwork(const Cell& cell, const Backbone& backbone, Generator& generator, int64_t border) {
  stem_ = add_module("stem",
                     std::make_shared<ConvNormRelu>(backbone.colours, backbone.stem, 3, generator, border));
  int64_t channels = backbone.stem;
  for (int64_t s = 0; s < backbone.stacks; ++s) {
    const int64_t out = s == 0 ? channels : 2 * channels;
    std::vector<std::shared_ptr<CellBlock>> stack;
    for (int64_t c = 0; c < backbone.cells; ++c) {
      stack.push_back(add_module(concat("stack", s, "cell", c),
                                 std::make_shared<CellBlock>(cell, c == 0 ? channels : out, out, generator)));
    }
    stacks_.push_back(std::move(stack));
    channels = out;
  }
  classifier_ =
      add_module("classifier", std::make_shared<Linear>(channels, backbone.classes, Bias::yes, generator));
}

Variable CellNetwork::forward(const Variable& x) {
  Variable v = (*stem_)(x);
  for (size_t s = 0; s < stacks_.size(); ++s) {
    if (s > 0) v = halved(v);
    for (const auto& cell : stacks_[s]) v = (*cell)(v);
  }
  return (*classifier_)(flatten(global_avg_pool(v), 1));
}

}  // namespace tenon::neural_predictor
