#include "papers/neural_predictor/fit.h"

#include <algorithm>
#include <memory>

#include "autograd/variable.h"
#include "core/denormals.h"
#include "nn/loss.h"
#include "nn/schedule.h"
#include "papers/experiment/interrupt.h"

namespace tenon::neural_predictor {
namespace {

void stop_if_asked() {
  if (experiment::stop_requested())
    throw experiment::Interrupted("neural predictor: stopped between two steps");
}

std::unique_ptr<Adam> adam_of(const Module& net, const FitOptions& options) {
  std::vector<NamedVariable> weights, biases;
  for (const NamedVariable& p : net.named_parameters())
    (p.variable.rank() >= 2 ? weights : biases).push_back(p);
  auto optimizer =
      std::make_unique<Adam>(weights, AdamOptions{.lr = options.lr, .weight_decay = options.weight_decay});
  optimizer->add_group(biases, options.lr, 0);
  return optimizer;
}

Variable logits_of(GraphModule& net, const Encoded& in) {
  const Device device = net.device();
  return net(in.graphs.to(device), Variable(in.x.to(device)));
}

Variable loss_of(Target target, const Variable& logits, const Variable& targets) {
  return target == Target::accuracy ? mse_loss(accuracy_of(logits), targets)
                                    : bce_with_logits(logits, targets);
}

}  // namespace

void fit(GraphModule& net, const LabelledGraphs& graphs, std::span<const int64_t> rows,
         std::span<const double> targets, const FitOptions& options, Generator& generator) {
  const auto count = static_cast<int64_t>(rows.size());
  TENON_CHECK(rows.size() == targets.size(), "fit: expects a target a row, got ", targets.size(),
              " targets and ", count, " rows");
  TENON_CHECK(options.batch >= 1 && count >= options.batch, "fit: expects ", options.batch,
              " rows at least, a batch, got ", count);
  const FlushDenormals flush;  // an over-fitted classifier fills gradients and moments with them
  net.train();
  const std::unique_ptr<Adam> optimizer = adam_of(net, options);
  const int64_t batches = count / options.batch;
  Schedule schedule(*optimizer, cosine(batches * options.epochs));
  std::vector<int64_t> chosen(static_cast<size_t>(options.batch));
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    stop_if_asked();
    const std::vector<int64_t> order = random_permutation(count, generator).to_vector<int64_t>();
    for (int64_t batch = 0; batch < batches; ++batch) {
      Tensor wanted = Tensor::empty({options.batch});
      for (int64_t i = 0; i < options.batch; ++i) {
        const auto place = static_cast<size_t>(order[static_cast<size_t>(batch * options.batch + i)]);
        chosen[static_cast<size_t>(i)] = rows[place];
        wanted.data<float>()[i] = static_cast<float>(targets[place]);
      }
      optimizer->zero_grad();
      const Variable logits = logits_of(net, graphs.encode(chosen, options.encode));
      backward(loss_of(options.target, logits, Variable(wanted.to(net.device()))));
      optimizer->step();
      schedule.step();
    }
  }
  net.eval();
}

std::vector<float> predict(GraphModule& net, const LabelledGraphs& graphs, std::span<const int64_t> rows,
                           const EncodeOptions& encode) {
  constexpr size_t kBatch = 128;  // the products of a layer, 1 MB at 144 features, stay in the second cache
  const NoGrad no_grad;
  const FlushDenormals flush;
  net.eval();
  std::vector<float> logits;
  logits.reserve(rows.size());
  for (size_t begin = 0; begin < rows.size(); begin += kBatch) {
    stop_if_asked();
    const Encoded in = graphs.encode(rows.subspan(begin, std::min(kBatch, rows.size() - begin)), encode);
    const std::vector<float> some = logits_of(net, in).value().to(Device::cpu()).to_vector<float>();
    logits.insert(logits.end(), some.begin(), some.end());
  }
  return logits;
}

}  // namespace tenon::neural_predictor
