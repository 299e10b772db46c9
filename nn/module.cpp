#include "nn/module.h"

#include <algorithm>
#include <utility>

namespace tenon {

Shape Module::walk(const Shape&, LayerUses&) const {
  fail(kind(), ": walk: this module has no walk of shapes");
}

// ---- registration -----------------------------------------------------------------------------------

void Module::check_name(const std::string& name) const {
  TENON_CHECK(!name.empty() && name.find('.') == std::string::npos, kind(),
              ": a name expects at least one character and no dot, got '", name, "'");
  auto taken = [&](const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const NamedVariable& v) { return v.name == name; });
  };
  bool child =
      std::any_of(children_.begin(), children_.end(), [&](const auto& c) { return c.first == name; });
  TENON_CHECK(!taken(parameters_) && !taken(buffers_) && !child, kind(), ": the name '", name, "' is taken");
}

Variable Module::add_parameter(const std::string& name, Tensor value) {
  check_name(name);
  parameters_.push_back({name, Variable(std::move(value), true)});
  return parameters_.back().variable;
}

Variable Module::add_buffer(const std::string& name, Tensor value) {
  check_name(name);
  buffers_.push_back({name, Variable(std::move(value))});
  return buffers_.back().variable;
}

void Module::register_module(const std::string& name, std::shared_ptr<Module> module) {
  check_name(name);
  TENON_CHECK(module != nullptr, kind(), ": submodule '", name, "' is null");
  children_.emplace_back(name, std::move(module));
}

// ---- what it is made of -----------------------------------------------------------------------------

void Module::collect(const std::string& prefix, std::vector<NamedModule>& out) {
  for (const NamedModule& seen : out)
    if (seen.module == this) return;
  out.push_back({prefix, this});
  for (const auto& [name, child] : children_)
    child->collect(prefix.empty() ? name : concat(prefix, ".", name), out);
}

std::vector<NamedModule> Module::named_modules() {
  std::vector<NamedModule> out;
  collect("", out);
  return out;
}

// Listing changes nothing; the const forms below only read what they are handed.
std::vector<NamedModule> Module::modules() const { return const_cast<Module*>(this)->named_modules(); }

namespace {
std::string join(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}
}  // namespace

std::vector<NamedVariable> Module::named_parameters() const {
  std::vector<NamedVariable> out;
  for (const auto& [path, module] : modules())
    for (const auto& [name, variable] : module->parameters_) out.push_back({join(path, name), variable});
  return out;
}

std::vector<NamedVariable> Module::named_buffers() const {
  std::vector<NamedVariable> out;
  for (const auto& [path, module] : modules())
    for (const auto& [name, variable] : module->buffers_) out.push_back({join(path, name), variable});
  return out;
}

std::vector<Variable> Module::parameters() const {
  std::vector<Variable> out;
  for (const NamedModule& m : modules())
    for (const NamedVariable& p : m.module->parameters_) out.push_back(p.variable);
  return out;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (const Variable& p : parameters()) count += p.numel();
  return count;
}

Module& Module::at(const std::string& name) {
  for (const NamedModule& m : named_modules())
    if (m.name == name) return *m.module;
  fail(kind(), ": at: has no module '", name, "'");
}

std::shared_ptr<Module> Module::replace(const std::string& name, std::shared_ptr<Module> by) {
  const size_t dot = name.rfind('.');
  Module& parent = dot == std::string::npos ? *this : at(name.substr(0, dot));
  const std::string last = dot == std::string::npos ? name : name.substr(dot + 1);
  TENON_CHECK(by != nullptr, kind(), ": replace: the module for '", name, "' is null");
  for (auto& [child, module] : parent.children_) {
    if (child != last) continue;
    parent.on_replace(last, by);
    return std::exchange(module, std::move(by));
  }
  fail(kind(), ": replace: has no module '", name, "'");
}

void Module::on_replace(const std::string& name, const std::shared_ptr<Module>&) {
  fail(kind(), ": replace: takes no other module for its '", name, "'");
}

// ---- modes, places ----------------------------------------------------------------------------------

void Module::train(bool on) {
  for (const NamedModule& m : named_modules()) m.module->training_ = on;
}

template <class F>
void Module::convert_all(F&& convert) {
  NoGrad no_grad;
  for (const NamedModule& m : named_modules()) {
    for (const NamedVariable& p : m.module->parameters_) {
      p.variable.set_value(convert(p.variable.value()));
      p.variable.zero_grad();
    }
    for (const NamedVariable& b : m.module->buffers_) b.variable.set_value(convert(b.variable.value()));
  }
}

void Module::to(Device device) {
  convert_all([&](const Tensor& t) { return t.to(device); });
}

Device Module::device() const {
  const std::vector<Variable> all = parameters();
  return all.empty() ? Device::cpu() : all.front().value().device();
}

void Module::to(DType dtype) {
  TENON_CHECK(is_floating(dtype), kind(), ": to: expects float32 or float64, got ", dtype);
  convert_all([&](const Tensor& t) { return is_floating(t.dtype()) ? t.to(dtype) : t; });
}

void Module::zero_grad() {
  for (const Variable& p : parameters()) p.zero_grad();
}

// ---- state ------------------------------------------------------------------------------------------

State Module::state() const {
  State out;
  for (const NamedVariable& p : named_parameters()) out.emplace(p.name, p.variable.value());
  for (const NamedVariable& b : named_buffers()) out.emplace(b.name, b.variable.value());
  return out;
}

void Module::load_state(const State& state) { copy_state(kind(), state, this->state()); }

void copy_state(const char* who, const State& from, const State& to) {
  std::string wrong;
  for (const auto& [name, tensor] : to) {
    auto found = from.find(name);
    if (found == from.end()) {
      wrong += concat("; missing '", name, "' ", tensor.shape());
      continue;
    }
    const Tensor& given = found->second;
    TENON_CHECK(given.defined(), who, ": load_state: '", name, "' is an undefined tensor");
    if (given.shape() != tensor.shape() || given.dtype() != tensor.dtype())
      wrong += concat("; '", name, "' expects ", tensor.dtype(), " ", tensor.shape(), ", got ", given.dtype(),
                      " ", given.shape());
  }
  for (const auto& [name, tensor] : from)
    if (!to.contains(name)) wrong += concat("; unexpected '", name, "' ", tensor.shape());
  TENON_CHECK(wrong.empty(), who, ": load_state: the state does not fit", wrong);
  for (const auto& [name, tensor] : to) tensor.copy_(from.at(name));
}

State clone_state(const State& state) {
  State out;
  for (const auto& [name, tensor] : state) out.emplace(name, tensor.clone());
  return out;
}

}  // namespace tenon
