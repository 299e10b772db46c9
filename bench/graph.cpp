// Graph convolution: a training step of the neural predictor (Wen et al., 2020) on batches of small graphs, one of
// a two-layer network (Kipf and Welling, 2017) on a graph of Cora's size, and the walk along edges alone.
#include "core/ops/graph.h"

#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/view.h"
#include "bench/harness.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/models/gcn.h"
#include "nn/optim.h"

namespace tenon::bench {
namespace {

constexpr int64_t kVertices = 7, kOperations = 5, kWidth = 144, kHead = 128;

// Acyclic graphs whose vertices are all there: an edge from each vertex to a later one with probability 0.4.
Tensor cells(int64_t batch, Generator& generator) {
  Tensor a = Tensor::zeros({batch, kVertices, kVertices});
  for (int64_t i = 0; i < a.numel(); ++i)
    if (i % kVertices > i / kVertices % kVertices && generator.next_uniform() < 0.4) a.data<float>()[i] = 1;
  return a;
}

GraphBatch cell_batch(int64_t batch, Device device, Generator& generator) {
  return GraphBatch::dense(cells(batch, generator), Tensor::full({batch}, kVertices, int64),
                           {.normalisation = GraphNormalisation::row, .directions = GraphDirections::both})
      .to(device);
}

// Three graph convolutions, the mean over the vertices, two dense layers; accuracies between 10 and 100 %.
struct Predictor {
  Predictor(int64_t batch, Device device)
      : generator(1),
        convs{{kOperations, kWidth, 2, Epilogue::relu, generator},
              {kWidth, kWidth, 2, Epilogue::relu, generator},
              {kWidth, kWidth, 2, Epilogue::relu, generator}},
        dense(kWidth, kHead, Bias::yes, generator),
        head(kHead, 1, Bias::yes, generator),
        graphs(cell_batch(batch, device, generator)),
        x(one_hot(random_integers({batch, kVertices}, generator, 0, kOperations), kOperations).to(device)),
        targets(random_uniform({batch, 1}, generator, 80, 95).to(device)) {
    std::vector<NamedVariable> parameters;
    int number = 0;
    for (Module* module :
         {static_cast<Module*>(&convs[0]), static_cast<Module*>(&convs[1]), static_cast<Module*>(&convs[2]),
          static_cast<Module*>(&dense), static_cast<Module*>(&head)}) {
      module->to(device);
      for (NamedVariable& p : module->named_parameters())
        parameters.push_back({concat("p", number++), p.variable});
    }
    optimizer = std::make_unique<Adam>(parameters, AdamOptions{.lr = 1e-4, .weight_decay = 1e-3});
  }

  void step() {
    optimizer->zero_grad();
    Variable v = x;
    for (GraphConv& conv : convs) v = dropout(conv(graphs, v), 0.1, generator);
    v = dropout(relu(dense(mean_of_graphs(graphs, v))), 0.1, generator);
    backward(mse_loss(10.0 + 90.0 * sigmoid(head(v)), targets));
    optimizer->step();
  }

  Generator generator;
  GraphConv convs[3];
  Linear dense, head;
  GraphBatch graphs;
  Variable x, targets;
  std::unique_ptr<Adam> optimizer;
};

Case predictor_case(int64_t batch, Device device) {
  // Forward a product of each layer, twice that on the way back but for the gradient of the first input; the walks
  // along edges come to 3 %, and are not counted. Weights, their gradients and moments move as in Adam; of each
  // convolution the products, what comes of them, and the gradients of both, once each.
  const double rows = static_cast<double>(batch * kVertices);
  const double layer = 2 * rows * kWidth * 2 * kWidth, first = 2 * rows * kOperations * 2 * kWidth;
  const double parameters = kOperations * 2 * kWidth + 2 * kWidth * 2 * kWidth + kWidth * kHead;
  return {concat("graph/predictor/batch", batch), 2 * first + 6 * layer,
          4 * (9 * parameters + 3 * rows * kWidth * 6), [=] {
            auto predictor = std::make_shared<Predictor>(batch, device);
            return std::vector<Contestant>{{"tenon", [=] { predictor->step(); }}};
          }};
}

// A graph of Cora's size: 2,708 vertices, 5,278 edges, 1,433 words of which a vertex has 18.
struct Citations {
  static constexpr int64_t kPapers = 2708, kEdges = 5278, kWords = 1433, kClasses = 7, kTrained = 140;
  explicit Citations(Device device)
      : generator(1),
        net(kWords, 16, kClasses, 0.5, generator),
        features(sparse_words().to(device)),
        chosen(Tensor::arange(kTrained).to(device)),
        labels(random_integers({kTrained}, generator, 0, kClasses).to(device)) {
    // Each vertex and the ones at two distances of its own: edges differ, since the distances do.
    std::vector<int64_t> ends[2];
    for (int64_t i = 0; i < kEdges; ++i) {
      ends[0].push_back(i % kPapers);
      ends[1].push_back((i % kPapers + (i < kPapers ? 1 : 1000)) % kPapers);
    }
    ends[0].insert(ends[0].end(), ends[1].begin(), ends[1].end());
    const Tensor edges = Tensor::from(ends[0], {2, kEdges});
    graph = GraphBatch::sparse(undirected(edges), Tensor::full({1}, kPapers, int64)).to(device);
    net.to(device);
    optimizer =
        std::make_unique<Adam>(net.first().named_parameters(), AdamOptions{.lr = 0.01, .weight_decay = 5e-4});
    optimizer->add_group({{"second.weight", net.second().weight}}, 0.01, 0);
  }

  CsrMatrix sparse_words() {
    const Tensor mask = less(random_uniform({kPapers, kWords}, generator), Tensor::full({}, 18.0 / kWords));
    return CsrMatrix::from_mask(Tensor::full({kPapers, kWords}, 1.0 / 18), mask);
  }

  void step() {
    optimizer->zero_grad();
    backward(cross_entropy(index_select(net(graph, features), 0, chosen), labels));
    optimizer->step();
  }

  Generator generator;
  Gcn net;
  CsrMatrix features;
  GraphBatch graph;
  Tensor chosen, labels;
  std::unique_ptr<Adam> optimizer;
};

Case cora_case(Device device) {
  // The words and the edges are walked forward and back: 2 flops an entry and column.
  const double words = 18.0 * 2708, edges = 2 * 5278 + 2708;
  const double flops = 2 * (2 * words * 16 + 2 * edges * (16 + 7) + 3 * 2708 * 16 * 7.0);
  const double bytes = 4 * (9 * 1433 * 16.0 + 2 * 2 * words + 2708 * (16 + 7) * 8.0);
  return {"graph/gcn-cora", flops, bytes, [=] {
            auto citations = std::make_shared<Citations>(device);
            return std::vector<Contestant>{{"tenon", [=] { citations->step(); }}};
          }};
}

std::vector<Case> walk_cases(int64_t batch, Device device) {
  const double rows = static_cast<double>(batch * kVertices);
  const double flops = 2 * 2 * rows * kVertices * kWidth, bytes = 4 * rows * (3 * kWidth + 2 * kVertices);
  const auto draw = [=](Generator& g) {
    return Tensors{cell_batch(batch, Device::cpu(), g).adjacency(),
                   random_normal({batch, kVertices, 2 * kWidth}, g),
                   random_normal({batch, kVertices, kWidth}, g)};
  };
  return {tenon_case(concat("graph/propagate-relu/batch", batch), device, flops, bytes, draw,
                     [](const Tensors& in) { graph_propagate(in[0], in[1], in[1]); }),
          tenon_case(concat("graph/propagate-relu-back/batch", batch), device, 2 * flops,
                     bytes + 8 * rows * kWidth, draw,
                     [](const Tensors& in) { graph_propagate_transposed(in[0], in[2], in[1]); })};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out = {predictor_case(10, device), predictor_case(64, device), cora_case(device)};
  for (int64_t batch : {64, 4096})
    for (Case& c : walk_cases(batch, device)) out.push_back(std::move(c));
  return out;
}

const Family family("graph", cases);

}  // namespace
}  // namespace tenon::bench
