#include "papers/neural_predictor/graphs.h"

#include <algorithm>

#include "core/error.h"

namespace tenon::neural_predictor {
namespace {

constexpr int64_t kMostVertices = 11;  // 55 edge bits

}  // namespace

LabelledGraphs::LabelledGraphs(int64_t padded, int64_t labels) : padded_(padded), labels_(labels) {
  TENON_CHECK(padded >= 1 && padded <= kMostVertices && labels >= 1 && labels <= 256,
              "LabelledGraphs: expects 1 to ", kMostVertices, " vertices and 1 to 256 labels, got ", padded,
              " and ", labels);
}

void LabelledGraphs::add(std::span<const uint8_t> vertex_labels, uint64_t edges) {
  const auto vertices = static_cast<int64_t>(vertex_labels.size());
  TENON_CHECK(vertices >= 1 && vertices <= padded_, "LabelledGraphs: expects 1 to ", padded_,
              " vertices, got ", vertices);
  TENON_CHECK(edges >> edge_bit(0, static_cast<int>(vertices)) == 0, "LabelledGraphs: an edge leaves the ",
              vertices, " vertices");
  for (uint8_t label : vertex_labels)
    TENON_CHECK(label < labels_, "LabelledGraphs: expects labels below ", labels_, ", got ", int{label});
  edges_.push_back(edges);
  sizes_.push_back(static_cast<uint8_t>(vertices));
  vertex_labels_.insert(vertex_labels_.end(), vertex_labels.begin(), vertex_labels.end());
  vertex_labels_.resize(edges_.size() * static_cast<size_t>(padded_), 0);
}

bool LabelledGraphs::has_edge(int64_t graph, int64_t x, int64_t y) const {
  return x < y &&
         (edges_[static_cast<size_t>(graph)] >> edge_bit(static_cast<int>(x), static_cast<int>(y)) & 1) != 0;
}

Encoded LabelledGraphs::encode(std::span<const int64_t> graphs, const EncodeOptions& options) const {
  for (int64_t graph : graphs)
    TENON_CHECK(graph >= 0 && graph < size(), "LabelledGraphs: graph ", graph, " of ", size());
  return options.layout == Layout::dense ? encode_dense(graphs, options) : encode_linked(graphs, options);
}

Encoded LabelledGraphs::encode_dense(std::span<const int64_t> graphs, const EncodeOptions& options) const {
  const auto count = static_cast<int64_t>(graphs.size());
  Tensor adjacency = Tensor::zeros({count, padded_, padded_}), x = Tensor::zeros({count, padded_, labels_}),
         sizes = Tensor::empty({count}, int64);
  for (int64_t b = 0; b < count; ++b) {
    const int64_t graph = graphs[static_cast<size_t>(b)], vertices = this->vertices(graph);
    auto* const a = adjacency.data<float>() + b * padded_ * padded_;
    sizes.data<int64_t>()[b] = vertices;
    for (int64_t j = 0; j < vertices; ++j) {
      x.data<float>()[(b * padded_ + j) * labels_ + label(graph, j)] = 1;
      for (int64_t i = 0; i < j; ++i) {
        if (!has_edge(graph, i, j)) continue;
        a[i * padded_ + j] = 1;
        if (options.edges == Edges::undirected) a[j * padded_ + i] = 1;
      }
    }
  }
  return {GraphBatch::dense(adjacency, sizes,
                            {.normalisation = options.normalisation, .directions = GraphDirections::both}),
          x};
}

Encoded LabelledGraphs::encode_linked(std::span<const int64_t> graphs, const EncodeOptions& options) const {
  std::vector<int64_t> sizes, from, to, places;
  int64_t first = 0;
  for (int64_t graph : graphs) {
    const int64_t vertices = this->vertices(graph);
    for (int64_t j = 0; j < vertices; ++j) {
      places.push_back((first + j) * labels_ + label(graph, j));
      for (int64_t i = 0; i < j; ++i) {
        if (!has_edge(graph, i, j)) continue;
        from.push_back(first + i), to.push_back(first + j);
        if (options.edges == Edges::undirected) from.push_back(first + j), to.push_back(first + i);
      }
    }
    sizes.push_back(vertices);
    first += vertices;
  }
  Tensor x = Tensor::zeros({first, labels_});
  for (int64_t place : places) x.data<float>()[place] = 1;
  const auto edges = static_cast<int64_t>(from.size());
  from.insert(from.end(), to.begin(), to.end());
  return {GraphBatch::sparse(Tensor::from(from, {2, edges}), Tensor::from(sizes),
                             {.normalisation = options.normalisation, .directions = GraphDirections::both}),
          x};
}

LabelledGraphs graphs_of(const std::vector<Cell>& cells) {
  constexpr uint8_t kInput = 0, kOutput = 4;
  constexpr std::array<uint8_t, kOperations> kLabels = {2, 1, 3};  // of conv3x3, conv1x1, max pool
  LabelledGraphs graphs(kMaxVertices, kOutput + 1);
  std::vector<uint8_t> labels;
  for (const Cell& cell : cells) {
    labels.assign(1, kInput);
    for (int v = 1; v < cell.vertices - 1; ++v)
      labels.push_back(kLabels[static_cast<size_t>(cell.operation(v))]);
    labels.push_back(kOutput);
    graphs.add(labels, cell.edges);
  }
  return graphs;
}

LabelledGraphs graphs_of(const Nasbench201& table) {
  constexpr std::array<std::array<int, 2>, kNasbench201Edges> kEnds = {
      {{0, 1}, {0, 2}, {1, 2}, {0, 3}, {1, 3}, {2, 3}}};
  constexpr int kLast = kNasbench201Edges + 1;  // the output's number
  constexpr auto kOutputLabel = static_cast<uint8_t>(kNasbench201Operations.size() + 1);
  uint64_t edges = 0;
  for (int a = 0; a < kNasbench201Edges; ++a) {
    const auto& [from, to] = kEnds[static_cast<size_t>(a)];
    if (from == 0) edges |= uint64_t{1} << edge_bit(0, a + 1);
    if (to == 3) edges |= uint64_t{1} << edge_bit(a + 1, kLast);
    for (int b = a + 1; b < kNasbench201Edges; ++b)
      if (to == kEnds[static_cast<size_t>(b)][0]) edges |= uint64_t{1} << edge_bit(a + 1, b + 1);
  }
  LabelledGraphs graphs(kLast + 1, kOutputLabel + 1);
  std::array<uint8_t, kLast + 1> labels{};
  labels.back() = kOutputLabel;
  for (const auto& operations : table.operations) {
    std::transform(operations.begin(), operations.end(), labels.begin() + 1,
                   [](uint8_t operation) { return static_cast<uint8_t>(operation + 1); });
    graphs.add(labels, edges);
  }
  return graphs;
}

LabelledGraphs graphs_of(const NasbenchMacro& table) {
  constexpr int kLast = kNasbenchMacroBlocks + 1;
  constexpr uint8_t kOutputLabel = 4;
  uint64_t edges = 0;
  for (int v = 1; v <= kLast; ++v) edges |= uint64_t{1} << edge_bit(v - 1, v);
  LabelledGraphs graphs(kLast + 1, kOutputLabel + 1);
  std::array<uint8_t, kLast + 1> labels{};
  labels.back() = kOutputLabel;
  for (const auto& choices : table.choices) {
    std::transform(choices.begin(), choices.end(), labels.begin() + 1,
                   [](uint8_t choice) { return static_cast<uint8_t>(choice + 1); });
    graphs.add(labels, edges);
  }
  return graphs;
}

}  // namespace tenon::neural_predictor
