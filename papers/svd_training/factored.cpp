#include "papers/svd_training/factored.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"
#include "core/ops/image.h"
#include "nn/compress/accounting.h"
#include "nn/init.h"

namespace tenon::svd_training {
namespace {

Svd random_conv_factors(const Shape& matrix, Generator& g) {
  const int64_t r = std::min(matrix[0], matrix[1]);
  Svd out{Tensor::empty({matrix[0], r}), Tensor::empty({r}), Tensor::empty({matrix[1], r})};
  // As weights of r outputs: the fan is the length of a column.
  init::kaiming_normal(out.u.t(), g);
  init::kaiming_normal(out.v.t(), g);
  init::normal(out.s, g, 0, 1);
  return out;
}

Svd random_linear_factors(const Shape& matrix, Generator& g) {
  const int64_t r = std::min(matrix[0], matrix[1]);
  Svd out{Tensor::empty({matrix[0], r}), Tensor::empty({r}), Tensor::empty({matrix[1], r})};
  init::xavier_uniform(out.u, g);
  init::xavier_uniform(out.v, g);
  init::uniform(out.s, g, 0, 1);
  return out;
}

std::vector<Svd> start_factors(Start start, const std::vector<Tensor>& matrices,
                               Svd (*random)(const Shape&, Generator&), Generator& generator) {
  if (start == Start::dense) return svd(matrices);
  std::vector<Svd> out;
  for (const Tensor& m : matrices) out.push_back(random(m.shape(), generator));
  return out;
}

void factorise_linears(Module& net, Start start, Generator& generator) {
  std::vector<std::pair<std::string, const Linear*>> linears;
  std::vector<Tensor> matrices;
  for (const NamedModule& m : net.named_modules())
    if (const auto* linear = dynamic_cast<const Linear*>(m.module)) {
      linears.emplace_back(m.name, linear);
      matrices.push_back(linear->weight.value().t());
    }
  const std::vector<Svd> factors = start_factors(start, matrices, random_linear_factors, generator);
  for (size_t i = 0; i < linears.size(); ++i)
    net.replace(linears[i].first, std::make_shared<SvdLinear>(*linears[i].second, factors[i]));
}

Dims kernel_of(const Conv2d& conv) { return spatial_extents(conv.weight.shape()); }

Generator& unused_generator() {
  static thread_local Generator generator(0);  // for weights that are overwritten
  return generator;
}

}  // namespace

// ---- what they share ----------------------------------------------------------------------------------------------------

SvdLayer::SvdLayer(const Svd& factors, const Variable& like_bias) {
  u = add_parameter("u", factors.u.contiguous().clone());
  s = add_parameter("s", factors.s.contiguous().clone());
  v = add_parameter("v", factors.v.contiguous().clone());
  if (like_bias.defined()) bias = add_parameter("bias", like_bias.value().clone());
}

void SvdLayer::set_factors(const Svd& factors) {
  const int64_t r = factors.s.numel();
  TENON_CHECK(factors.s.rank() == 1 && r >= 1 && r <= full_rank() &&
                  factors.u.shape() == (Shape{u.size(0), r}) && factors.v.shape() == (Shape{v.size(0), r}),
              kind(), ": factors expect [", u.size(0), ", r], [r], [", v.size(0),
              ", r] with 1 <= r <= ", full_rank(), ", got ", factors.u.shape(), ", ", factors.s.shape(), ", ",
              factors.v.shape());
  const NoGrad no_grad;
  u.set_value(factors.u.contiguous());
  s.set_value(factors.s.contiguous());
  v.set_value(factors.v.contiguous());
  zero_grad();
}

Tensor SvdLayer::matrix() const { return product(Svd{u.value(), s.value(), v.value()}); }

Variable SvdLayer::scaled_u() const { return u * abs(s); }

// ---- convolutions -------------------------------------------------------------------------------------------------------

SvdConv2d::SvdConv2d(LowRankScheme scheme, const Conv2d& conv, const Svd& factors)
    : SvdLayer(factors, conv.bias),
      scheme_(scheme),
      geometry_(conv.in_channels(), conv.out_channels(), kernel_of(conv), conv.options(), Bias::no,
                unused_generator()),
      options_(low_rank_options(scheme, conv)) {
  TENON_CHECK(scheme != LowRankScheme::decoupled, "SvdConv2d: expects the channel or the spatial scheme");
  const Tensor like = low_rank_matrix(scheme, conv.weight.value());
  TENON_CHECK(u.size(0) == like.size(0) && v.size(0) == like.size(1), "SvdConv2d: factors of a matrix ",
              like.shape(), " were expected, got u ", u.shape(), ", v ", v.shape());
  const NoGrad no_grad;
  geometry_.weight.set_value(Tensor::zeros({1, 1, 1, 1}).expand(conv.weight.shape()));
}

const SvdConv2d::Costs& SvdConv2d::costs_for(const Shape& input) const {
  if (costs_.input == input) return costs_;
  Shape one = input;
  one[0] = 1;
  return costs_ = {input, dense_macs(geometry_, one), low_rank_macs(scheme_, geometry_, one, 1)};
}

bool SvdConv2d::takes_pair(const Shape& input) const {
  const Costs& costs = costs_for(input);
  return prefers_pair(costs.of_rank_1 * rank(), costs.dense);
}

Variable SvdConv2d::forward(const Variable& x) {
  const Shape& weight = weight_shape();
  if (!takes_pair(x.shape()))
    return conv(x, low_rank_weight(scheme_, matmul(scaled_u(), transpose(v, 0, 1)), weight), bias,
                geometry_.options());
  const LowRankPairOf<Variable> pair = low_rank_halves(scheme_, scaled_u(), v, weight);
  return conv(conv(x, pair.first, {}, options_.first), pair.second, bias, options_.second);
}

Shape SvdConv2d::walk(const Shape& input, LayerUses& uses) const {
  LayerUses dense;
  const Shape output = geometry_.walk(input, dense);
  const Costs& costs = costs_for(input);
  uses.push_back(
      {this, input, output, input[0] * (takes_pair(input) ? costs.of_rank_1 * rank() : costs.dense)});
  return output;
}

std::shared_ptr<Conv2d> SvdConv2d::dense_conv() const {
  auto out = std::make_shared<Conv2d>(geometry_.in_channels(), geometry_.out_channels(), kernel_of(geometry_),
                                      geometry_.options(), bias.defined() ? Bias::yes : Bias::no,
                                      unused_generator());
  const NoGrad no_grad;
  out->weight.set_value(low_rank_weight(scheme_, matrix(), weight_shape()).contiguous());
  if (bias.defined()) out->bias.set_value(bias.value().clone());
  return out;
}

std::shared_ptr<Module> SvdConv2d::recomposed() const { return dense_conv(); }

std::shared_ptr<Module> SvdConv2d::folded() const {
  return std::make_shared<LowRankConv2d>(
      scheme_, *dense_conv(), low_rank_pair(scheme_, Svd{u.value(), s.value(), v.value()}, weight_shape()));
}

// ---- fully connected layers ---------------------------------------------------------------------------------------------

SvdLinear::SvdLinear(const Linear& linear, const Svd& factors) : SvdLayer(factors, linear.bias) {
  TENON_CHECK(u.size(0) == linear.in_features() && v.size(0) == linear.out_features(),
              "SvdLinear: factors of a matrix [", linear.in_features(), ", ", linear.out_features(),
              "] were expected, got u ", u.shape(), ", v ", v.shape());
}

bool SvdLinear::takes_pair(const Shape&) const {
  return prefers_pair(rank() * (u.size(0) + v.size(0)), u.size(0) * v.size(0));
}

Variable SvdLinear::forward(const Variable& x) {
  if (!takes_pair(x.shape())) return linear(x, matmul(v, transpose(scaled_u(), 0, 1)), bias);
  return linear(linear(x, transpose(scaled_u(), 0, 1)), v, bias);
}

Shape SvdLinear::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() >= 1 && input.back() == u.size(0), "SvdLinear: walk: expects [..., ", u.size(0),
              "], got ", input);
  const int64_t dense = u.size(0) * v.size(0), pair = rank() * (u.size(0) + v.size(0));
  Shape output = input;
  output[output.rank() - 1] = v.size(0);
  uses.push_back({this, input, output, input.numel() / u.size(0) * (takes_pair(input) ? pair : dense)});
  return output;
}

std::shared_ptr<Module> SvdLinear::recomposed() const {
  auto out = std::make_shared<Linear>(u.size(0), v.size(0), bias.defined() ? Bias::yes : Bias::no,
                                      unused_generator());
  const NoGrad no_grad;
  out->weight.set_value(matrix().t().contiguous());
  if (bias.defined()) out->bias.set_value(bias.value().clone());
  return out;
}

std::shared_ptr<Module> SvdLinear::folded() const {
  auto first = std::make_shared<Linear>(u.size(0), rank(), Bias::no, unused_generator());
  auto second =
      std::make_shared<Linear>(rank(), v.size(0), bias.defined() ? Bias::yes : Bias::no, unused_generator());
  const NoGrad no_grad;
  const Tensor root = sqrt(abs(s.value()));
  first->weight.set_value(mul(u.value(), root).t().contiguous());
  second->weight.set_value(mul(v.value(), root));
  if (bias.defined()) second->bias.set_value(bias.value().clone());
  auto out = std::make_shared<Sequential>();
  out->add("first", first).add("second", second);
  return out;
}

// ---- networks -----------------------------------------------------------------------------------------------------------

std::vector<NamedSvdLayer> svd_layers(Module& net) {
  std::vector<NamedSvdLayer> out;
  for (const NamedModule& m : net.named_modules())
    if (auto* layer = dynamic_cast<SvdLayer*>(m.module)) out.push_back({m.name, layer});
  return out;
}

void factorise(Module& net, LowRankScheme scheme, Start start, Generator& generator) {
  const std::vector<NamedConv> convs = named_convs(net);
  if (convs.empty()) return factorise_linears(net, start, generator);
  std::vector<Tensor> matrices;
  for (const NamedConv& c : convs) matrices.push_back(low_rank_matrix(scheme, c.conv->weight.value()));
  const std::vector<Svd> factors = start_factors(start, matrices, random_conv_factors, generator);
  for (size_t i = 0; i < convs.size(); ++i)
    net.replace(convs[i].name, std::make_shared<SvdConv2d>(scheme, *convs[i].conv, factors[i]));
}

void standardise(Module& net) {
  const std::vector<NamedSvdLayer> layers = svd_layers(net);
  std::vector<Tensor> matrices;
  for (const auto& [name, layer] : layers) matrices.push_back(layer->matrix());
  const std::vector<Svd> exact = svd(matrices);
  for (size_t i = 0; i < layers.size(); ++i)
    layers[i].layer->set_factors(truncated(exact[i], layers[i].layer->rank()));
}

int64_t inference_macs(Module& net, const Shape& image) {
  Shape one = image;
  one.insert(0, 1);
  int64_t of_convs = 0, of_all = 0;
  for (const LayerAccount& layer : account(net, one).layers) {
    of_all += layer.macs;
    if (layer.kind.ends_with("Conv2d")) of_convs += layer.macs;
  }
  return of_convs > 0 ? of_convs : of_all;
}

void fold_factors(Module& net, const Shape& image) {
  Shape one = image;
  one.insert(0, 1);
  LayerUses uses;
  net.walk(one, uses);
  for (const auto& [name, layer] : svd_layers(net)) {
    const auto use = std::find_if(uses.begin(), uses.end(),
                                  [layer = layer](const LayerUse& u) { return u.layer == layer; });
    TENON_CHECK(use != uses.end(), "fold_factors: '", name, "' is never used");
    const std::shared_ptr<Module> by = layer->takes_pair(use->input) ? layer->folded() : layer->recomposed();
    by->train(net.is_training());
    net.replace(name, by);
  }
}

void fit_ranks(Module& net, const State& state) {
  for (const auto& [name, layer] : svd_layers(net)) {
    const auto found = state.find(name + ".s");
    TENON_CHECK(found != state.end(), "svd_training: the state has no '", name, ".s'");
    const int64_t r = found->second.numel();
    const DType dtype = layer->s.dtype();
    const Device device = layer->s.device();
    layer->set_factors({Tensor::zeros({layer->u.size(0), r}, dtype, device),
                        Tensor::zeros({r}, dtype, device),
                        Tensor::zeros({layer->v.size(0), r}, dtype, device)});
  }
}

}  // namespace tenon::svd_training
