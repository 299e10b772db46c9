#include <doctest/doctest.h>

#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "core/parallel.h"
#include "nn/loss.h"
#include "nn/models/mlp.h"
#include "nn/optim.h"

namespace tenon {

TEST_CASE("nn: an MLP learns a separable problem, with SGD and with Adam") {
  Generator generator(7);
  Tensor x = random_normal({200, 8}, generator);
  Tensor truth = random_normal({8, 3}, generator);
  Tensor labels = max_with_index(matmul(x, truth), 1).second;
  for (bool adam : {false, true}) {
    Generator weights(11);
    auto net = make_mlp({8, 32, 3}, weights);
    std::unique_ptr<Optimizer> optimizer;
    if (adam) {
      optimizer = std::make_unique<Adam>(net->named_parameters(), AdamOptions{.lr = 1e-2});
    } else {
      optimizer = std::make_unique<SGD>(net->named_parameters(), SgdOptions{.lr = 0.5, .momentum = 0.9});
    }
    double first = 0, last = 0;
    for (int step = 0; step < 100; ++step) {
      Variable loss = cross_entropy((*net)(Variable(x)), labels);
      (step == 0 ? first : last) = loss.item();
      optimizer->zero_grad();
      backward(loss);
      optimizer->step();
    }
    CHECK(last < 0.2 * first);
    NoGrad no_grad;
    CHECK(count_correct((*net)(Variable(x)).value(), labels) > 190);
  }
}

TEST_CASE("nn: training gives the same bits with one thread and with two") {
  const int before = num_threads();
  std::vector<float> weights[2];
  for (int threads : {1, 2}) {
    set_num_threads(threads);
    Generator generator(5);
    auto net = make_lenet_300_100(generator);
    Adam optimizer(net->named_parameters(), {});
    for (int step = 0; step < 3; ++step) {
      Variable loss = cross_entropy((*net)(Variable(random_uniform({100, 784}, generator))),
                                    random_integers({100}, generator, 0, 10));
      optimizer.zero_grad();
      backward(loss);
      optimizer.step();
    }
    weights[threads - 1] = net->named_parameters()[0].variable.value().to_vector<float>();
  }
  set_num_threads(before);
  CHECK(weights[0] == weights[1]);
}

}  // namespace tenon
