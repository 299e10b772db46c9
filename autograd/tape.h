// The tape: nodes that remember how to go back, and `record`, by which every op (and any op of a user's own)
// puts one there. A rule is a lambda that receives the gradients of the outputs and sets those of the inputs,
// written with functions on Variables, so that the gradient of a gradient needs no second set of formulas:
//
//   Variable mul(const Variable& x, const Variable& y) {
//     return record("mul", mul(x.value(), y.value()), {x, y},
//                   [x = Saved(x), y = Saved(y)](const Variable& g, Gradients& out) {
//                     if (out.needed(0)) out.set(0, sum_to(mul(g, y()), x().shape()));
//                     if (out.needed(1)) out.set(1, sum_to(mul(g, x()), y().shape()));
//                   });
//   }
//
// An op of your own is written the same way, outside the library (tests/autograd/custom_op_test.cpp):
//   - compute the output with functions on tensors, and give it to `record` with the inputs and the rule;
//     `record_many` takes several outputs; an optional input may be an undefined Variable;
//   - capture an input, or a tensor that is a constant of the rule, through Saved, so that one that was overwritten since
//     is refused; do not capture an output,
//     which would hold its own node: ask for Keep::outputs and read Gradients::output;
//   - write the rule with functions on Variables alone, and gradients of gradients are there; a rule that cannot
//     be differentiated again says why in Keep::once_reason, and is refused by name when one asks for it.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "autograd/variable.h"
#include "core/pool.h"

namespace tenon {

class Node;
class Gradients;

// [edge]
/// Where a gradient goes: output `output` of `node`. A null node means that no gradient is wanted.
struct Edge {
  std::shared_ptr<Node> node;
  int output = 0;
};

// [/edge]
/// One recorded op. Leaves have a node too (LeafNode, in variable.cpp), which collects their gradient.
class Node : public std::enable_shared_from_this<Node> {
 public:
  explicit Node(const char* op, int outputs);
  virtual ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // [node]
  /// Name of the op; a string literal.
  const char* op() const { return op_; }
  /// Grows with time; a node's inputs always have smaller numbers. Leaves have 0.
  uint64_t sequence() const { return sequence_; }
  const PoolVector<Edge>& edges() const { return edges_; }
  int outputs() const { return outputs_; }
  /// Sets the gradients of the inputs from those of the outputs.
  virtual void apply(std::span<const Variable> output_grads, Gradients& input_grads) = 0;
  /// Frees what the rule holds.
  virtual void release() = 0;
  // [/node]
  /// Unlike any other node's, and grows with time, that of leaves too.
  uint64_t number() const { return number_; }
  /// Reason why the gradient cannot be differentiated again, or null.
  const char* once_reason = nullptr;
  /// Tensors of outputs that the rule asked to keep (see Gradients::output).
  PoolVector<std::pair<Tensor, uint64_t>> kept_outputs;
  /// Hooks on outputs: (output, hook).
  std::vector<std::pair<int, Variable::Hook>> hooks;

 protected:
  const char* op_;
  uint64_t number_, sequence_;
  int outputs_;
  PoolVector<Edge> edges_;

  friend struct Recorder;
};

/// The numbers of a variable and its place on the tape.
struct VariableState {
  Tensor value;
  std::shared_ptr<Node> node;  // who made it, or the leaf's own node (made when first needed)
  Variable grad;
  int output = 0;
  uint32_t exchanges = 0;  // how often set_value exchanged the numbers
  bool requires_grad = false;
  bool leaf = true;
  ~VariableState();
};

/// What a rule writes to.
class Gradients {
 public:
  Gradients(Node& node, std::span<Variable> slots) : node_(node), slots_(slots) {}
  /// Is the gradient of input i wanted? Rules skip the work otherwise.
  bool needed(int input) const { return node_.edges()[static_cast<size_t>(input)].node != nullptr; }
  void set(int input, Variable gradient) { slots_[static_cast<size_t>(input)] = std::move(gradient); }
  /// An output of the op as a Variable with its history; the op must have been recorded with Keep::outputs.
  Variable output(int i = 0) const;

 private:
  Node& node_;
  std::span<Variable> slots_;
};

// [saved]
/// An input kept for the rule. Reading it throws if it was overwritten (or its numbers exchanged) since the op was
/// recorded; the error names the op that saved it and the one that wrote.
class Saved {
 public:
  explicit Saved(Variable variable)
      : variable_(std::move(variable)),
        version_(variable_.value().version()),
        exchanges_(variable_.state()->exchanges) {}
  /// A constant of the rule: labels, a mask, an index.
  explicit Saved(const Tensor& constant) : Saved(Variable(constant)) {}
  const Variable& operator()() const {
    if (variable_.value().version() != version_ || variable_.state()->exchanges != exchanges_) [[unlikely]]
      refuse();
    return variable_;
  }

 private:
  friend class SavedOptional;
  Saved() = default;  // nothing
  [[noreturn]] void refuse() const;
  Variable variable_;
  uint64_t version_ = 0;
  uint32_t exchanges_ = 0;
};
// [/saved]

/// An input or a constant that may be undefined, kept likewise.
class SavedOptional {
 public:
  template <class X>
  explicit SavedOptional(const X& x) {
    if (x.defined()) saved_ = Saved(x);
  }
  Variable operator()() const { return saved_.variable_.defined() ? saved_() : Variable(); }

 private:
  Saved saved_;
};

/// The numbers of an operand that may be left out.
inline Tensor value_or_none(const Variable& x) { return x.defined() ? x.value() : Tensor(); }

/// On an ordinary way back: does nobody else hold this gradient's numbers, so that a rule may write its
/// result over them? Never while recording.
bool may_overwrite(const Variable& gradient);

/// What an op asks of the tape beyond its rule.
struct Keep {
  bool outputs = false;               ///< keep the outputs for Gradients::output
  const char* once_reason = nullptr;  ///< set for ops that can be differentiated only once
};

/// While it lives, collects what ops of this thread would have recorded an edge to, had recording been on:
/// the variables with a gradient that reach a segment from outside, its parameters among them (checkpoint.h).
class UnrecordedInputs {
 public:
  UnrecordedInputs();
  ~UnrecordedInputs();
  UnrecordedInputs(const UnrecordedInputs&) = delete;
  UnrecordedInputs& operator=(const UnrecordedInputs&) = delete;
  /// Each once, in the order of first use.
  const std::vector<Variable>& variables() const { return variables_; }

 private:
  friend struct Recorder;
  std::vector<Variable> variables_;
  UnrecordedInputs* before_;
};

/// Builds nodes; the functions below are its public face.
struct Recorder {
  /// Does any input require a gradient, and is recording on?
  template <class Inputs>
  static bool wanted(const Inputs& inputs) {
    bool any = false;
    for (const Variable& input : inputs) any = any || input.requires_grad();
    if (any && !recording()) [[unlikely]]
      note_unrecorded(inputs);
    return any && recording();
  }
  /// Tells the UnrecordedInputs of this thread, if there is one.
  static void note_unrecorded(std::span<const Variable> inputs);
  /// Where the gradient of a variable goes; nowhere if it does not require one.
  static Edge edge_to(const Variable& variable);
  static Variable attach(const std::shared_ptr<Node>& node, Tensor value, int output);
  static Variable plain(Tensor value);

  template <class Rule>
  struct RuleNode final : Node {
    RuleNode(const char* name, int outputs, Rule r)
        : Node(name, outputs), rule(std::in_place, std::move(r)) {}
    void apply(std::span<const Variable> grads, Gradients& out) override {
      TENON_CHECK(rule.has_value(), "backward: the graph of ", op(),
                  " was freed; ask for retain_graph to go back twice");
      (*rule)(grads, out);
    }
    void release() override {
      rule.reset();
      kept_outputs.clear();
    }
    std::optional<Rule> rule;
  };

  template <class Inputs, class Rule>
  static std::shared_ptr<Node> make_node(const char* op, int outputs, const Inputs& inputs, Rule&& rule,
                                         Keep keep) {
    using R = RuleNode<std::decay_t<Rule>>;
    std::shared_ptr<Node> node =
        std::allocate_shared<R>(PoolAllocator<R>(), op, outputs, std::forward<Rule>(rule));
    node->once_reason = keep.once_reason;
    node->edges_.reserve(inputs.size());
    for (const Variable& input : inputs) node->edges_.push_back(edge_to(input));
    return node;
  }
};

/// Records an op of one output. `op` is a string literal; the rule is `void(const Variable& grad, Gradients&
/// out)`. Undefined inputs are allowed (an optional bias) and never need a gradient.
template <class Rule>
Variable record(const char* op, Tensor output, std::initializer_list<Variable> inputs, Rule&& rule,
                Keep keep = {}) {
  return record(op, std::move(output), std::span<const Variable>(inputs.begin(), inputs.size()),
                std::forward<Rule>(rule), keep);
}

// [record]
template <class Rule>
Variable record(const char* op, Tensor output, std::span<const Variable> inputs, Rule&& rule,
                Keep keep = {}) {
  if (!Recorder::wanted(inputs)) return Recorder::plain(std::move(output));
  auto whole = [rule = std::forward<Rule>(rule)](std::span<const Variable> grads, Gradients& out) {
    rule(grads[0], out);
  };
  auto node = Recorder::make_node(op, 1, inputs, std::move(whole), keep);
  if (keep.outputs) node->kept_outputs.emplace_back(output, output.version());
  return Recorder::attach(node, std::move(output), 0);
}
// [/record]

/// Records an op of several outputs; the rule is `void(std::span<const Variable> grads, Gradients& out)`,
/// where the gradient of an output that nobody used is undefined. Outputs of integer dtype come back without
/// history.
template <class Rule>
PoolVector<Variable> record_many(const char* op, std::span<const Tensor> outputs,
                                 std::span<const Variable> inputs, Rule&& rule, Keep keep = {}) {
  PoolVector<Variable> result;
  result.reserve(outputs.size());
  std::shared_ptr<Node> node;
  if (Recorder::wanted(inputs)) {
    node = Recorder::make_node(op, static_cast<int>(outputs.size()), inputs, std::forward<Rule>(rule), keep);
    if (keep.outputs)
      for (const Tensor& output : outputs) node->kept_outputs.emplace_back(output, output.version());
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const bool differentiable = node != nullptr && is_floating(outputs[i].dtype());
    result.push_back(differentiable ? Recorder::attach(node, outputs[i], static_cast<int>(i))
                                    : Recorder::plain(outputs[i]));
  }
  return result;
}
template <class Rule>
PoolVector<Variable> record_many(const char* op, std::initializer_list<Tensor> outputs,
                                 std::span<const Variable> inputs, Rule&& rule, Keep keep = {}) {
  return record_many(op, std::span<const Tensor>(outputs.begin(), outputs.size()), inputs,
                     std::forward<Rule>(rule), keep);
}

}  // namespace tenon
