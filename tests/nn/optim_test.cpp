// Optimisers, step by step against their formulas in plain doubles.
#include "nn/optim.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "core/random.h"
#include "tests/seed.h"

namespace tenon {
namespace {

// One parameter of the naive optimiser: plain doubles.
struct Naive {
  std::vector<double> p, a, b, c;
  int64_t t = 0;
};
using NaiveStep = std::function<void(Naive& n, size_t i, double g, double lr, double decay)>;
using Make = std::function<std::unique_ptr<Optimizer>(std::vector<NamedVariable>)>;

// Runs both over random gradients. Parameter "late" gets its first gradient at step 3, "never" none; a second
// group has a rate and decay of its own; the rate changes on the way.
void compare(const Make& make, const NaiveStep& naive_step, double lr, double decay) {
  Generator generator(test_seed());
  std::vector<NamedVariable> parameters;
  std::vector<Naive> naive;
  const Shape shapes[] = {{3, 5}, {7}, {2, 2}, {4}};
  const char* names[] = {"w", "late", "second", "never"};
  for (size_t k = 0; k < 4; ++k) {
    Tensor value = random_normal(shapes[k], generator, 0, 1, float64);
    Naive n;
    n.p = value.to_vector<double>();
    n.a = n.b = n.c = std::vector<double>(n.p.size(), 0.0);
    naive.push_back(n);
    parameters.push_back({names[k], Variable(value.clone(), true)});
  }
  auto optimizer = make({parameters[0], parameters[1], parameters[3]});
  optimizer->add_group({parameters[2]}, 3 * lr, 0.5);
  for (int64_t step = 1; step <= 6; ++step) {
    if (step == 5) optimizer->groups()[0].lr = 0.1 * lr;
    for (size_t k = 0; k < 3; ++k) {
      if (k == 1 && step < 3) continue;
      Tensor g = random_normal(shapes[k], generator, 0, 1, float64);
      parameters[k].variable.set_grad(Variable(g));
      std::vector<double> gradient = g.to_vector<double>();
      ++naive[k].t;
      const double rate = k == 2 ? 3 * lr : step >= 5 ? 0.1 * lr : lr;
      for (size_t i = 0; i < gradient.size(); ++i)
        naive_step(naive[k], i, gradient[i], rate, k == 2 ? 0.5 : decay);
    }
    optimizer->step();
    optimizer->zero_grad();
    for (size_t k = 0; k < 4; ++k) {
      std::vector<double> got = parameters[k].variable.value().to_vector<double>();
      for (size_t i = 0; i < got.size(); ++i) {
        CAPTURE(names[k]);
        CAPTURE(step);
        CHECK(got[i] == doctest::Approx(naive[k].p[i]).epsilon(1e-12));
      }
    }
  }
}

}  // namespace

TEST_CASE("optim: SGD, with momentum, dampening, Nesterov and coupled decay") {
  struct Kind {
    double momentum, dampening;
    bool nesterov;
  };
  for (Kind kind : {Kind{0, 0, false}, Kind{0.9, 0, false}, Kind{0.9, 0.4, false}, Kind{0.8, 0, true}}) {
    compare(
        [&](auto parameters) {
          return std::make_unique<SGD>(parameters,
                                       SgdOptions{0.1, kind.momentum, kind.dampening, 0.01, kind.nesterov});
        },
        [&](Naive& n, size_t i, double g, double lr, double decay) {
          g += decay * n.p[i];
          n.a[i] = n.t == 1 ? g : kind.momentum * n.a[i] + (1 - kind.dampening) * g;
          if (kind.momentum != 0) g = kind.nesterov ? g + kind.momentum * n.a[i] : n.a[i];
          n.p[i] -= lr * g;
        },
        0.1, 0.01);
  }
}

TEST_CASE("optim: Adam, AMSGrad and AdamW") {
  for (int kind = 0; kind < 3; ++kind) {
    const bool amsgrad = kind == 1, decoupled = kind == 2;
    compare(
        [&](auto parameters) -> std::unique_ptr<Optimizer> {
          AdamOptions options{
              .lr = 0.05, .beta1 = 0.8, .beta2 = 0.95, .weight_decay = 0.1, .amsgrad = amsgrad};
          if (decoupled) return std::make_unique<AdamW>(parameters, options);
          return std::make_unique<Adam>(parameters, options);
        },
        [&](Naive& n, size_t i, double g, double lr, double decay) {
          if (decoupled) {
            n.p[i] -= lr * decay * n.p[i];
          } else {
            g += decay * n.p[i];
          }
          n.a[i] = 0.8 * n.a[i] + 0.2 * g;
          n.b[i] = 0.95 * n.b[i] + 0.05 * g * g;
          n.c[i] = std::fmax(n.c[i], n.b[i]);
          const double t = static_cast<double>(n.t);
          const double m = n.a[i] / (1 - std::pow(0.8, t));
          const double v = (amsgrad ? n.c[i] : n.b[i]) / (1 - std::pow(0.95, t));
          n.p[i] -= lr * m / (std::sqrt(v) + 1e-8);
        },
        0.05, 0.1);
  }
}

TEST_CASE("optim: RMSProp, with momentum and centred") {
  for (int kind = 0; kind < 4; ++kind) {
    const double momentum = kind & 1 ? 0.9 : 0;
    const bool centred = kind & 2;
    compare(
        [&](auto parameters) {
          return std::make_unique<RMSprop>(
              parameters,
              RmspropOptions{.lr = 0.01, .weight_decay = 0.1, .momentum = momentum, .centred = centred});
        },
        [&](Naive& n, size_t i, double g, double lr, double decay) {
          g += decay * n.p[i];
          n.a[i] = 0.99 * n.a[i] + 0.01 * g * g;
          n.b[i] = 0.99 * n.b[i] + 0.01 * g;
          const double u = g / (std::sqrt(n.a[i] - (centred ? n.b[i] * n.b[i] : 0)) + 1e-8);
          n.c[i] = momentum * n.c[i] + u;
          n.p[i] -= lr * n.c[i];
        },
        0.01, 0.1);
  }
}

TEST_CASE("optim: Adadelta") {
  compare(
      [](auto parameters) {
        return std::make_unique<Adadelta>(parameters, AdadeltaOptions{.lr = 0.5, .weight_decay = 0.1});
      },
      [](Naive& n, size_t i, double g, double lr, double decay) {
        g += decay * n.p[i];
        n.a[i] = 0.9 * n.a[i] + 0.1 * g * g;
        const double u = std::sqrt(n.b[i] + 1e-6) / std::sqrt(n.a[i] + 1e-6) * g;
        n.b[i] = 0.9 * n.b[i] + 0.1 * u * u;
        n.p[i] -= lr * u;
      },
      0.5, 0.1);
}

TEST_CASE("optim: the state comes back to the same bits, and misfits are named") {
  Generator generator(test_seed());
  auto make = [] {
    Generator fixed(3);
    return std::vector<NamedVariable>{{"w", Variable(random_normal({4, 3}, fixed), true)},
                                      {"b", Variable(random_normal({4}, fixed), true)}};
  };
  auto first = make(), second = make();
  Adam a(first, {.amsgrad = true}), b(second, {.lr = 7, .amsgrad = true});
  auto both = [&](Optimizer& optimizer, std::vector<NamedVariable>& parameters, uint64_t seed) {
    Generator draws(seed);
    for (NamedVariable& p : parameters)
      p.variable.set_grad(Variable(random_normal(p.variable.shape(), draws)));
    optimizer.step();
  };
  for (uint64_t s : {1, 2}) both(a, first, s);
  b.load_state(clone_state(a.state()));
  CHECK(b.groups()[0].lr == 1e-3);
  {
    NoGrad no_grad;
    for (size_t i = 0; i < 2; ++i) second[i].variable.value().copy_(first[i].variable.value());
  }
  both(a, first, 3);
  both(b, second, 3);
  for (size_t i = 0; i < 2; ++i)
    CHECK(first[i].variable.value().to_vector<float>() == second[i].variable.value().to_vector<float>());

  State state = a.state();
  CHECK(state.at("step_count.w").to_vector<int64_t>()[0] == 3);
  state.erase("first_moment.w");
  state["second_moment.b"] = Tensor::zeros({5});
  state["stranger"] = Tensor::zeros({1});
  CHECK_THROWS_WITH_AS(
      b.load_state(state),
      "Optimizer: load_state: the state does not fit; missing 'first_moment.w'; 'second_moment.b' expects "
      "float32 [4], got float32 [5] on cpu; unexpected 'stranger'",
      Error);
  CHECK_THROWS_AS(a.add_group({first[0]}, 1, 0), Error);
}

TEST_CASE("optim: the optimiser of a grown network inherits by name") {
  Generator generator(test_seed());
  const auto parameter = [&](const char* name, const Shape& shape) {
    return NamedVariable{name, Variable(random_normal(shape, generator), true)};
  };
  const NamedVariable w = parameter("w", {4, 3}), b = parameter("b", {4}), middle = parameter("middle", {2});
  SGD old({w, b}, {.lr = 0.5, .momentum = 0.9});
  for (const NamedVariable& p : {w, b})
    p.variable.set_grad(Variable(random_normal(p.variable.shape(), generator)));
  old.step();
  SGD grown({w, middle, b}, {.lr = 0.1, .momentum = 0.9});
  grown.inherit(old);
  const State kept = grown.state(), before = old.state();
  for (const char* name : {"momentum.w", "momentum.b"})
    CHECK(kept.at(name).to_vector<float>() == before.at(name).to_vector<float>());
  CHECK(kept.at("step_count.b").item() == 1);
  CHECK_FALSE(kept.contains("momentum.middle"));
  CHECK(grown.groups()[0].lr == 0.1);
  grown.step();  // its own memory, not the old one's
  CHECK(kept.at("momentum.w").to_vector<float>() != before.at("momentum.w").to_vector<float>());

  SGD other({parameter("w", {5})}, {.momentum = 0.9}), plain({w}, {});
  CHECK_THROWS_WITH_AS(other.inherit(old), doctest::Contains("'momentum.w' expects"), Error);
  CHECK_THROWS_WITH_AS(plain.inherit(old), doctest::Contains("keep different state"), Error);
}

TEST_CASE(
    "optim: a step that throws leaves its group as it was, and the next one does what it would have done") {
  Variable w(Tensor::ones({2}), true), v(Tensor::ones({2}), true);
  SGD sgd({{"w", w}, {"v", v}}, {.lr = 0.5, .momentum = 0.9, .dampening = 0.5});
  w.set_grad(Variable(Tensor::ones({2})));
  v.set_grad(Variable(Tensor::ones({2}, float64)));
  CHECK_THROWS_WITH_AS(sgd.step(), doctest::Contains("one dtype"), Error);
  CHECK(sgd.state().size() == 2);  // rates and decays
  v.zero_grad();
  sgd.step();
  CHECK(w.value().to_vector<float>() == std::vector<float>{0.5, 0.5});  // a first step: no dampening
  CHECK(v.value().to_vector<float>() == std::vector<float>{1, 1});
  CHECK(sgd.state().at("step_count.w").item() == 1);
  CHECK_THROWS_WITH_AS(sgd.add_group({{"tied", w}}, 1, 0), doctest::Contains("'tied' is there already"),
                       Error);
}

}  // namespace tenon
