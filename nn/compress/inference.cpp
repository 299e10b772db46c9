#include "nn/compress/inference.h"

#include <algorithm>
#include <chrono>

#include "core/ops/elementwise.h"
#include "core/ops/image.h"
#include "nn/activations.h"
#include "nn/models/resnet.h"
#include "nn/norm.h"

namespace tenon {

InferenceConv::InferenceConv(Tensor weight, Tensor bias, const ConvOptions& options, Epilogue epilogue)
    : options_(options), epilogue_(epilogue) {
  TENON_CHECK(weight.rank() >= 3 && weight.rank() <= 5,
              "InferenceConv: expects a weight of rank 3, 4 or 5, got ", weight.str());
  const int axes = weight.rank() - 2;
  options_.stride = per_axis("InferenceConv", "stride", axes, options.stride, 1, 1);
  options_.padding = per_axis("InferenceConv", "padding", axes, options.padding, 0, 0);
  options_.dilation = per_axis("InferenceConv", "dilation", axes, options.dilation, 1, 1);
  weight_ = add_buffer("weight", std::move(weight));
  bias_ = add_buffer("bias", std::move(bias));
}

Variable InferenceConv::forward(const Variable& x, const Variable& residual) {
  return conv(x, weight_, bias_, options_, epilogue_, residual);
}

Shape InferenceConv::walk(const Shape& input, LayerUses& uses) const {
  const Shape& w = weight_.shape();
  TENON_CHECK(input.rank() == w.rank() && input[1] == w[1] * options_.groups, "InferenceConv: walk: expects ",
              w[1] * options_.groups, " channels and rank ", w.rank(), ", got ", input);
  Shape output{input[0], w[0]};
  for (int i = 2; i < w.rank(); ++i)
    output.push_back(room_of_window("InferenceConv", spatial_extents(input), spatial_extents(w),
                                    options_.padding, options_.dilation, i - 2) /
                         options_.stride[i - 2] +
                     1);
  uses.push_back({this, input, output, output.numel() * (w.numel() / std::max<int64_t>(w[0], 1))});
  return output;
}

namespace {

using Convs = std::vector<std::shared_ptr<InferenceConv>>;

// What a convolution with this behind it needs of a batch norm; identity without one.
struct ScaleShift {
  Tensor scale, mean, shift;
  static ScaleShift of(const BatchNorm* norm) {
    if (norm == nullptr) return {};
    return {mul(norm->weight.value(), rsqrt(affine(norm->running_var.value(), 1, norm->eps()))),
            norm->running_mean.value(), norm->bias.value()};
  }
};

std::shared_ptr<InferenceConv> folded(const ConvLayer& layer, const BatchNorm* norm, Epilogue epilogue) {
  const ScaleShift fold = ScaleShift::of(norm);
  const Tensor& w = layer.weight.value();
  Tensor weight = w.clone();
  Tensor bias = layer.bias.defined() ? layer.bias.value().clone()
                                     : Tensor::zeros({layer.out_channels()}, w.dtype(), w.device());
  if (norm != nullptr) {
    Shape a_filter = Dims::filled(w.rank(), 1);
    a_filter[0] = layer.out_channels();
    weight = mul(w, fold.scale.reshape(a_filter));
    bias = add(mul(sub(bias, fold.mean), fold.scale), fold.shift);
  }
  return std::make_shared<InferenceConv>(weight, bias, layer.options(), epilogue);
}

// The convolutions that stand for one module, or none if it is no convolution.
Convs fold_conv(const Module& module, const BatchNorm* norm, Epilogue epilogue) {
  if (const auto* layer = dynamic_cast<const ConvLayer*>(&module);
      layer != nullptr && !layer->is_transposed())
    return {folded(*layer, norm, epilogue)};
  if (const auto* pair = dynamic_cast<const LowRankConv2d*>(&module))
    return {folded(pair->first(), nullptr, Epilogue::none), folded(pair->second(), norm, epilogue)};
  return {};
}

// A residual block: the last convolution of its body adds the shortcut.
class InferenceBlock : public Module {
 public:
  explicit InferenceBlock(const ResidualBlock& block) {
    for (size_t i = 0; i < block.convs().size(); ++i)
      append(body_, "conv", *block.convs()[i], block.norms()[i].get(), Epilogue::relu);
    if (const auto& d = block.downsample())
      append(shortcut_, "downsample", (*d)[0], dynamic_cast<const BatchNorm*>(&(*d)[1]), Epilogue::none);
  }
  Variable forward(const Variable& x) override {
    Variable y = x, shortcut = x;
    for (const auto& conv : shortcut_) shortcut = conv->forward(shortcut);
    for (size_t i = 0; i + 1 < body_.size(); ++i) y = body_[i]->forward(y);
    return body_.back()->forward(y, shortcut);
  }
  const char* kind() const override { return "InferenceBlock"; }
  Shape walk(const Shape& input, LayerUses& uses) const override {
    Shape shape = input, shortcut = input;
    for (const auto& conv : body_) shape = conv->walk(shape, uses);
    for (const auto& conv : shortcut_) shortcut = conv->walk(shortcut, uses);
    return shape;
  }

 private:
  void append(Convs& to, const char* name, const Module& conv, const BatchNorm* norm, Epilogue epilogue) {
    const Convs convs = fold_conv(conv, norm, epilogue);
    TENON_CHECK(!convs.empty(), "compile_inference: expects convolutions in a residual block, found ",
                conv.kind());
    for (const auto& one : convs) to.push_back(add_module(concat(name, to.size() + 1), one));
  }
  Convs body_, shortcut_;
};

void compile(const Sequential& net, const std::string& path, Sequential& out) {
  for (size_t i = 0; i < net.size(); ++i) {
    const std::string name = path + net.name(i);
    if (const auto* chain = dynamic_cast<const Sequential*>(&net[i])) {
      compile(*chain, name + "-", out);
      continue;
    }
    if (const auto* block = dynamic_cast<const ResidualBlock*>(&net[i])) {
      out.add(name, std::make_shared<InferenceBlock>(*block));
      continue;
    }
    const auto* norm = i + 1 < net.size() ? dynamic_cast<const BatchNorm*>(&net[i + 1]) : nullptr;
    const size_t behind = norm != nullptr ? i + 2 : i + 1;
    const bool with_relu = behind < net.size() && dynamic_cast<const ReLU*>(&net[behind]) != nullptr;
    const Convs convs = fold_conv(net[i], norm, with_relu ? Epilogue::relu : Epilogue::none);
    if (convs.empty()) {
      out.add(name, net.share(i));
      continue;
    }
    for (size_t half = 0; half < convs.size(); ++half)
      out.add(half == 0 ? name : concat(name, "-", half + 1), convs[half]);
    i = behind - 1 + (with_relu ? 1 : 0);
  }
}

double seconds_of(Module& module, const Variable& x) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  module.forward(x);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<int64_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

std::shared_ptr<Sequential> compile_inference(const Sequential& net) {
  NoGrad no_grad;
  auto out = std::make_shared<Sequential>();
  compile(net, "", *out);
  out->eval();
  return out;
}

std::vector<PairTiming> keep_faster_forms(Sequential& net, const Shape& input, int repeats) {
  TENON_CHECK(repeats >= 1, "keep_faster_forms: expects at least one run, got ", repeats);
  TENON_CHECK(net.device() == Device::cpu(), "keep_faster_forms: expects a network on the host, got one on ",
              net.device().str());
  NoGrad no_grad;
  LayerUses uses;
  net.walk(input, uses);
  // Listed first: a pair that is replaced is gone, and its halves with it.
  std::vector<std::pair<std::string, LowRankConv2d*>> pairs;
  for (const NamedModule& m : net.named_modules())
    if (auto* pair = dynamic_cast<LowRankConv2d*>(m.module)) pairs.emplace_back(m.name, pair);
  std::vector<PairTiming> timings;
  for (const auto& [name, pair] : pairs) {
    const auto use = std::find_if(uses.begin(), uses.end(),
                                  [own = pair](const LayerUse& u) { return u.layer == &own->first(); });
    TENON_CHECK(use != uses.end(), "keep_faster_forms: '", name, "' is not used");
    const Tensor& w = pair->first().weight.value();
    const Variable x(Tensor::ones(use->input, w.dtype(), w.device()));
    const auto dense = recomposed(*pair);
    std::vector<double> pair_seconds, dense_seconds;
    for (int i = 0; i < repeats; ++i) {
      pair_seconds.push_back(seconds_of(*pair, x));
      dense_seconds.push_back(seconds_of(*dense, x));
    }
    timings.push_back({name, pair->rank(), median(pair_seconds), median(dense_seconds)});
    if (!timings.back().pair_is_faster()) {
      dense->train(net.is_training());
      net.replace(name, dense);
    }
  }
  return timings;
}

}  // namespace tenon
