// The walk back over the tape: nodes are visited newest first. A node is always newer than its inputs, so
// when its turn comes every gradient that flows into it has arrived.
#include <algorithm>
#include <functional>
#include <map>
#include <unordered_map>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/tape.h"
#include "core/memory_trace.h"
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
  explicit RunningOp(const char* op) : before_(std::exchange(running_op, op)), label_(op) {}
  ~RunningOp() { running_op = before_; }
  RunningOp(const RunningOp&) = delete;
  RunningOp& operator=(const RunningOp&) = delete;

 private:
  const char* before_;
  MemoryLabel label_;
};

bool has_nan(const Tensor& x) {
  // NaN is the only value that differs from itself, and a sum keeps it.
  return !x.is_empty() && sum(not_equal(x, x).to(int64)).item() != 0;
}

}  // namespace

// One walk. What flows back is kept here and not in the nodes, so that walks may nest (a hook or a recomputed
// segment walks back too) and an error leaves nothing behind.
class Walk {
 public:
  explicit Walk(BackwardOptions options) : options_(options) {}

  void seed(const Variable& output, const Variable& grad) { send(Recorder::edge_to(output), grad); }

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
    Edge edge = Recorder::edge_to(input);
    auto found = targets_.find(edge.node.get());
    if (found == targets_.end()) return {};
    for (const Target& target : found->second)
      if (target.output == edge.output) return target.gradient;
    return {};
  }

  // [run]
  void run() {
    RecordingScope scope(options_.create_graph);
    while (!frontier_.empty()) {
      Arrived next = std::move(frontier_.begin()->second);
      frontier_.erase(frontier_.begin());
      visit(next);
    }
  }
  // [/run]

 private:
  using Grads = PoolVector<Variable>;
  struct Target {
    int output;
    Variable gradient;
  };
  struct Arrived {
    std::shared_ptr<Node> node;
    Grads grads;  // of its outputs
  };
  using Key = std::pair<uint64_t, uint64_t>;  // sequence and number

  // [send]
  void send(const Edge& edge, const Variable& grad) {
    Arrived& arrived = frontier_[{edge.node->sequence(), edge.node->number()}];
    if (arrived.node == nullptr) {
      arrived.node = edge.node;
      arrived.grads.resize(static_cast<size_t>(edge.node->outputs()));
    }
    Variable& slot = arrived.grads[static_cast<size_t>(edge.output)];
    TENON_CHECK(!slot.defined() || slot.shape() == grad.shape(), "backward: gradients of shapes ",
                slot.shape(), " and ", grad.shape(), " meet at an output of ", edge.node->op());
    slot = slot.defined() ? add(slot, grad) : grad;
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

  static void run_hooks(const Node& node, Grads& grads) {
    for (const auto& [output, hook] : node.hooks) {
      Variable& grad = grads[static_cast<size_t>(output)];
      if (!grad.defined()) continue;
      Variable replaced = hook(grad);
      if (!replaced.defined()) continue;
      TENON_CHECK(replaced.shape() == grad.shape() && replaced.dtype() == grad.dtype(),
                  "backward: a hook on an output of ", node.op(), " returned ", replaced.value().str(),
                  ", expected ", grad.value().str());
      grad = replaced;
    }
  }

  void visit(Arrived& at) {
    Node& node = *at.node;
    run_hooks(node, at.grads);
    if (restricted_) {
      auto target = targets_.find(&node);
      bool is_target = target != targets_.end();
      if (is_target)
        for (Target& t : target->second) t.gradient = at.grads[static_cast<size_t>(t.output)];
      if ((is_target && options_.stop_at_inputs) || !any_edge_leads(node)) return;
    }
    TENON_CHECK(!options_.create_graph || node.once_reason == nullptr, "backward: the gradient of ",
                node.op(), " cannot be differentiated again: ", node.once_reason);
    // [apply]
    Grads slots(node.edges().size());
    Gradients out(node, slots);
    {
      RunningOp running(node.op());
      node.apply(at.grads, out);
    }
    at.grads.clear();
    if (!options_.retain_graph && !options_.create_graph) node.release();
    for (size_t i = 0; i < slots.size(); ++i) {
      const Edge& edge = node.edges()[i];
      if (!slots[i].defined() || edge.node == nullptr) continue;
      TENON_CHECK(!anomaly || !has_nan(slots[i].value()), "backward: the gradient of ", node.op(),
                  " with respect to its input ", i, " has NaN (shape ", slots[i].shape(), ")");
      if (leads_to_target(*edge.node)) send(edge, slots[i]);
      slots[i] = Variable();
    }
    // [/apply]
  }

  // A leaf has no edges: nothing lies behind it.
  bool any_edge_leads(const Node& node) {
    return std::any_of(node.edges().begin(), node.edges().end(),
                       [&](const Edge& e) { return e.node != nullptr && leads_to_target(*e.node); });
  }

  BackwardOptions options_;
  // Nodes with gradients that arrived, newest first; leaves (0) last, the newest of them first, so that hooks run in an
  // order that no address decides.
  std::map<Key, Arrived, std::greater<Key>, PoolAllocator<std::pair<const Key, Arrived>>> frontier_;
  bool restricted_ = false;
  uint64_t oldest_target_ = ~uint64_t{0};
  std::unordered_map<const Node*, std::vector<Target>> targets_;
  std::unordered_map<const Node*, bool> leads_;
};

namespace {

Variable seed_gradient(const Variable& output, const Variable& grad, const char* what) {
  if (grad.defined()) {
    TENON_CHECK(grad.shape() == output.shape() && grad.dtype() == output.dtype(), what,
                ": the gradient of an output of ", output.value().str(), " is like it, got ",
                grad.value().str());
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
  const MemoryLabel label("backward");
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
  const bool exchanged = variable_.state()->exchanges != exchanges_;
  fail("backward: a tensor that ", running_op, " saved (", variable_.value().str(),
       ") was overwritten in place by ", exchanged ? "set_value" : variable_.value().last_writer(), " since");
}

void set_anomaly_mode(bool on) { anomaly = on; }
bool anomaly_mode() { return anomaly; }

}  // namespace tenon
