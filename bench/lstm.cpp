// An LSTM over sequences, forward and backward: 32 of 20 steps, 64 inputs, 128 hidden.
#include "nn/lstm.h"

#include "autograd/ops/reduce.h"
#include "bench/harness.h"

namespace tenon::bench {
namespace {

std::vector<Case> cases(Device device) {
  const int64_t batch = 32, steps = 20, in = 64, hidden = 128;
  // Each product forward, and two for its gradients; x, the weights, the gates and the states at least once each way.
  const double macs = static_cast<double>(batch * steps * 4 * hidden * (in + hidden));
  const double numbers = static_cast<double>(batch * steps * (in + 6 * hidden) + 4 * hidden * (in + hidden));
  return {{"lstm/32x20-64-128", 6 * macs, 8 * numbers, [=] {
             Generator generator(1);
             auto lstm = std::make_shared<LSTM>(in, hidden, 1, generator);
             lstm->to(device);
             const Variable x(random_normal({batch, steps, in}, generator).to(device));
             return std::vector<Contestant>{{"tenon", [=] {
                                               lstm->zero_grad();
                                               backward(mean(lstm->forward(x)));
                                             }}};
           }}};
}

const Family family("lstm", cases);

}  // namespace
}  // namespace tenon::bench
