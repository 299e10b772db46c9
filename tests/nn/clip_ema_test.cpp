#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "nn/clip.h"
#include "nn/ema.h"
#include "nn/models/mlp.h"

namespace tenon {

TEST_CASE("clip: by the common norm, and by value") {
  Variable a(Tensor::zeros({2}), true), b(Tensor::zeros({1}), true), none(Tensor::zeros({4}), true);
  auto set = [&](float x, float y, float z) {
    a.set_grad(Variable(Tensor::from<float>({x, y})));
    b.set_grad(Variable(Tensor::from<float>({z})));
  };
  set(2, 3, 6);  // norm 7
  CHECK(clip_grad_norm({a, b, none}, 10) == 7);
  CHECK(b.grad().value().item() == 6);
  CHECK(clip_grad_norm({a, b, none}, 3.5) == 7);
  CHECK(a.grad().value().to_vector<float>() == std::vector<float>{1, 1.5});
  CHECK(b.grad().value().item() == 3);
  set(2, std::numeric_limits<float>::infinity(), 1);
  CHECK(std::isinf(clip_grad_norm({a, b}, 1)));
  CHECK(b.grad().value().item() == 1);
  set(-5, 0.5f, 7);
  clip_grad_value({a, b, none}, 1);
  CHECK(a.grad().value().to_vector<float>() == std::vector<float>{-1, 0.5});
  CHECK(b.grad().value().item() == 1);
  CHECK_THROWS_AS(clip_grad_norm({a}, 0), Error);
  CHECK(clip_grad_norm({none}, 1) == 0);
}

TEST_CASE("ema: the average follows the formula, is exchanged, and comes back") {
  auto net = make_mlp({3, 2});
  Variable w = net->named_parameters()[0].variable;
  const std::vector<float> start = w.value().to_vector<float>();
  Ema ema(*net, 0.75);
  {
    NoGrad no_grad;
    w.value().fill_(4);
  }
  ema.update();
  ema.update();
  const std::vector<float> average = ema.state().at("fc1.weight").to_vector<float>();
  for (size_t i = 0; i < start.size(); ++i)
    CHECK(average[i] == doctest::Approx(4 + 0.75 * 0.75 * (double(start[i]) - 4)));
  ema.swap();
  CHECK(w.value().to_vector<float>() == average);
  CHECK_THROWS_AS(ema.update(), Error);
  ema.swap();
  CHECK(w.value().to_vector<float>() == std::vector<float>(start.size(), 4));

  Ema other(*net, 0.75);
  other.load_state(clone_state(ema.state()));
  CHECK(other.state().at("fc1.weight").to_vector<float>() == average);
  CHECK_THROWS_AS(other.load_state({}), Error);
}

}  // namespace tenon
