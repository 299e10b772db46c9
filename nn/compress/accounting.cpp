#include "nn/compress/accounting.h"

#include <map>
#include <set>

#include "nn/compress/mask.h"

namespace tenon {

Account account(Module& net, const Shape& input) {
  std::map<const Module*, std::string> names;
  for (const NamedModule& m : net.named_modules()) names.emplace(m.module, m.name);
  LayerUses uses;
  Account out;
  out.output = net.walk(input, uses);
  std::set<const Module*> seen;
  for (const LayerUse& use : uses) {
    LayerAccount layer;
    layer.name = names[use.layer];
    layer.kind = use.layer->kind();
    layer.output = use.output;
    layer.macs = use.macs;
    layer.parameters = use.layer->parameter_count();
    for (const NamedVariable& p : use.layer->named_parameters()) {
      if (p.name != "weight" || p.variable.rank() < 2) continue;
      layer.weight = p.variable.shape();
      layer.weights = p.variable.numel();
      layer.nonzero = count_nonzero(p.variable.value());
      // Every weight is used equally often, so the quotient is whole.
      if (layer.weights > 0) layer.macs_nonzero = layer.macs / layer.weights * layer.nonzero;
    }
    if (seen.insert(use.layer).second) {
      out.weights += layer.weights;
      out.nonzero += layer.nonzero;
      out.parameters += layer.parameters;
    }
    out.macs += layer.macs;
    out.macs_nonzero += layer.macs_nonzero;
    out.layers.push_back(std::move(layer));
  }
  return out;
}

}  // namespace tenon
