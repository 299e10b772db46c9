#include "papers/neural_predictor/symmetry.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "papers/neural_predictor/metrics.h"

namespace tenon::neural_predictor {
namespace {

using Values = std::vector<double>;
// place[b][v]: where vertex v of graph b stands.
using Places = std::vector<std::vector<int64_t>>;

Encoded encode_at(const LabelledGraphs& graphs, std::span<const int64_t> rows, const Places& places,
                  int64_t padded, bool reversed) {
  const auto count = static_cast<int64_t>(rows.size());
  Tensor adjacency = Tensor::zeros({count, padded, padded}),
         x = Tensor::zeros({count, padded, graphs.labels()}), sizes = Tensor::empty({count}, int64);
  for (int64_t b = 0; b < count; ++b) {
    const std::vector<int64_t>& place = places[static_cast<size_t>(b)];
    const int64_t graph = rows[static_cast<size_t>(b)];
    const auto vertices = static_cast<int64_t>(place.size());
    sizes.data<int64_t>()[b] = vertices;
    for (int64_t j = 0; j < vertices; ++j) {
      const int64_t to = place[static_cast<size_t>(j)];
      x.data<float>()[(b * padded + to) * graphs.labels() + graphs.label(graph, j)] = 1;
      for (int64_t i = 0; i < j; ++i) {
        const int64_t from = place[static_cast<size_t>(i)];
        if (graphs.has_edge(graph, i, j))
          adjacency.data<float>()[(b * padded + (reversed ? to : from)) * padded + (reversed ? from : to)] =
              1;
      }
    }
  }
  return {GraphBatch::dense(adjacency, sizes,
                            {.normalisation = GraphNormalisation::row, .directions = GraphDirections::both}),
          x};
}

std::vector<float> accuracies(GraphModule& net, const Encoded& in) {
  const NoGrad no_grad;
  return accuracy_of(net(in.graphs, Variable(in.x))).value().to_vector<float>();
}

Values changes(const std::vector<float>& from, const std::vector<float>& to) {
  Values relative;
  for (size_t i = 0; i < from.size(); ++i) {
    const double before = from[i], after = to[i];
    relative.push_back(std::fabs(after - before) / before);
  }
  return relative;
}

double largest(const Values& values) { return *std::max_element(values.begin(), values.end()); }

}  // namespace

Symmetry symmetry_of(GraphModule& net, const LabelledGraphs& graphs, std::span<const int64_t> rows,
                     Generator& generator) {
  TENON_CHECK(!rows.empty(), "symmetry_of: expects a row at least");
  net.eval();
  Places in_order, permuted;
  for (int64_t row : rows) {
    in_order.emplace_back(static_cast<size_t>(graphs.vertices(row)));
    std::iota(in_order.back().begin(), in_order.back().end(), 0);
    permuted.push_back(random_permutation(graphs.vertices(row), generator).to_vector<int64_t>());
  }
  const int64_t padded = graphs.padded();
  const std::vector<float> plain = accuracies(net, graphs.encode(rows));
  const auto change = [&](const Encoded& in) { return changes(plain, accuracies(net, in)); };
  return {.permuted = largest(change(encode_at(graphs, rows, permuted, padded, false))),
          .padded = largest(change(encode_at(graphs, rows, in_order, padded + 2, false))),
          .linked = largest(change(graphs.encode(rows, {.layout = Layout::linked}))),
          .reversed = median(change(encode_at(graphs, rows, in_order, padded, true)))};
}

}  // namespace tenon::neural_predictor
