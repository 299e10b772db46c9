#include "nn/sequential.h"

#include "autograd/ops/view.h"
#include "core/memory_trace.h"

namespace tenon {

Sequential& Sequential::add(const std::string& name, std::shared_ptr<Module> module) {
  add_module(name, module);
  chain_.emplace_back(name, std::move(module));
  return *this;
}

void Sequential::on_replace(const std::string& name, const std::shared_ptr<Module>& by) {
  for (auto& [own, module] : chain_)
    if (own == name) module = by;
}

Variable Sequential::forward(const Variable& x) {
  Variable y = x;
  for (const auto& [name, module] : chain_) {
    const MemoryLabel label(name.c_str());
    y = module->forward(y);
  }
  return y;
}

Shape Sequential::walk(const Shape& input, LayerUses& uses) const {
  Shape shape = input;
  for (const auto& [name, module] : chain_) shape = module->walk(shape, uses);
  return shape;
}

Variable Flatten::forward(const Variable& x) { return flatten(x, 1); }

Shape Flatten::walk(const Shape& input, LayerUses&) const {
  TENON_CHECK(input.rank() >= 2, "Flatten: walk: expects rank >= 2, got ", input);
  Shape rest = input;
  rest.erase(0);
  return {input[0], rest.numel()};
}

}  // namespace tenon
