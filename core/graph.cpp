#include "core/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tenon {
namespace {

using Integers = std::vector<int64_t>;
using Doubles = std::vector<double>;

constexpr int64_t kMost = std::numeric_limits<int32_t>::max();

Integers checked_sizes(const Tensor& sizes, int64_t most) {
  TENON_CHECK(sizes.defined() && sizes.rank() == 1 && sizes.dtype() == int64,
              "GraphBatch: sizes expect int64 [B], got ",
              sizes.defined() ? sizes.str() : "an undefined tensor");
  Integers out = sizes.to(Device::cpu()).to_vector<int64_t>();
  for (int64_t size : out)
    TENON_CHECK(size >= 0 && size <= most, "GraphBatch: sizes expect numbers in [0, ", most, "], got ", size);
  return out;
}

// What an entry (i, j) is divided by; 0 where a vertex takes nothing.
struct Normaliser {
  GraphNormalisation kind;
  const Doubles& sums;  // of the rows
  double operator()(double weight, int64_t i, int64_t j) const {
    const double di = sums[static_cast<size_t>(i)], dj = sums[static_cast<size_t>(j)];
    const double divisor = kind == GraphNormalisation::row ? di : std::sqrt(di * dj);
    return divisor > 0 ? weight / divisor : 0;
  }
};

// Normalises one matrix [n, n] of a graph of `size` vertices.
void normalise(Doubles& a, int64_t n, int64_t size, GraphNormalisation kind) {
  Doubles sums(static_cast<size_t>(size), 0);
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j) sums[static_cast<size_t>(i)] += a[static_cast<size_t>(i * n + j)];
  const Normaliser divided{kind, sums};
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < size; ++j) {
      double& entry = a[static_cast<size_t>(i * n + j)];
      entry = divided(entry, i, j);
    }
}

void check_weights(const Doubles& all, int64_t b, int64_t n, int64_t size) {
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const double weight = all[static_cast<size_t>((b * n + i) * n + j)];
      TENON_CHECK(std::isfinite(weight) && weight >= 0,
                  "GraphBatch: weights expect finite numbers >= 0, got ", weight, " for edge ", i, " -> ", j,
                  " of graph ", b);
      TENON_CHECK(weight == 0 || (i < size && j < size), "GraphBatch: graph ", b, " has ", size,
                  " vertices, and an edge ", i, " -> ", j);
    }
}

struct Edge {
  int64_t from, to;
  bool operator<(const Edge& other) const { return from != other.from ? from < other.from : to < other.to; }
};

// The edges and their loops, by rows.
std::vector<Edge> sorted_edges(const Tensor& edges, const Integers& starts, bool self_loops) {
  const Integers ends = edges.to(Device::cpu()).to_vector<int64_t>();
  const size_t count = ends.size() / 2;
  const int64_t vertices = starts.back();
  std::vector<Edge> out;
  out.reserve(count + (self_loops ? static_cast<size_t>(vertices) : 0));
  for (size_t i = 0; i < count; ++i) {
    const Edge edge{ends[i], ends[count + i]};
    TENON_CHECK(edge.from >= 0 && edge.from < vertices && edge.to >= 0 && edge.to < vertices,
                "GraphBatch: edge ", edge.from, " -> ", edge.to, " leaves the ", vertices, " vertices");
    const auto graph_end = std::upper_bound(starts.begin(), starts.end(), edge.from);
    TENON_CHECK(edge.to < *graph_end && edge.to >= *(graph_end - 1), "GraphBatch: edge ", edge.from, " -> ",
                edge.to, " leaves its graph");
    TENON_CHECK(!self_loops || edge.from != edge.to, "GraphBatch: edge ", edge.from, " -> ", edge.to,
                " is a loop, and loops are added");
    out.push_back(edge);
  }
  if (self_loops)
    for (int64_t i = 0; i < vertices; ++i) out.push_back({i, i});
  std::sort(out.begin(), out.end());
  for (size_t i = 1; i < out.size(); ++i)
    TENON_CHECK(out[i - 1] < out[i], "GraphBatch: edge ", out[i].from, " -> ", out[i].to,
                " stands in the list twice");
  return out;
}

CsrMatrix normalised_matrix(const std::vector<Edge>& edges, int64_t vertices, GraphNormalisation kind,
                            DType dtype) {
  Integers offsets(static_cast<size_t>(vertices) + 1, 0), indices;
  Doubles sums(static_cast<size_t>(vertices), 0), values;
  for (const Edge& edge : edges) {
    ++offsets[static_cast<size_t>(edge.from) + 1];
    sums[static_cast<size_t>(edge.from)] += 1;
    indices.push_back(edge.to);
  }
  for (size_t i = 1; i < offsets.size(); ++i) offsets[i] += offsets[i - 1];
  const Normaliser divided{kind, sums};
  for (const Edge& edge : edges) values.push_back(divided(1, edge.from, edge.to));
  return {SparsePattern(vertices, vertices, Tensor::from(offsets), Tensor::from(indices)),
          Tensor::from(values).to(dtype)};
}

}  // namespace

GraphBatch GraphBatch::dense(const Tensor& adjacency, const Tensor& sizes, const GraphOptions& options) {
  TENON_CHECK(adjacency.defined(), "GraphBatch: undefined adjacency");
  TENON_CHECK(
      adjacency.rank() == 3 && adjacency.size(1) == adjacency.size(2) && is_floating(adjacency.dtype()),
      "GraphBatch: adjacency expects float32 or float64 [B, n, n], got ", adjacency.str());
  const int64_t count = adjacency.size(0), n = adjacency.size(1);
  const Integers vertices = checked_sizes(sizes, n);
  TENON_CHECK(static_cast<int64_t>(vertices.size()) == count, "GraphBatch: expects a size for each of ",
              count, " graphs, got ", vertices.size());
  const Doubles all = adjacency.to(Device::cpu()).to(float64).to_vector<double>();
  const int64_t relations = options.directions == GraphDirections::both ? 2 : 1;
  Tensor matrices = Tensor::zeros({count, relations, n, n}, float64);
  Tensor members = Tensor::zeros({count, 1, 1, n}, float64),
         shares = Tensor::zeros({count, 1, 1, n}, float64);
  Doubles a(static_cast<size_t>(n * n));
  for (int64_t b = 0; b < count; ++b) {
    const int64_t size = vertices[static_cast<size_t>(b)];
    check_weights(all, b, n, size);
    for (int64_t r = 0; r < relations; ++r) {
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < n; ++j)
          a[static_cast<size_t>(i * n + j)] =
              all[static_cast<size_t>((b * n + (r == 0 ? i : j)) * n + (r == 0 ? j : i))] +
              (options.self_loops && i == j && i < size ? 1 : 0);
      normalise(a, n, size, options.normalisation);
      std::copy(a.begin(), a.end(), matrices.data<double>() + (b * relations + r) * n * n);
    }
    std::fill_n(members.data<double>() + b * n, size, 1.0);
    std::fill_n(shares.data<double>() + b * n, size, 1.0 / static_cast<double>(size));
  }
  GraphBatch batch;
  batch.graphs_ = count, batch.vertices_ = n;
  batch.adjacency_ = matrices.to(adjacency.dtype()).to(adjacency.device());
  batch.sum_weights_ = members.to(adjacency.dtype()).to(adjacency.device());
  batch.mean_weights_ = shares.to(adjacency.dtype()).to(adjacency.device());
  return batch;
}

GraphBatch GraphBatch::sparse(const Tensor& edges, const Tensor& sizes, const GraphOptions& options,
                              DType dtype) {
  TENON_CHECK(edges.defined() && edges.rank() == 2 && edges.size(0) == 2 && edges.dtype() == int64,
              "GraphBatch: edges expect int64 [2, E], got ",
              edges.defined() ? edges.str() : "an undefined tensor");
  TENON_CHECK(is_floating(dtype), "GraphBatch: expects float32 or float64, got ", dtype);
  Integers starts{0};
  Doubles shares;
  for (int64_t size : checked_sizes(sizes, kMost)) {
    starts.push_back(starts.back() + size);
    TENON_CHECK(starts.back() < kMost, "GraphBatch: expects fewer than 2^31 vertices");
    shares.insert(shares.end(), static_cast<size_t>(size), 1.0 / static_cast<double>(size));
  }
  const int64_t vertices = starts.back(), count = static_cast<int64_t>(starts.size()) - 1;
  std::vector<Edge> list = sorted_edges(edges, starts, options.self_loops);
  GraphBatch batch;
  batch.graphs_ = count, batch.vertices_ = vertices;
  batch.matrices_.push_back(normalised_matrix(list, vertices, options.normalisation, dtype));
  if (options.directions == GraphDirections::both) {
    for (Edge& edge : list) std::swap(edge.from, edge.to);
    std::sort(list.begin(), list.end());
    batch.matrices_.push_back(normalised_matrix(list, vertices, options.normalisation, dtype));
  }
  batch.members_pattern_ = SparsePattern(count, vertices, Tensor::from(starts), Tensor::arange(vertices));
  batch.sum_weights_ = Tensor::ones({vertices}, dtype);
  batch.mean_weights_ = Tensor::from(shares).to(dtype);
  return batch.to(edges.device());
}

GraphBatch GraphBatch::to(Device device) const {
  TENON_CHECK(defined(), "GraphBatch: to: undefined batch");
  if (device == this->device()) return *this;
  GraphBatch moved = *this;
  if (is_dense()) moved.adjacency_ = adjacency_.to(device);
  for (CsrMatrix& matrix : moved.matrices_) matrix = matrix.to(device);
  if (members_pattern_.defined()) moved.members_pattern_ = members_pattern_.to(device);
  moved.sum_weights_ = sum_weights_.to(device);
  moved.mean_weights_ = mean_weights_.to(device);
  return moved;
}

Tensor undirected(const Tensor& edges) {
  TENON_CHECK(edges.defined() && edges.rank() == 2 && edges.size(0) == 2,
              "undirected: expects edges [2, E], got ",
              edges.defined() ? edges.str() : "an undefined tensor");
  const int64_t count = edges.size(1);
  Tensor both = Tensor::empty({2, 2 * count}, edges.dtype(), edges.device());
  for (int row = 0; row < 2; ++row) {
    both.select(0, row).slice(0, 0, count).copy_(edges.select(0, row));
    both.select(0, row).slice(0, count, 2 * count).copy_(edges.select(0, 1 - row));
  }
  return both;
}

}  // namespace tenon
