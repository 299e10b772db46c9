// Sequential: modules one after another; and the shape-only modules that chains need.
#pragma once

#include "nn/module.h"

namespace tenon {

/// A chain. Each module is registered under its name, so a state reads "fc1.weight".
class Sequential : public Module {
 public:
  Sequential() = default;

  /// Appends a module under `name`. Throws if the name is taken. Returns the chain, to append more.
  Sequential& add(const std::string& name, std::shared_ptr<Module> module);
  /// Appends under the next number: "0", "1", ...
  Sequential& add(std::shared_ptr<Module> module) { return add(std::to_string(size()), std::move(module)); }

  Variable forward(const Variable& x) override;
  const char* kind() const override { return "Sequential"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;

  size_t size() const { return chain_.size(); }
  Module& operator[](size_t i) const { return *chain_.at(i).second; }
  const std::string& name(size_t i) const { return chain_.at(i).first; }
  /// Shared, to put a layer into another chain.
  const std::shared_ptr<Module>& share(size_t i) const { return chain_.at(i).second; }

 protected:
  void on_replace(const std::string& name, const std::shared_ptr<Module>& by) override;

 private:
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> chain_;
};

/// [N, ...] to [N, product of the rest], row-major: channel c owns a contiguous block of columns.
class Flatten : public Module {
 public:
  Variable forward(const Variable& x) override;
  const char* kind() const override { return "Flatten"; }
  Shape walk(const Shape& input, LayerUses& uses) const override;
};

/// Returns its input: a shortcut without projection.
class Identity : public Module {
 public:
  Variable forward(const Variable& x) override { return x; }
  const char* kind() const override { return "Identity"; }
  Shape walk(const Shape& input, LayerUses&) const override { return input; }
};

}  // namespace tenon
