// A program outside of Tenon's tree: it fits a line through noisy points, and knows Tenon by pkg-config
// alone.
//
//   g++ main.cpp $(pkg-config --cflags --libs tenon) -o example
#include <cmath>
#include <cstdio>

#include "autograd/ops/elementwise.h"
#include "core/random.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/optim.h"

using namespace tenon;

int main() {
  // [example]
  Generator generator(1);
  Tensor x = random_uniform({256, 1}, generator, -1, 1);
  Variable inputs(x);
  Variable targets = 3.0 * inputs - 0.5 + Variable(random_normal({256, 1}, generator, 0, 0.01));

  Linear line(1, 1, Bias::yes, generator);
  SGD optimizer(line.named_parameters(), {.lr = 0.1, .momentum = 0.9});
  for (int step = 0; step < 200; ++step) {
    line.zero_grad();
    backward(mse_loss(line(inputs), targets));
    optimizer.step();
  }
  // [/example]
  double slope = line.weight.item(), intercept = line.bias.item();
  std::printf("y = %.3f x %+.3f\n", slope, intercept);
  return std::fabs(slope - 3) < 0.01 && std::fabs(intercept + 0.5) < 0.01 ? 0 : 1;
}
