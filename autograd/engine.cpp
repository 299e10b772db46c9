// The walk back over the tape: nodes are visited newest first. A node is always newer than its inputs, so
// when its turn comes every gradient that flows into it has arrived.
#include <algorithm>
#include <queue>
#include <unordered_map>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/tape.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace tenon {
namespace {

thread_local bool anomaly = false;
// Whose rule runs, for the error of a stale saved tensor.
thread_local const char* running_op = "";

// Sets it for a scope; rules may walk a tape of their own, so scopes nest.
class RunningOp {
 public:
  explicit RunningOp(const char* op) : before_(std::exchange(running_op, op)) {}
  ~RunningOp() { running_op = before_; }
  RunningOp(const RunningOp&) = delete;
  RunningOp& operator=(const RunningOp&) = delete;

 private:
  const char* before_;
};

struct OlderFirst {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->sequence() < b->sequence();
  }
};

bool has_nan(const Tensor& x) {
  // NaN is the only value that differs from itself, and a sum keeps it.
  return !x.is_empty() && sum(not_equal(x, x).to(int64)).item() != 0;
}

}  // namespace

class Walk {
 public:
  explicit Walk(BackwardOptions options) : options_(options) {}
  ~Walk() {
    // After an error, nodes still queued must not keep what was meant for this walk.
    while (!queue_.empty()) forget(*pop());
  }
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  void seed(const Variable& output, const Variable& grad) {
    Edge edge = Recorder::edge_to(output);
    send(edge.node, edge.output, grad);
  }

  /// From here on only what lies on a path to one of these is walked; leaves among them do not accumulate.
  void restrict_to(const std::vector<Variable>& inputs) {
    restricted_ = true;
    for (const Variable& input : inputs)
      if (Edge edge = Recorder::edge_to(input); edge.node != nullptr) {
        targets_[edge.node.get()].push_back({edge.output, Variable()});
        oldest_target_ = std::min(oldest_target_, edge.node->sequence());
      }
  }

  Variable result_for(const Variable& input) const {
    if (!input.requires_grad()) return {};
    auto found = targets_.find(input.state()->node.get());
    if (found == targets_.end()) return {};
    for (const Target& target : found->second)
      if (target.output == input.state()->output) return target.gradient;
    return {};
  }

  // [run]
  void run() {
    RecordingScope scope(options_.create_graph);
    while (!queue_.empty()) visit(pop());
  }
  // [/run]

 private:
  struct Target {
    int output;
    Variable gradient;
  };

  std::shared_ptr<Node> pop() {
    std::shared_ptr<Node> node = queue_.top();
    queue_.pop();
    node->queued_ = false;
    return node;
  }

  static void forget(Node& node) { node.incoming_.clear(); }

  // [send]
  void send(const std::shared_ptr<Node>& node, int output, const Variable& grad) {
    Node& n = *node;
    if (n.incoming_.empty()) n.incoming_.resize(static_cast<size_t>(n.outputs()));
    Variable& slot = n.incoming_[static_cast<size_t>(output)];
    if (!slot.defined()) {
      slot = grad;
    } else {
      TENON_CHECK(slot.shape() == grad.shape(), "backward: gradients of shapes ", slot.shape(), " and ",
                  grad.shape(), " meet at an output of ", n.op());
      slot = add(slot, grad);
    }
    if (!n.queued_) {
      n.queued_ = true;
      queue_.push(node);
    }
  }
  // [/send]

  // Is there a target at or before this node?
  bool leads_to_target(const Node& node) {
    if (!restricted_) return true;
    if (targets_.count(&node)) return true;
    if (node.sequence() < oldest_target_) return false;
    auto [known, inserted] = leads_.try_emplace(&node, false);
    if (!inserted) return known->second;
    // Depth first with an explicit stack: graphs may be deep.
    std::vector<std::pair<const Node*, size_t>> stack{{&node, 0}};
    while (!stack.empty()) {
      auto& [n, next] = stack.back();
      if (leads_[n] || next == n->edges().size()) {
        bool leads = leads_[n];
        stack.pop_back();
        if (leads && !stack.empty()) leads_[stack.back().first] = true;
        continue;
      }
      const Node* input = n->edges()[next++].node.get();
      if (input == nullptr) continue;
      if (targets_.count(input)) {
        leads_[n] = true;
      } else if (input->sequence() >= oldest_target_) {
        auto [entry, fresh] = leads_.try_emplace(input, false);
        if (fresh) {
          stack.push_back({input, 0});
        } else if (entry->second) {
          leads_[n] = true;
        }
      }
    }
    return leads_[&node];
  }

  using Incoming = std::vector<Variable, PoolAllocator<Variable>>;

  void run_hooks(const Node& node, Incoming& incoming) {
    for (const auto& [output, hook] : node.hooks) {
      Variable& grad = incoming[static_cast<size_t>(output)];
      if (!grad.defined()) continue;
      Variable replaced = hook(grad);
      if (!replaced.defined()) continue;
      TENON_CHECK(replaced.shape() == grad.shape(), "backward: a hook on an output of ", node.op(),
                  " returned shape ", replaced.shape(), ", expected ", grad.shape());
      grad = replaced;
    }
  }

  void visit(const std::shared_ptr<Node>& node) {
    // Taken off the node first: whatever is thrown below, the node is clean for another walk.
    Incoming incoming = std::move(node->incoming_);
    node->incoming_.clear();
    run_hooks(*node, incoming);
    auto target = restricted_ ? targets_.find(node.get()) : targets_.end();
    if (target != targets_.end())
      for (Target& t : target->second) t.gradient = incoming[static_cast<size_t>(t.output)];
    bool is_leaf = node->edges().empty() && node->sequence() == 0;
    if ((restricted_ && is_leaf) || !any_edge_leads(*node)) return;
    if (options_.create_graph && node->once_reason != nullptr)
      fail("backward: the gradient of ", node->op(), " cannot be differentiated again: ", node->once_reason);
    // [apply]
    slots_.assign(node->edges().size(), Variable());
    Gradients out(*node, slots_);
    {
      RunningOp running(node->op());
      node->apply(incoming, out);
    }
    incoming.clear();
    if (!options_.retain_graph && !options_.create_graph) node->release();
    for (size_t i = 0; i < slots_.size(); ++i) {
      const Edge& edge = node->edges()[i];
      if (!slots_[i].defined() || edge.node == nullptr) continue;
      TENON_CHECK(!anomaly || !has_nan(slots_[i].value()), "backward: the gradient of ", node->op(),
                  " with respect to its input ", i, " has NaN (shape ", slots_[i].shape(), ")");
      if (leads_to_target(*edge.node)) send(edge.node, edge.output, slots_[i]);
      slots_[i] = Variable();
    }
    // [/apply]
  }

  bool any_edge_leads(const Node& node) {
    if (!restricted_ || node.edges().empty()) return true;
    return std::any_of(node.edges().begin(), node.edges().end(),
                       [&](const Edge& e) { return e.node != nullptr && leads_to_target(*e.node); });
  }

  BackwardOptions options_;
  std::priority_queue<std::shared_ptr<Node>,
                      std::vector<std::shared_ptr<Node>, PoolAllocator<std::shared_ptr<Node>>>, OlderFirst>
      queue_;
  std::vector<Variable> slots_;
  bool restricted_ = false;
  uint64_t oldest_target_ = ~uint64_t{0};
  std::unordered_map<const Node*, std::vector<Target>> targets_;
  std::unordered_map<const Node*, bool> leads_;
};

namespace {

Variable seed_gradient(const Variable& output, const Variable& grad, const char* what) {
  if (grad.defined()) {
    TENON_CHECK(grad.shape() == output.shape(), what, ": the gradient expects shape ", output.shape(),
                ", got ", grad.shape());
    return grad;
  }
  TENON_CHECK(output.numel() == 1, what, ": an output of shape ", output.shape(),
              " needs a gradient to start from");
  return Variable(Tensor::full(output.shape(), 1, output.dtype(), output.device()));
}

void require_history(const Variable& output, const char* what) {
  TENON_CHECK(output.requires_grad(), what,
              ": the output has no history (nothing that requires a gradient was recorded)");
}

}  // namespace

void backward(const Variable& root, const Variable& grad, BackwardOptions options) {
  require_history(root, "backward");
  Walk walk(options);
  walk.seed(root, seed_gradient(root, grad, "backward"));
  walk.run();
}

std::vector<Variable> gradients(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs,
                                const std::vector<Variable>& output_grads, BackwardOptions options) {
  TENON_CHECK(output_grads.empty() || output_grads.size() == outputs.size(), "gradients: expects ",
              outputs.size(), " output gradients, got ", output_grads.size());
  Walk walk(options);
  walk.restrict_to(inputs);
  for (size_t i = 0; i < outputs.size(); ++i) {
    require_history(outputs[i], "gradients");
    walk.seed(outputs[i],
              seed_gradient(outputs[i], output_grads.empty() ? Variable() : output_grads[i], "gradients"));
  }
  walk.run();
  std::vector<Variable> result;
  for (const Variable& input : inputs) result.push_back(walk.result_for(input));
  return result;
}

void Saved::refuse() const {
  fail("backward: a tensor that ", running_op, " saved (", variable_.value().str(),
       ") was overwritten in place by ", variable_.value().last_writer(), " since");
}

void set_anomaly_mode(bool on) { anomaly = on; }
bool anomaly_mode() { return anomaly; }

}  // namespace tenon
