// Variable: a tensor with a history. Functions on Variables (autograd/ops/*.h) compute, and record how to go back.
//
//   Variable w(Tensor::ones({3}), true);       // a leaf that wants a gradient
//   Variable loss = sum(square(w));
//   backward(loss);                             // w.grad().value() is 2 w
//
// docs/autograd-in-100-lines.md tells the idea; tape.h holds the nodes, engine.cpp the walk back.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "core/tensor.h"

namespace tenon {

class Node;
struct VariableState;

class Variable {
 public:
  /// Undefined.
  Variable() = default;
  /// A leaf. Only float32 and float64 can require a gradient.
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return state_ != nullptr; }
  /// The numbers. Throws if undefined.
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  int64_t size(int64_t axis) const { return value().size(axis); }
  int rank() const { return value().rank(); }
  int64_t numel() const { return value().numel(); }
  DType dtype() const { return value().dtype(); }
  Device device() const { return value().device(); }
  double item() const { return value().item(); }

  bool requires_grad() const;
  bool is_leaf() const;
  /// Leaves only.
  void set_requires_grad(bool on) const;
  /// What backward accumulated for this leaf; undefined before.
  const Variable& grad() const;
  void set_grad(Variable grad) const;
  void zero_grad() const { set_grad(Variable()); }
  /// Exchanges the numbers of a leaf (any shape), as pruning and shrinking do; a gradient of another shape, dtype or
  /// device is dropped. Throws on an undefined tensor, and, if it requires a gradient, while recording and on integers.
  void set_value(Tensor value) const;
  /// The same numbers without history.
  Variable detach() const { return Variable(value()); }

  /// Called with the complete gradient of this variable during backward; may return a replacement (or undefined to
  /// leave it). Throws if this variable does not require a gradient.
  using Hook = std::function<Variable(const Variable& grad)>;
  void add_hook(Hook hook) const;

  const std::shared_ptr<VariableState>& state() const { return state_; }
  explicit Variable(std::shared_ptr<VariableState> state) : state_(std::move(state)) {}

 private:
  std::shared_ptr<VariableState> state_;
};

/// A computation from variables to variables: what gradcheck checks, and checkpoint runs again.
using VariableFunction = std::function<std::vector<Variable>(const std::vector<Variable>& inputs)>;

/// True while functions on Variables record (per thread).
bool recording();

/// Switches recording for a scope.
class RecordingScope {
 public:
  explicit RecordingScope(bool on);
  ~RecordingScope();
  RecordingScope(const RecordingScope&) = delete;
  RecordingScope& operator=(const RecordingScope&) = delete;

 private:
  bool before_;
};

/// Within its scope nothing is recorded: `NoGrad no_grad;`
class NoGrad : public RecordingScope {
 public:
  NoGrad() : RecordingScope(false) {}
};

struct BackwardOptions {
  bool retain_graph = false;  ///< keep saved tensors, so that backward may run again
  /// Record the backward itself, for gradients of gradients (implies retain_graph). The `grad()` of a leaf then has a
  /// history that may hold the leaf: both live until zero_grad().
  bool create_graph = false;
  /// For `gradients`: inputs count as independent; where one depends on another, that path is left out.
  bool stop_at_inputs = false;
};

/// Adds d(root)/d(leaf) to `grad()` of every leaf that requires it. `root` has one element unless `grad` (of its shape)
/// is given. Saved tensors are freed as the walk goes, unless retained. Throws Error if root has no history, if the
/// graph was freed, or if a saved tensor was overwritten since (names both ops).
void backward(const Variable& root, const Variable& grad = {}, BackwardOptions options = {});

/// Gradients of sum(outputs * output_grads) with respect to `inputs` (leaves or not), without touching any `grad()`.
/// An input that does not influence the outputs gets an undefined Variable. `output_grads` may be empty if every
/// output has one element. Only the part of the graph between inputs and outputs is walked.
std::vector<Variable> gradients(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs,
                                const std::vector<Variable>& output_grads = {}, BackwardOptions options = {});

/// In anomaly mode backward throws an Error that names the op whose gradient first became NaN.
void set_anomaly_mode(bool on);
bool anomaly_mode();

}  // namespace tenon
