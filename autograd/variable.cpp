#include "autograd/variable.h"

#include <algorithm>
#include <atomic>

#include "autograd/ops/elementwise.h"
#include "autograd/tape.h"
#include "core/memory_trace.h"
#include "core/ops/elementwise.h"

namespace tenon {
namespace {

thread_local bool recording_now = true;
thread_local UnrecordedInputs* unrecorded_inputs = nullptr;
std::atomic<uint64_t> next_number = 1;

// [bury]
// Chains of nodes are freed one after another here: left to recursion, a long chain would overflow the stack.
thread_local PoolVector<std::shared_ptr<Node>>* graveyard = nullptr;

void bury(std::shared_ptr<Node> node) {
  if (node == nullptr || node.use_count() > 1) return;
  if (graveyard != nullptr) {
    graveyard->push_back(std::move(node));
    return;
  }
  PoolVector<std::shared_ptr<Node>> pending;
  graveyard = &pending;
  pending.push_back(std::move(node));
  while (!pending.empty()) {
    std::shared_ptr<Node> next = std::move(pending.back());
    pending.pop_back();
    next.reset();
  }
  graveyard = nullptr;
}
// [/bury]

bool held_by_one(const Variable& v) {
  return v.state().use_count() == 1 && v.value().is_dense() && v.value().is_sole_owner();
}

// Collects the gradient of a leaf.
class LeafNode final : public Node {
 public:
  explicit LeafNode(std::weak_ptr<VariableState> state) : Node("leaf", 1), state_(std::move(state)) {
    sequence_ = 0;
  }
  void apply(std::span<const Variable> grads, Gradients&) override {
    std::shared_ptr<VariableState> state = state_.lock();
    if (state == nullptr) return;
    const Variable& g = grads[0];
    TENON_CHECK(g.shape() == state->value.shape() && g.dtype() == state->value.dtype(),
                "backward: a leaf of ", state->value.str(), " was given a gradient of ", g.value().str());
    if (state->grad.defined()) {
      state->grad = add(state->grad, g);
      return;
    }
    // A gradient that someone else holds, or that is a broadcast view, is copied: the leaf's own may be
    // written to.
    if (held_by_one(g)) {
      state->grad = g;
    } else {
      state->grad = recording() ? affine(g, 1, 0) : Variable(g.value().clone());
    }
  }
  void release() override {}

 private:
  std::weak_ptr<VariableState> state_;
};

const std::shared_ptr<Node>& node_of(VariableState& state, const std::shared_ptr<VariableState>& self) {
  if (state.node == nullptr) state.node = std::make_shared<LeafNode>(self);
  return state.node;
}

}  // namespace

Node::Node(const char* op, int outputs)
    : op_(op),
      number_(next_number.fetch_add(1, std::memory_order_relaxed)),
      sequence_(number_),
      outputs_(outputs) {}

Node::~Node() {
  for (Edge& edge : edges_) bury(std::move(edge.node));
}

VariableState::~VariableState() { bury(std::move(node)); }

// ---- Variable
// ------------------------------------------------------------------------------------------------

Variable::Variable(Tensor value, bool requires_grad) {
  TENON_CHECK(value.defined(), "Variable: undefined tensor");
  TENON_CHECK(!requires_grad || is_floating(value.dtype()),
              "Variable: only float32 and float64 can require a gradient, got ", value.str());
  state_ = std::allocate_shared<VariableState>(PoolAllocator<VariableState>());
  state_->value = std::move(value);
  state_->requires_grad = requires_grad;
}

const Tensor& Variable::value() const {
  TENON_CHECK(defined(), "Variable: undefined");
  return state_->value;
}

bool Variable::requires_grad() const { return defined() && state_->requires_grad; }
bool Variable::is_leaf() const { return defined() && state_->leaf; }

void Variable::set_requires_grad(bool on) const {
  TENON_CHECK(is_leaf(), "set_requires_grad: only a leaf can be switched");
  TENON_CHECK(!on || is_floating(dtype()), "set_requires_grad: expects float32 or float64, got ",
              value().str());
  state_->requires_grad = on;
}

const Variable& Variable::grad() const {
  TENON_CHECK(defined(), "grad: undefined variable");
  return state_->grad;
}

void Variable::set_grad(Variable grad) const {
  TENON_CHECK(defined(), "set_grad: undefined variable");
  TENON_CHECK(!grad.defined() || grad.shape() == shape(), "set_grad: expects shape ", shape(), ", got ",
              grad.value().str());
  state_->grad = std::move(grad);
}

void Variable::set_value(Tensor value) const {
  TENON_CHECK(is_leaf(), "set_value: only a leaf's numbers can be exchanged");
  TENON_CHECK(!recording() || !requires_grad(), "set_value: parameters change only under NoGrad");
  TENON_CHECK(value.defined(), "set_value: undefined tensor");
  TENON_CHECK(!requires_grad() || is_floating(value.dtype()), "set_value: expects float32 or float64, got ",
              value.str());
  const Tensor& before = state_->value;
  if (value.shape() != before.shape() || value.dtype() != before.dtype() || value.device() != before.device())
    state_->grad = Variable();
  state_->value = std::move(value);
  ++state_->exchanges;
}

void Variable::add_hook(Hook hook) const {
  TENON_CHECK(requires_grad(), "add_hook: the variable does not require a gradient");
  node_of(*state_, state_)->hooks.emplace_back(state_->output, std::move(hook));
}

bool recording() { return recording_now; }
RecordingScope::RecordingScope(bool on) : before_(recording_now) { recording_now = on; }
RecordingScope::~RecordingScope() { recording_now = before_; }

// ---- recording
// -------------------------------------------------------------------------------------------------

Edge Recorder::edge_to(const Variable& variable) {
  if (!variable.requires_grad()) return {};
  return {node_of(*variable.state(), variable.state()), variable.state()->output};
}

bool may_overwrite(const Variable& gradient) { return !recording() && held_by_one(gradient); }

UnrecordedInputs::UnrecordedInputs() : before_(unrecorded_inputs) { unrecorded_inputs = this; }
UnrecordedInputs::~UnrecordedInputs() { unrecorded_inputs = before_; }

void Recorder::note_unrecorded(std::span<const Variable> inputs) {
  if (unrecorded_inputs == nullptr) return;
  std::vector<Variable>& noted = unrecorded_inputs->variables_;
  for (const Variable& input : inputs) {
    auto same = [&](const Variable& v) { return v.state() == input.state(); };
    if (input.requires_grad() && std::none_of(noted.begin(), noted.end(), same)) noted.push_back(input);
  }
}

Variable Recorder::plain(Tensor value) { return Variable(std::move(value)); }

Variable Recorder::attach(const std::shared_ptr<Node>& node, Tensor value, int output) {
  name_memory(value.raw(), node->op());
  Variable out(std::move(value));
  VariableState& state = *out.state();
  state.node = node;
  state.output = output;
  state.requires_grad = true;
  state.leaf = false;
  return out;
}

// [output]
Variable Gradients::output(int i) const {
  const auto& [tensor, version] = node_.kept_outputs.at(static_cast<size_t>(i));
  TENON_CHECK(tensor.version() == version, "backward: an output of ", node_.op(),
              " was overwritten in place by ", tensor.last_writer(), " after it was saved");
  return Recorder::attach(node_.shared_from_this(), tensor, i);
}
// [/output]

}  // namespace tenon
