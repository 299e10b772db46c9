#include "examples/gcn_training.h"

#include <numeric>

#include "autograd/ops/index.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "nn/loss.h"
#include "nn/models/gcn.h"
#include "nn/optim.h"

namespace tenon {
namespace {

// The words of each paper, each weighing the same, all together 1.
CsrMatrix normalised_features(const CsrMatrix& words) {
  const auto offsets = words.pattern.by_rows().offsets.to_vector<int32_t>();
  Tensor values = Tensor::empty_like(words.values);
  float* to = values.data<float>();
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    const int32_t count = offsets[i + 1] - offsets[i];
    std::fill_n(to + offsets[i], count, 1 / static_cast<float>(count));
  }
  return {words.pattern, values};
}

// Papers and their classes.
struct Part {
  Tensor papers, labels;
  Part(const CitationNetwork& network, const Tensor& part, Device device)
      : papers(part.to(device)), labels(index_select(network.labels, 0, part).to(device)) {}

  Variable loss(const Variable& logits) const {
    return cross_entropy(index_select(logits, 0, papers), labels);
  }
  double accuracy(const Variable& logits) const {
    const auto correct = static_cast<double>(count_correct(index_select(logits.value(), 0, papers), labels));
    return 100 * correct / static_cast<double>(papers.numel());
  }
};

// Is the last of the losses above the mean of the `window` before it?
bool has_risen(const std::vector<double>& losses, int64_t window) {
  if (losses.empty() || static_cast<int64_t>(losses.size()) <= window) return false;
  const double before = std::accumulate(losses.end() - 1 - window, losses.end() - 1, 0.0);
  return losses.back() > before / static_cast<double>(window);
}

}  // namespace

GcnOutcome train_gcn(const CitationNetwork& network, const GcnRecipe& recipe, uint64_t seed, Device device) {
  TENON_CHECK(recipe.epochs >= 1 && recipe.window >= 1,
              "train_gcn: expects epochs and a window of at least 1, got ", recipe.epochs, " and ",
              recipe.window);
  const Tensor papers = Tensor::from(std::vector<int64_t>{network.papers()});
  const GraphBatch graph = GraphBatch::sparse(undirected(network.edges), papers).to(device);
  const CsrMatrix features = normalised_features(network.features).to(device);
  const Part train(network, network.train, device), validation(network, network.validation, device),
      test(network, network.test, device);

  Generator generator(seed);
  Gcn net(network.words(), recipe.hidden, network.classes, recipe.dropout, generator);
  net.to(device);
  Adam optimizer(net.first().named_parameters(), {.lr = recipe.lr, .weight_decay = recipe.weight_decay});
  optimizer.add_group({{"second.weight", net.second().weight}}, recipe.lr, 0);

  Variable logits;
  std::vector<double> losses;  // on the validation part, decay included
  while (static_cast<int64_t>(losses.size()) < recipe.epochs && !has_risen(losses, recipe.window)) {
    net.train();
    net.zero_grad();
    backward(train.loss(net(graph, features)));
    optimizer.step();

    const NoGrad no_grad;
    net.eval();
    logits = net(graph, features);
    const double decay = recipe.weight_decay / 2 * sum(square(net.first().weight.value())).item();
    losses.push_back(validation.loss(logits).item() + decay);
  }
  return {validation.accuracy(logits), test.accuracy(logits), static_cast<int64_t>(losses.size())};
}

}  // namespace tenon
