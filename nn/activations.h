// Activations as modules: elementwise functions without parameters.
#pragma once

#include "autograd/ops/elementwise.h"
#include "nn/module.h"

namespace tenon {

/// An elementwise module: its output has the shape of its input.
class Activation : public Module {
 public:
  Shape walk(const Shape& input, LayerUses&) const override { return input; }
};

class ReLU : public Activation {
 public:
  Variable forward(const Variable& x) override { return relu(x); }
  const char* kind() const override { return "ReLU"; }
};

class LeakyReLU : public Activation {
 public:
  explicit LeakyReLU(double slope = 0.01) : slope_(slope) {}
  Variable forward(const Variable& x) override { return leaky_relu(x, slope_); }
  const char* kind() const override { return "LeakyReLU"; }

 private:
  double slope_;
};

class ELU : public Activation {
 public:
  explicit ELU(double alpha = 1) : alpha_(alpha) {}
  Variable forward(const Variable& x) override { return elu(x, alpha_); }
  const char* kind() const override { return "ELU"; }

 private:
  double alpha_;
};

class Sigmoid : public Activation {
 public:
  Variable forward(const Variable& x) override { return sigmoid(x); }
  const char* kind() const override { return "Sigmoid"; }
};

class Tanh : public Activation {
 public:
  Variable forward(const Variable& x) override { return tanh(x); }
  const char* kind() const override { return "Tanh"; }
};

class Softplus : public Activation {
 public:
  Variable forward(const Variable& x) override { return softplus(x); }
  const char* kind() const override { return "Softplus"; }
};

}  // namespace tenon
