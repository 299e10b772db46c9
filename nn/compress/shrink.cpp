#include "nn/compress/shrink.h"

#include <numeric>

#include "autograd/ops/index.h"
#include "core/ops/elementwise.h"
#include "core/ops/image.h"
#include "core/ops/index.h"
#include "core/ops/reduce.h"
#include "nn/activations.h"
#include "nn/compress/mask.h"
#include "nn/conv.h"
#include "nn/dropout.h"
#include "nn/linear.h"
#include "nn/pool.h"

namespace tenon {

// ---- SelectFeatures
// ------------------------------------------------------------------------------------------------

SelectFeatures::SelectFeatures(const Tensor& indices, int64_t extent) : extent_(extent) {
  TENON_CHECK(indices.rank() == 1 && indices.dtype() == int64, "SelectFeatures: expects int64 [K], got ",
              indices.str());
  indices_ = add_buffer("indices", indices);
}

Variable SelectFeatures::forward(const Variable& x) {
  TENON_CHECK(x.rank() >= 2 && x.size(1) == extent_, "SelectFeatures: expects [N, ", extent_, ", ...], got ",
              x.shape());
  return index_select(x, 1, indices_.value());
}

Shape SelectFeatures::walk(const Shape& input, LayerUses&) const {
  TENON_CHECK(input.rank() >= 2 && input[1] == extent_, "SelectFeatures: walk: expects [N, ", extent_,
              ", ...], got ", input);
  Shape output = input;
  output[1] = indices_.size(0);
  return output;
}

namespace {

using Indices = std::vector<int64_t>;

// One weighted layer of the chain, in float64: weight [units, reads, block] and bias [units]. `block` is what
// one unit of the layer before owns here: the kernel of a convolution, H * W columns behind a Flatten,
// else 1.
struct Layer {
  size_t place;  // in the chain
  Tensor weight, bias;
  Indices units;                // which of the original ones are left
  std::vector<Module*> behind;  // what a unit's output passes before it reaches the next layer
  bool pads = false;            // reads zeros that no unit emitted
};

std::string label(const Sequential& chain, size_t i) {
  return concat("'", chain.name(i), "' (", chain[i].kind(), ")");
}

// A constant survives these unchanged; activations turn c into f(c).
bool passes_constants(const Module& m) {
  if (auto* average = dynamic_cast<const AvgPool2d*>(&m))
    return average->options().padding == Dims{0, 0} && !average->options().ceil_mode;
  return dynamic_cast<const Flatten*>(&m) || dynamic_cast<const MaxPool2d*>(&m) ||
         dynamic_cast<const Dropout*>(&m) || dynamic_cast<const Identity*>(&m);
}
bool is_weighted(const Module& m) {
  return dynamic_cast<const Linear*>(&m) || dynamic_cast<const Conv2d*>(&m);
}
bool is_select(const Module& m) { return dynamic_cast<const SelectFeatures*>(&m) != nullptr; }
bool is_activation(const Module& m) {
  return dynamic_cast<const Activation*>(&m) != nullptr && m.named_parameters().empty();
}

// Shrinking happens on the host, whatever the device of the network.
Tensor on_host(const Variable& x) { return x.value().to(Device::cpu()).to(float64); }

Tensor bias_or_zeros(const Variable& bias, int64_t units) {
  return bias.defined() ? on_host(bias).clone() : Tensor::zeros({units}, float64);
}

Layer read_layer(const Sequential& chain, size_t place, int64_t reads) {
  Layer layer;
  layer.place = place;
  Module& module = chain[place];
  const auto* conv = dynamic_cast<const Conv2d*>(&module);
  const auto* fc = dynamic_cast<const Linear*>(&module);
  const Variable& weight = conv ? conv->weight : fc->weight;
  TENON_CHECK(!conv || conv->options().groups == 1, "shrink: ", label(chain, place), " has groups");
  const int64_t units = weight.size(0);
  TENON_CHECK(reads >= 1 && weight.size(1) % reads == 0, "shrink: ", label(chain, place), " reads ",
              weight.size(1), " features, which are not a multiple of the ", reads, " units before it");
  const int64_t block = weight.size(1) / reads * spatial_extents(weight.shape()).numel();
  layer.weight = on_host(weight).contiguous().reshape({units, reads, block});
  layer.bias = bias_or_zeros(conv ? conv->bias : fc->bias, units);
  layer.units.resize(static_cast<size_t>(units));
  std::iota(layer.units.begin(), layer.units.end(), 0);
  if (conv)
    for (int64_t p : conv->options().padding) layer.pads |= p != 0;
  return layer;
}

std::vector<Layer> read_chain(const Sequential& chain, const Shape& input) {
  std::vector<Layer> layers;
  Shape shape = input;
  LayerUses uses;
  int64_t reads = 0;
  for (size_t i = 0; i < chain.size(); ++i) {
    Module& module = chain[i];
    if (is_weighted(module)) {
      layers.push_back(read_layer(chain, i, layers.empty() ? shape[1] : reads));
      reads = layers.back().weight.size(0);
    } else {
      // Of an earlier shrinking: it stands right before the first layer.
      bool selects = is_select(module) && layers.empty() && i + 1 < chain.size() && is_weighted(chain[i + 1]);
      TENON_CHECK(selects || passes_constants(module) || is_activation(module), "shrink: ", label(chain, i),
                  " is of a kind that cannot be shrunk through");
      if (!layers.empty()) layers.back().behind.push_back(&module);
    }
    shape = module.walk(shape, uses);
  }
  TENON_CHECK(!layers.empty(), "shrink: the chain has no Linear and no Conv2d");
  return layers;
}

// f(b): what a unit without weights emits, after the activations behind its layer.
Tensor emitted(const Layer& layer) {
  NoGrad no_grad;
  Variable value(layer.bias);
  for (Module* m : layer.behind)
    if (is_activation(*m)) value = m->forward(value);
  return value.value();
}

std::vector<bool> as_flags(const Tensor& live) {
  std::vector<bool> out;
  for (uint8_t flag : live.to_vector<uint8_t>()) out.push_back(flag != 0);
  return out;
}

Indices where_true(const std::vector<bool>& keep) {
  Indices out;
  for (size_t i = 0; i < keep.size(); ++i)
    if (keep[i]) out.push_back(static_cast<int64_t>(i));
  return out;
}

Tensor pick(const Tensor& x, int64_t axis, const Indices& keep) {
  return index_select(x, axis, Tensor::from(keep));
}

// Applies both rules once to the units between two layers; returns whether any went.
bool shrink_between(Layer& layer, Layer& next) {
  const std::vector<bool> read = as_flags(live_along(next.weight, 1));
  const std::vector<bool> varies = as_flags(live_along(layer.weight, 0));
  const std::vector<double> value = emitted(layer).to_vector<double>();
  std::vector<bool> keep(read.size());
  for (size_t j = 0; j < keep.size(); ++j) {
    bool constant = !varies[j] && (value[j] == 0 || !next.pads);
    keep[j] = read[j] && !constant;
  }
  if (where_true(keep).empty()) keep[0] = true;
  Indices kept = where_true(keep);
  if (kept.size() == keep.size()) return false;
  keep.flip();
  Indices gone = where_true(keep);
  // b_next += sum over what goes and is constant of f(b_j) * sum_block W_next[:, j, block]
  for (int64_t j : gone) {
    const size_t at = static_cast<size_t>(j);
    if (varies[at] || value[at] == 0) continue;
    next.bias = add(next.bias, affine(sum(next.weight.select(1, j), {1}), value[at], 0));
  }
  layer.weight = pick(layer.weight, 0, kept);
  layer.bias = pick(layer.bias, 0, kept);
  next.weight = pick(next.weight, 1, kept);
  Indices units;
  for (int64_t j : kept) units.push_back(layer.units[static_cast<size_t>(j)]);
  layer.units = std::move(units);
  return true;
}

// The layer of the small network, in the dtype of the large one.
std::shared_ptr<Module> write_layer(Module& original, const Layer& layer, Bias bias) {
  const int64_t units = layer.weight.size(0), reads = layer.weight.size(1);
  Generator unused;
  Variable weight, bias_variable;
  std::shared_ptr<Module> out;
  if (auto* conv = dynamic_cast<Conv2d*>(&original)) {
    Dims kernel{conv->weight.size(2), conv->weight.size(3)};
    auto made = std::make_shared<Conv2d>(reads, units, kernel, conv->options(), bias, unused);
    weight = made->weight, bias_variable = made->bias, out = made;
  } else {
    auto made = std::make_shared<Linear>(reads * layer.weight.size(2), units, bias, unused);
    weight = made->weight, bias_variable = made->bias, out = made;
  }
  out->to(original.parameters()[0].dtype());
  weight.value().copy_(layer.weight.reshape(weight.shape()));
  if (bias == Bias::yes) bias_variable.value().copy_(layer.bias);
  out->train(original.is_training());
  return out;
}

}  // namespace

Shrunk shrink(const Sequential& chain, const Shape& input) {
  std::vector<Layer> layers = read_chain(chain, input);
  Shrunk out;
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t l = 0; l + 1 < layers.size(); ++l) changed |= shrink_between(layers[l], layers[l + 1]);
  }
  Layer& first = layers.front();
  out.inputs = where_true(as_flags(live_along(first.weight, 1)));
  if (out.inputs.empty()) out.inputs = {0};
  int64_t extent = first.weight.size(1);
  first.weight = pick(first.weight, 1, out.inputs);

  out.network = std::make_shared<Sequential>();
  size_t l = 0;
  for (size_t i = 0; i < chain.size(); ++i) {
    if (auto* select = dynamic_cast<const SelectFeatures*>(&chain[i])) {
      out.inputs = pick(select->indices().to(Device::cpu()), 0, out.inputs).to_vector<int64_t>();
      extent = select->extent();
      continue;
    }
    if (l == layers.size() || layers[l].place != i) {
      out.network->add(chain.name(i), chain.share(i));
      continue;
    }
    if (l == 0 && static_cast<int64_t>(out.inputs.size()) < extent)
      out.network->add("select", std::make_shared<SelectFeatures>(Tensor::from(out.inputs), extent));
    // A layer without a bias needs one if constants were folded into it.
    bool needs = chain[i].named_parameters().size() > 1 || count_nonzero(layers[l].bias) > 0;
    Bias bias = needs ? Bias::yes : Bias::no;
    out.network->add(chain.name(i), write_layer(chain[i], layers[l], bias));
    out.layers.push_back({chain.name(i), layers[l].units});
    ++l;
  }
  out.network->train(chain.is_training());
  out.network->to(chain.parameters()[0].device());
  return out;
}

}  // namespace tenon
