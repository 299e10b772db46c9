// Autograd on plain numbers, in 100 lines. docs/autograd-in-100-lines.md explains them one by one, and shows
// where each idea lives in autograd/. tests/house/autograd_in_100_lines_test.cpp runs them.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace tiny {

// [variable]
struct Node;

/// A number with a history. Copying it copies a pointer.
class Variable {
 public:
  /// A leaf: a number that nothing was computed for. Not explicit, so that `2 * x` reads as it should.
  Variable(double value);
  explicit Variable(std::shared_ptr<const Node> node) : node_(std::move(node)) {}
  double value() const;
  const Node& node() const { return *node_; }

 private:
  std::shared_ptr<const Node> node_;
};
// [/variable]

// [node]
/// From the gradient of a result to the gradients of what it was computed from, in the same order.
using Rule = std::function<std::vector<Variable>(const Variable& gradient)>;

/// One step of a computation: what came out, what went in, how to go back, and when.
struct Node {
  double value;
  std::vector<Variable> inputs;
  Rule rule;          // empty for a leaf
  uint64_t sequence;  // grows with time, so a node is newer than all its inputs
};
// [/node]

// [record]
inline Variable record(double value, std::vector<Variable> inputs, Rule rule) {
  static uint64_t now = 0;
  return Variable(std::make_shared<const Node>(Node{value, std::move(inputs), std::move(rule), ++now}));
}
inline Variable::Variable(double value) : Variable(record(value, {}, nullptr)) {}
inline double Variable::value() const { return node_->value; }
// [/record]

// [arithmetic]
using Variables = std::vector<Variable>;

// z = x + y        dx = g, dy = g
inline Variable operator+(const Variable& x, const Variable& y) {
  return record(x.value() + y.value(), {x, y}, [](const Variable& g) { return Variables{g, g}; });
}
// z = x y          dx = g y, dy = g x
inline Variable operator*(const Variable& x, const Variable& y) {
  return record(x.value() * y.value(), {x, y}, [x, y](const Variable& g) { return Variables{g * y, g * x}; });
}
// y = x^p          dx = g p x^(p-1)
inline Variable pow(const Variable& x, double p) {
  return record(std::pow(x.value(), p), {x},
                [x, p](const Variable& g) { return Variables{g * p * pow(x, p - 1)}; });
}
// y = e^x          dx = g e^x
inline Variable exp(const Variable& x) {
  return record(std::exp(x.value()), {x}, [x](const Variable& g) { return Variables{g * exp(x)}; });
}
// [/arithmetic]

// [composed]
inline Variable operator-(const Variable& x, const Variable& y) { return x + y * -1; }
inline Variable operator/(const Variable& x, const Variable& y) { return x * pow(y, -1); }
inline Variable tanh(const Variable& x) { return 1 - 2 / (exp(2 * x) + 1); }
// [/composed]

// [walk]
/// d(output) / d(input) for each of the inputs; 0 where the output does not depend on it.
inline Variables gradients(const Variable& output, const Variables& inputs) {
  std::map<uint64_t, Variable, std::greater<>> waiting = {{output.node().sequence, output}};  // newest first
  std::map<const Node*, Variable> gradient = {{&output.node(), 1}};
  while (!waiting.empty()) {
    const Variable current = waiting.begin()->second;
    waiting.erase(waiting.begin());
    const Node& node = current.node();
    if (!node.rule) continue;
    const Variables parts = node.rule(gradient.at(&node));
    for (size_t i = 0; i < parts.size(); ++i) {
      const Variable& input = node.inputs[i];
      auto [sum, first] = gradient.try_emplace(&input.node(), parts[i]);
      if (!first) sum->second = sum->second + parts[i];
      waiting.try_emplace(input.node().sequence, input);
    }
  }
  Variables result;
  for (const Variable& input : inputs) {
    auto found = gradient.find(&input.node());
    result.push_back(found == gradient.end() ? Variable(0) : found->second);
  }
  return result;
}
// [/walk]

}  // namespace tiny
