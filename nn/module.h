// Module: a function of a Variable with named parameters, buffers and submodules.
//
//   auto net = std::make_shared<Sequential>();
//   net->add("fc1", std::make_shared<Linear>(784, 300));
//   net->add("relu1", std::make_shared<ReLU>());
//   Variable y = (*net)(x);                    // forward
//   for (const NamedVariable& p : net->named_parameters()) ...   // "fc1.weight", "fc1.bias"
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "autograd/variable.h"

namespace tenon {

class Module;

struct NamedVariable {
  std::string name;
  Variable variable;
};

struct NamedModule {
  std::string name;  ///< "" for the root
  Module* module;
};

/// Does a layer add a bias?
enum class Bias { no, yes };

/// Tensors by name: what a checkpoint holds.
using State = std::map<std::string, Tensor>;

/// One use of a layer that multiplies, or has parameters, during a walk of shapes.
struct LayerUse {
  const Module* layer;
  Shape input, output;
  int64_t
      macs;  ///< multiply-accumulates for the whole input shape, its batch included; biases are not counted
};
using LayerUses = std::vector<LayerUse>;

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  virtual Variable forward(const Variable& x) = 0;
  Variable operator()(const Variable& x) { return forward(x); }

  /// The class as a reader of a table or of an error message knows it: "Linear".
  virtual const char* kind() const = 0;

  /// What forward would return for an input of this shape, without computing it; appends the layers met to
  /// `uses` (see nn/compress/accounting.h). Throws Error if the shape does not fit, or, here, if the module
  /// has no such walk.
  virtual Shape walk(const Shape& input, LayerUses& uses) const;

  // ---- what it is made of ---------------------------------------------------------------------------
  /// Names join by dots: "stage1.0.conv1.weight". Own ones first, then those of the submodules, in order of
  /// registration; a module registered twice is listed at its first place only.
  std::vector<NamedVariable> named_parameters() const;
  std::vector<NamedVariable> named_buffers() const;
  /// This module ("") and all below it, parents first.
  std::vector<NamedModule> named_modules();
  /// The parameters without their names.
  std::vector<Variable> parameters() const;
  /// Elements of all parameters.
  int64_t parameter_count() const;
  /// The module of that path ("stage1.0"). Throws Error if there is none.
  Module& at(const std::string& name);
  /// Puts another module in the place of the one at that path, under its name, and returns that one. Throws Error if there
  /// is none, or if the module above it does not take another one.
  std::shared_ptr<Module> replace(const std::string& name, std::shared_ptr<Module> by);

  // ---- modes, places --------------------------------------------------------------------------------
  /// Training mode is the initial one; batch norm and dropout behave differently in evaluation mode.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return training_; }
  /// Moves all parameters and buffers; gradients are dropped.
  void to(Device device);
  /// Where its parameters lie: the device of the first one; the host if there is none.
  Device device() const;
  /// Converts floating parameters and buffers; gradients are dropped. Throws unless float32 or float64.
  void to(DType dtype);
  void zero_grad();

  // ---- state ----------------------------------------------------------------------------------------
  /// Parameters and buffers. The tensors are handles on the module's own memory: clone them to keep them.
  State state() const;
  /// Copies `state` into the parameters and buffers. Throws Error, before anything is changed, that lists
  /// every missing and unexpected name and every shape or dtype that differs. Devices may differ.
  void load_state(const State& state);

 protected:
  /// Registers a tensor as parameter and returns its Variable, which requires a gradient. Throws if the name
  /// is taken, is empty or has a dot.
  Variable add_parameter(const std::string& name, Tensor value);
  /// Registers a tensor that is saved but not trained: running statistics. Held in a Variable so that `to`
  /// reaches it.
  Variable add_buffer(const std::string& name, Tensor value);
  /// Registers a submodule and returns it.
  template <class M>
  std::shared_ptr<M> add_module(const std::string& name, std::shared_ptr<M> module) {
    register_module(name, module);
    return module;
  }

  /// Called before submodule `name` is exchanged for `by`: who keeps handles of its own exchanges them, or throws Error, as
  /// is the default.
  virtual void on_replace(const std::string& name, const std::shared_ptr<Module>& by);

 private:
  void check_name(const std::string& name) const;
  void register_module(const std::string& name, std::shared_ptr<Module> module);
  void collect(const std::string& prefix, std::vector<NamedModule>& out);
  std::vector<NamedModule> modules() const;
  /// Exchanges the numbers of every parameter and buffer for `convert` of them.
  template <class F>
  void convert_all(F&& convert);

  std::vector<NamedVariable> parameters_;
  std::vector<NamedVariable> buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  bool training_ = true;
};

/// Deep copies of the tensors of a state, in memory of their own.
State clone_state(const State& state);
/// Copies `from` into the tensors of `to`. Throws Error in the name of `who`, before anything is changed, as
/// Module::load_state does.
void copy_state(const char* who, const State& from, const State& to);

}  // namespace tenon
