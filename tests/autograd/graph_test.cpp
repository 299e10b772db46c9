// Graph batches: what normalisation does, and that padded and linked graphs are the same graphs.
#include "core/graph.h"

#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/graph.h"
#include "autograd/ops/reduce.h"
#include "core/ops/elementwise.h"
#include "core/ops/graph.h"
#include "core/ops/reduce.h"
#include "core/random.h"
#include "tests/cuda/device_array.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

double largest_difference(const Tensor& a, const Tensor& b) { return amax(abs(sub(a, b))).item(); }

// Directed acyclic graphs of `sizes` vertices, as a padded adjacency and as a list of edges.
struct Drawn {
  Tensor adjacency, edges, sizes;
};
Drawn draw_graphs(const std::vector<int64_t>& sizes, int64_t n, Generator& generator) {
  const auto count = static_cast<int64_t>(sizes.size());
  Tensor adjacency = Tensor::zeros({count, n, n});
  std::vector<int64_t> from, to;
  int64_t first = 0;
  for (int64_t b = 0; b < count; first += sizes[static_cast<size_t>(b++)])
    for (int64_t i = 0; i < sizes[static_cast<size_t>(b)]; ++i)
      for (int64_t j = i + 1; j < sizes[static_cast<size_t>(b)]; ++j)
        if (generator.next_uniform() < 0.5) {
          adjacency.data<float>()[(b * n + i) * n + j] = 1;
          from.push_back(first + i), to.push_back(first + j);
        }
  Tensor edges = Tensor::empty({2, static_cast<int64_t>(from.size())}, int64);
  edges.select(0, 0).copy_(Tensor::from(from)), edges.select(0, 1).copy_(Tensor::from(to));
  return {adjacency, edges, Tensor::from(sizes)};
}

// The rows of x [B, n, D] that are vertices, [N, D].
Tensor without_padding(const Tensor& x, const std::vector<int64_t>& sizes) {
  int64_t total = 0;
  for (int64_t size : sizes) total += size;
  Tensor out = Tensor::empty({total, x.size(2)}, x.dtype());
  int64_t first = 0;
  for (size_t b = 0; b < sizes.size(); first += sizes[b++])
    out.slice(0, first, first + sizes[b]).copy_(x.select(0, static_cast<int64_t>(b)).slice(0, 0, sizes[b]));
  return out;
}

Tensor edge_list(std::vector<int64_t> numbers) {
  const auto count = static_cast<int64_t>(numbers.size()) / 2;
  return Tensor::from(numbers, {2, count});
}

}  // namespace

TEST_CASE("graph batch: normalised by rows and symmetrically, with self-loops") {
  // 0 -> 1, 0 -> 2, and a vertex of padding. By hand: A + I has row sums 3, 1, 1.
  Tensor a = Tensor::zeros({1, 4, 4}, float64);
  a.data<double>()[1] = a.data<double>()[2] = 1;
  const Tensor three = Tensor::from(std::vector<int64_t>{3});
  const double third = 1.0 / 3, root = 1 / std::sqrt(3.0);
  const GraphBatch rows = GraphBatch::dense(
      a, three, {.normalisation = GraphNormalisation::row, .directions = GraphDirections::both});
  CHECK(rows.relations() == 2);
  CHECK(rows.adjacency().to_vector<double>() ==
        std::vector<double>{third, third, third, 0, 0,   1,   0, 0,  //
                            0,     0,     1,     0, 0,   0,   0, 0,  //
                            1,     0,     0,     0, 0.5, 0.5, 0, 0, 0.5, 0, 0.5, 0, 0, 0, 0, 0});
  const GraphBatch symmetric = GraphBatch::dense(a, three);
  const auto got = symmetric.adjacency().to_vector<double>();
  CHECK(got[0] == doctest::Approx(third));
  CHECK(got[1] == doctest::Approx(root));
  CHECK(got[5] == 1);
  CHECK(got[15] == 0);
  const GraphBatch plain =
      GraphBatch::dense(a, three, {.normalisation = GraphNormalisation::row, .self_loops = false});
  CHECK(plain.adjacency().to_vector<double>()[1] == 0.5);
  CHECK(plain.adjacency().to_vector<double>()[5] == 0);  // a vertex without edges takes nothing, and no NaN
}

TEST_CASE("graph batch: padded graphs and linked ones agree, forward and backward") {
  Generator generator(test_seed());
  const std::vector<int64_t> sizes = {3, 7, 0, 1, 5};
  const Drawn drawn = draw_graphs(sizes, 7, generator);
  for (auto normalisation : {GraphNormalisation::row, GraphNormalisation::symmetric})
    for (auto directions : {GraphDirections::forward, GraphDirections::both})
      for (Epilogue epilogue : {Epilogue::none, Epilogue::relu}) {
        const GraphOptions options{.normalisation = normalisation, .directions = directions};
        const GraphBatch dense = GraphBatch::dense(drawn.adjacency, drawn.sizes, options);
        const GraphBatch sparse = GraphBatch::sparse(drawn.edges, drawn.sizes, options);
        REQUIRE(dense.relations() == sparse.relations());
        const Tensor x = random_normal({5, 7, 6 * dense.relations()}, generator);
        const Variable padded(x, true), linked(without_padding(x, sizes), true);
        const Variable a = propagate(dense, padded, epilogue), b = propagate(sparse, linked, epilogue);
        CHECK(largest_difference(without_padding(a.value(), sizes), b.value()) < 1e-5);
        const Variable mean_a = mean_of_graphs(dense, a), mean_b = mean_of_graphs(sparse, b);
        CHECK(mean_a.shape() == Shape{5, 6});
        CHECK(largest_difference(mean_a.value(), mean_b.value()) < 1e-5);
        CHECK(amax(abs(mean_a.value().select(0, 2))).item() == 0);
        const Variable sum_a = sum_of_graphs(dense, a), sum_b = sum_of_graphs(sparse, b);
        CHECK(largest_difference(sum_a.value(), sum_b.value()) < 1e-5);
        const auto ga = gradients({sum(square(mean_a))}, {padded}),
                   gb = gradients({sum(square(mean_b))}, {linked});
        CHECK(largest_difference(without_padding(ga[0].value(), sizes), gb[0].value()) < 1e-5);
        CHECK(sum(abs(ga[0].value())).item() ==
              doctest::Approx(sum(abs(gb[0].value())).item()));  // none flows into padding
      }
}

TEST_CASE("graph batch: a number that is none is not taken for a negative one") {
  const Tensor a = Tensor::ones({1, 1, 2, 2}), x = Tensor::zeros({1, 2, 3});
  x.data<float>()[1] = NAN;
  const Tensor gradient = Tensor::ones({1, 2, 3});
  std::vector<Device> devices = {Device::cpu()};
#ifndef TENON_CUDA_OFF
  devices.push_back(Device::cuda());
#endif
  for (Device device : devices) {
    const Tensor there = x.to(device), matrix = a.to(device);
    const auto y = graph_propagate(matrix, there, there).to(Device::cpu()).to_vector<float>();
    const auto z =
        graph_propagate_transposed(matrix, gradient.to(device), there).to(Device::cpu()).to_vector<float>();
    CHECK(std::isnan(y[1]));
    CHECK(y[0] == 0);
    CHECK(z[1] == 2);
    CHECK(z[0] == 0);
  }
}

TEST_CASE("graph batch: what does not fit is refused by name") {
  const Tensor a = Tensor::zeros({1, 3, 3}), two = Tensor::from(std::vector<int64_t>{2});
  auto refuses = [](auto&& make, const char* message) {
    CHECK_THROWS_WITH_AS(make(), doctest::Contains(message), Error);
  };
  refuses([&] { GraphBatch::dense(Tensor(), two); }, "undefined adjacency");
  refuses([&] { GraphBatch::dense(Tensor::zeros({1, 2, 3}), two); }, "[B, n, n], got");
  refuses([&] { GraphBatch::dense(a, Tensor::from(std::vector<int64_t>{4})); }, "[0, 3], got 4");
  refuses([&] { GraphBatch::dense(a, Tensor::from(std::vector<int64_t>{1, 1})); }, "each of 1 graphs, got 2");
  refuses([&] { GraphBatch::dense(Tensor::full({1, 3, 3}, -1), two); }, ">= 0, got -1");
  refuses([&] { GraphBatch::dense(Tensor::full({1, 3, 3}, NAN), two); }, "finite");
  refuses(
      [&] {
        GraphBatch::dense(Tensor::ones({1, 3, 3}), two);
      },
      "graph 0 has 2 vertices, and an edge 0 -> 2");
  const Tensor sizes = Tensor::from(std::vector<int64_t>{2, 2});
  refuses([&] { GraphBatch::sparse(Tensor::zeros({3, 2}, int64), sizes); }, "int64 [2, E]");
  refuses([&] { GraphBatch::sparse(edge_list({0, 4}), sizes); }, "0 -> 4 leaves the 4 vertices");
  refuses([&] { GraphBatch::sparse(edge_list({1, 2}), sizes); }, "1 -> 2 leaves its graph");
  refuses([&] { GraphBatch::sparse(edge_list({0, 0, 1, 1}), sizes); }, "0 -> 1 stands in the list twice");
  refuses([&] { GraphBatch::sparse(edge_list({1, 1}), sizes); }, "1 -> 1 is a loop");
  refuses([&] { GraphBatch::sparse(edge_list({0, 1}), sizes, {}, int64); }, "int64");
  refuses([&] { GraphBatch::sparse(edge_list({0, 1}), Tensor::from(std::vector<int64_t>{-1})); }, "got -1");
  const GraphBatch graphs = GraphBatch::sparse(undirected(edge_list({0, 1})), sizes);
  refuses(
      [&] {
        propagate(graphs, Variable(Tensor::zeros({3, 2})));
      },
      "[4, 1 D] for these graphs, got [3, 2]");
  refuses([&] { propagate(GraphBatch(), Variable(a)); }, "undefined graphs");
  refuses([&] { mean_of_graphs(graphs, Variable(Tensor::zeros({4}))); },
          "mean_of_graphs: x expects [4, 1 D]");
}

#ifndef TENON_CUDA_OFF
TEST_CASE("cuda graph batch: moves with its matrices") {
  if (cuda::skip_without_device()) return;
  Generator generator(test_seed());
  const Drawn drawn = draw_graphs({3, 4}, 4, generator);
  const GraphOptions options{.directions = GraphDirections::both};
  const GraphBatch dense = GraphBatch::dense(drawn.adjacency, drawn.sizes, options);
  const GraphBatch sparse = GraphBatch::sparse(drawn.edges, drawn.sizes, options);
  for (const GraphBatch& graphs : {dense, sparse}) {
    const Tensor x = random_normal(graphs.is_dense() ? Shape{2, 4, 6} : Shape{7, 6}, generator);
    const GraphBatch there = graphs.to(Device::cuda());
    const Variable here = mean_of_graphs(graphs, propagate(graphs, Variable(x), Epilogue::relu));
    const Variable moved =
        mean_of_graphs(there, propagate(there, Variable(x.to(Device::cuda())), Epilogue::relu));
    CHECK(largest_difference(here.value(), moved.value().to(Device::cpu())) < 1e-6);
  }
}
#endif
