#include "nn/compress/low_rank.h"

#include <algorithm>
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "nn/init.h"

namespace tenon {
namespace {

// The methods of Tensor by the names that the functions on Variables have.
Tensor permute(const Tensor& x, const Dims& order) { return x.permute(order); }
Tensor reshape(const Tensor& x, const Shape& shape) { return x.reshape(shape); }
Tensor transpose(const Tensor& x, int64_t a, int64_t b) { return x.transpose(a, b); }

// Extents of a weight, by the letters of the specification.
struct Extents {
  explicit Extents(const Shape& weight) {
    TENON_CHECK(weight.rank() == 4, "low_rank: expects a weight [n, c, kh, kw], got ", weight);
    n = weight[0], c = weight[1], kh = weight[2], kw = weight[3];
  }
  int64_t n, c, kh, kw;
};

int64_t inner_channels(LowRankScheme scheme, int64_t n, int64_t rank) {
  return scheme == LowRankScheme::decoupled ? n * rank : rank;
}

// Multiply-accumulates of a chain of layers for one sample.
int64_t macs_of(const std::vector<const Module*>& chain, const Shape& input) {
  LayerUses uses;
  Shape shape = input;
  for (const Module* module : chain) shape = module->walk(shape, uses);
  int64_t macs = 0;
  for (const LayerUse& use : uses) macs += use.macs;
  return macs;
}

}  // namespace

const char* name_of(LowRankScheme scheme) {
  switch (scheme) {
    case LowRankScheme::channel:
      return "channel";
    case LowRankScheme::spatial:
      return "spatial";
    case LowRankScheme::decoupled:
      return "decoupled";
  }
  fail("low_rank: no such scheme");
}

// ---- weights as matrices ----------------------------------------------------------------------------------------------

template <class X>
X low_rank_matrix(LowRankScheme scheme, const X& weight) {
  const Extents e(weight.shape());
  switch (scheme) {
    case LowRankScheme::channel:
      return reshape(weight, {e.n, e.c * e.kh * e.kw});
    case LowRankScheme::spatial:
      return reshape(permute(weight, {1, 2, 0, 3}), {e.c * e.kh, e.n * e.kw});
    case LowRankScheme::decoupled:
      return reshape(weight, {e.n, e.c, e.kh * e.kw});
  }
  fail("low_rank: no such scheme");
}

template <class X>
X low_rank_weight(LowRankScheme scheme, const X& matrix, const Shape& weight) {
  const Extents e(weight);
  if (scheme == LowRankScheme::spatial) return permute(reshape(matrix, {e.c, e.kh, e.n, e.kw}), {2, 0, 1, 3});
  return reshape(matrix, weight);
}

int64_t full_rank(LowRankScheme scheme, const Shape& weight) {
  const Extents e(weight);
  switch (scheme) {
    case LowRankScheme::channel:
      return std::min(e.n, e.c * e.kh * e.kw);
    case LowRankScheme::spatial:
      return std::min(e.c * e.kh, e.n * e.kw);
    case LowRankScheme::decoupled:
      return std::min(e.c, e.kh * e.kw);
  }
  fail("low_rank: no such scheme");
}

template <class X>
X product(const SvdOf<X>& f) {
  const Shape s = f.s.shape();
  Shape row = s;
  row.insert(row.rank() - 1, 1);  // [.., 1, k]
  return matmul(mul(f.u, reshape(abs(f.s), row)), transpose(f.v, -2, -1));
}

template <class X>
LowRankPairOf<X> low_rank_halves(LowRankScheme scheme, const X& left, const X& right, const Shape& weight) {
  const Extents e(weight);
  const int64_t k = left.shape()[left.rank() - 1];
  switch (scheme) {
    case LowRankScheme::channel:
      return {reshape(transpose(right, 0, 1), {k, e.c, e.kh, e.kw}), reshape(left, {e.n, k, 1, 1})};
    case LowRankScheme::spatial:
      return {reshape(permute(reshape(left, {e.c, e.kh, k}), {2, 0, 1}), {k, e.c, e.kh, 1}),
              reshape(permute(reshape(right, {e.n, e.kw, k}), {0, 2, 1}), {e.n, k, 1, e.kw})};
    case LowRankScheme::decoupled:
      return {reshape(transpose(left, 1, 2), {e.n * k, e.c, 1, 1}),
              reshape(transpose(right, 1, 2), {e.n, k, e.kh, e.kw})};
  }
  fail("low_rank: no such scheme");
}

template <class X>
LowRankPairOf<X> low_rank_pair(LowRankScheme scheme, const SvdOf<X>& f, const Shape& weight) {
  const Shape s = f.s.shape();
  const int64_t k = s[s.rank() - 1];
  TENON_CHECK(k >= 1, "low_rank_pair: expects a rank >= 1, got singular values ", s);
  Shape row = s;
  row.insert(row.rank() - 1, 1);
  const X root = reshape(sqrt(abs(f.s)), row);
  return low_rank_halves(scheme, mul(f.u, root), mul(f.v, root), weight);
}

template Tensor low_rank_matrix(LowRankScheme, const Tensor&);
template Variable low_rank_matrix(LowRankScheme, const Variable&);
template Tensor low_rank_weight(LowRankScheme, const Tensor&, const Shape&);
template Variable low_rank_weight(LowRankScheme, const Variable&, const Shape&);
template Tensor product(const SvdOf<Tensor>&);
template Variable product(const SvdOf<Variable>&);
template LowRankPairOf<Tensor> low_rank_pair(LowRankScheme, const SvdOf<Tensor>&, const Shape&);
template LowRankPairOf<Variable> low_rank_pair(LowRankScheme, const SvdOf<Variable>&, const Shape&);
template LowRankPairOf<Tensor> low_rank_halves(LowRankScheme, const Tensor&, const Tensor&, const Shape&);
template LowRankPairOf<Variable> low_rank_halves(LowRankScheme, const Variable&, const Variable&,
                                                 const Shape&);

LowRankOptions low_rank_options(LowRankScheme scheme, const Conv2d& conv) {
  const ConvOptions& o = conv.options();
  TENON_CHECK(o.groups == 1, "low_rank: expects a convolution without groups, got ", o.groups, " groups");
  const Extents e(conv.weight.shape());
  LowRankOptions pair;
  switch (scheme) {
    case LowRankScheme::channel:
      pair.first_kernel = {e.kh, e.kw}, pair.first = o;
      pair.second_kernel = {1, 1};
      break;
    case LowRankScheme::spatial:
      pair.first_kernel = {e.kh, 1}, pair.second_kernel = {1, e.kw};
      pair.first = {.stride = {o.stride[0], 1}, .padding = {o.padding[0], 0}, .dilation = {o.dilation[0], 1}};
      pair.second = {
          .stride = {1, o.stride[1]}, .padding = {0, o.padding[1]}, .dilation = {1, o.dilation[1]}};
      break;
    case LowRankScheme::decoupled:
      pair.first_kernel = {1, 1};
      pair.second_kernel = {e.kh, e.kw}, pair.second = o, pair.second.groups = e.n;
      break;
  }
  return pair;
}

// ---- ranks ------------------------------------------------------------------------------------------------------------

namespace {

// Of one matrix: its values, descending.
int64_t rank_of_one(const RankRule& rule, const double* s, int64_t count) {
  using Kind = RankRule::Kind;
  const auto at_least = [&](double threshold) {
    return std::count_if(s, s + count, [=](double v) { return v >= threshold; });
  };
  switch (rule.kind) {
    case Kind::energy:
    case Kind::nuclear: {
      const auto share = [&](double v) { return rule.kind == Kind::energy ? v * v : v; };
      double total = 0, dropped = 0;
      for (int64_t i = 0; i < count; ++i) total += share(s[i]);
      int64_t rank = count;
      while (rank > 0 && dropped + share(s[rank - 1]) <= rule.value * total) dropped += share(s[--rank]);
      return rank;
    }
    case Kind::value:
      return at_least(rule.value);
    case Kind::relative_value:
      return at_least(rule.value * s[0]);
    case Kind::fraction:
      return static_cast<int64_t>(std::floor(rule.value * static_cast<double>(count)));
    case Kind::fixed:
      return static_cast<int64_t>(std::min(rule.value, static_cast<double>(count)));
  }
  fail("rank_of: no such rule");
}

}  // namespace

int64_t rank_of(const RankRule& rule, const Tensor& s) {
  using Kind = RankRule::Kind;
  TENON_CHECK(s.rank() >= 1 && s.numel() > 0, "rank_of: expects singular values [k] or [n, k], got ",
              s.shape());
  const bool share = rule.kind == Kind::energy || rule.kind == Kind::nuclear || rule.kind == Kind::fraction ||
                     rule.kind == Kind::relative_value;
  TENON_CHECK(rule.value >= 0 && (!share || rule.value <= 1), "rank_of: expects a value ",
              share ? "in [0, 1]" : ">= 0", ", got ", rule.value);
  const std::vector<double> values = s.to(float64).to_vector<double>();
  const int64_t count = s.shape()[s.rank() - 1];
  int64_t rank = 1;
  for (int64_t i = 0; i < s.numel(); i += count)
    rank = std::max(rank, rank_of_one(rule, values.data() + i, count));
  return rank;
}

int64_t dense_macs(const Conv2d& conv, const Shape& input) { return macs_of({&conv}, input); }

int64_t low_rank_macs(LowRankScheme scheme, const Conv2d& conv, const Shape& input, int64_t rank) {
  Generator unused(0);
  const LowRankConv2d pair(scheme, conv, rank, unused);
  return macs_of({&pair}, input);
}

int64_t break_even_rank(LowRankScheme scheme, const Conv2d& conv, const Shape& input) {
  const int64_t one = low_rank_macs(scheme, conv, input, 1);  // the cost is linear in the rank
  return std::min(full_rank(scheme, conv.weight.shape()), (dense_macs(conv, input) - 1) / one);
}

// ---- networks ---------------------------------------------------------------------------------------------------------

LowRankConv2d::LowRankConv2d(LowRankScheme scheme, const Conv2d& conv, int64_t rank, Generator& generator)
    : scheme_(scheme), rank_(rank), options_(conv.options()) {
  TENON_CHECK(rank >= 1 && rank <= full_rank(scheme, conv.weight.shape()),
              "LowRankConv2d: expects a rank of 1 to ", full_rank(scheme, conv.weight.shape()), ", got ",
              rank);
  const LowRankOptions o = low_rank_options(scheme, conv);
  const int64_t inner = inner_channels(scheme, conv.out_channels(), rank);
  first_ = add_module("first", std::make_shared<Conv2d>(conv.in_channels(), inner, o.first_kernel, o.first,
                                                        Bias::no, generator));
  second_ =
      add_module("second", std::make_shared<Conv2d>(inner, conv.out_channels(), o.second_kernel, o.second,
                                                    conv.bias.defined() ? Bias::yes : Bias::no, generator));
  for (Conv2d* half : {first_.get(), second_.get()})
    init::kaiming_normal(half->weight.value(), generator, init::relu_gain(), init::Fan::out);
}

namespace {
int64_t rank_of_pair(LowRankScheme scheme, const Conv2d& conv, const LowRankPairOf<Tensor>& pair) {
  TENON_CHECK(pair.first.rank() == 4, "LowRankConv2d: expects weights of rank 4, got ", pair.first.shape());
  return pair.first.shape()[0] / inner_channels(scheme, conv.out_channels(), 1);
}
}  // namespace

LowRankConv2d::LowRankConv2d(LowRankScheme scheme, const Conv2d& conv, const LowRankPairOf<Tensor>& pair)
    : scheme_(scheme), rank_(rank_of_pair(scheme, conv, pair)), options_(conv.options()) {
  const LowRankOptions o = low_rank_options(scheme, conv);
  const int64_t inner = inner_channels(scheme, conv.out_channels(), rank_);
  Generator unused(0);
  first_ = add_module("first", std::make_shared<Conv2d>(conv.in_channels(), inner, o.first_kernel, o.first,
                                                        Bias::no, unused));
  second_ =
      add_module("second", std::make_shared<Conv2d>(inner, conv.out_channels(), o.second_kernel, o.second,
                                                    conv.bias.defined() ? Bias::yes : Bias::no, unused));
  to(conv.weight.value().dtype());
  State state = {{"first.weight", pair.first}, {"second.weight", pair.second}};
  if (conv.bias.defined()) state["second.bias"] = conv.bias.value();
  to(conv.weight.value().device());
  load_state(state);
}

Shape LowRankConv2d::walk(const Shape& input, LayerUses& uses) const {
  return second_->walk(first_->walk(input, uses), uses);
}

Tensor recomposed_weight(const LowRankConv2d& pair) {
  const Tensor &a = pair.first().weight.value(), &b = pair.second().weight.value();
  const int64_t k = pair.rank(), c = a.size(1), n = b.size(0);
  switch (pair.scheme()) {
    case LowRankScheme::channel:
      return matmul(b.reshape({n, k}), a.reshape({k, a.numel() / k})).reshape({n, c, a.size(2), a.size(3)});
    case LowRankScheme::spatial: {
      const int64_t kh = a.size(2), kw = b.size(3);
      const Tensor m =
          matmul(a.reshape({k, c * kh}).t(), b.reshape({n, k, kw}).permute({1, 0, 2}).reshape({k, n * kw}));
      return low_rank_weight(LowRankScheme::spatial, m, Shape{n, c, kh, kw}).contiguous();
    }
    case LowRankScheme::decoupled:
      return matmul(a.reshape({n, k, c}).transpose(1, 2), b.reshape({n, k, b.numel() / (n * k)}))
          .reshape({n, c, b.size(2), b.size(3)});
  }
  fail("recomposed_weight: no such scheme");
}

std::shared_ptr<Conv2d> recomposed(const LowRankConv2d& pair) {
  const Tensor weight = recomposed_weight(pair);
  const Variable& bias = pair.second().bias;
  Generator unused(0);
  auto conv = std::make_shared<Conv2d>(weight.size(1), weight.size(0), Dims{weight.size(2), weight.size(3)},
                                       pair.options(), bias.defined() ? Bias::yes : Bias::no, unused);
  conv->to(weight.dtype());
  conv->to(weight.device());
  NoGrad no_grad;
  conv->weight.value().copy_(weight);
  if (bias.defined()) conv->bias.value().copy_(bias.value());
  return conv;
}

std::vector<NamedConv> named_convs(Module& net) {
  std::vector<NamedConv> convs;
  for (const NamedModule& m : net.named_modules())
    if (auto* conv = dynamic_cast<Conv2d*>(m.module); conv != nullptr && conv->options().groups == 1)
      convs.push_back({m.name, conv});
  return convs;
}

std::vector<Svd> low_rank_svds(LowRankScheme scheme, const std::vector<NamedConv>& convs) {
  std::vector<Tensor> matrices;
  matrices.reserve(convs.size());
  for (const NamedConv& c : convs) matrices.push_back(low_rank_matrix(scheme, c.conv->weight.value()));
  if (scheme != LowRankScheme::decoupled) return svd(matrices);
  std::vector<Svd> out;  // a batch a layer, as it is
  out.reserve(matrices.size());
  for (const Tensor& batch : matrices) out.push_back(svd(batch));
  return out;
}

std::shared_ptr<LowRankConv2d> decompose(Module& net, const std::string& name, LowRankScheme scheme,
                                         const Svd& full, int64_t rank) {
  auto* conv = dynamic_cast<Conv2d*>(&net.at(name));
  TENON_CHECK(conv != nullptr, "decompose: expects a Conv2d at '", name, "', found ", net.at(name).kind());
  const LowRankPairOf<Tensor> weights = low_rank_pair(scheme, truncated(full, rank), conv->weight.shape());
  auto pair = std::make_shared<LowRankConv2d>(scheme, *conv, weights);
  pair->train(net.is_training());
  net.replace(name, pair);
  return pair;
}

}  // namespace tenon
