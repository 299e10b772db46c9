#include "papers/svd_training/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/ops/elementwise.h"
#include "core/ops/image.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "nn/models/resnet.h"
#include "nn/norm.h"
#include "papers/svd_training/arms.h"
#include "papers/svd_training/pruning.h"

namespace tenon::svd_training {
namespace {

// ---- post-hoc decomposition ---------------------------------------------------------------------------------------------

// A convolution of other channels with this weight, without a bias.
std::shared_ptr<Conv2d> conv_with(const Conv2d& like, const Tensor& weight) {
  Generator unused(0);  // its numbers are overwritten
  auto conv = std::make_shared<Conv2d>(weight.size(1), weight.size(0), spatial_extents(weight.shape()),
                                       like.options(), Bias::no, unused);
  conv->weight.value().copy_(weight);
  return conv;
}

// A convolution that adds up the covariance of its responses.
class RecordedConv : public Module {
 public:
  explicit RecordedConv(const Conv2d& conv)
      : conv_(conv_with(conv, conv.weight.value())),
        products_(Tensor::zeros({conv.out_channels(), conv.out_channels()}, float64)),
        sum_(Tensor::zeros({conv.out_channels()}, float64)) {}
  Variable forward(const Variable& x) override {
    const Variable y = conv_->forward(x);
    const Tensor rows = y.value().permute({1, 0, 2, 3}).reshape({y.size(1), -1});
    products_ = add(products_, matmul(rows, rows.t()).to(float64));
    sum_ = add(sum_, sum(rows, {1}).to(float64));
    count_ += rows.size(1);
    return y;
  }
  const char* kind() const override { return "RecordedConv"; }
  const Conv2d& conv() const { return *conv_; }
  Tensor covariance() const {
    const auto n = static_cast<double>(count_);
    const Tensor mean = affine(sum_, 1 / n, 0).unsqueeze(1);
    return sub(affine(products_, 1 / n, 0), matmul(mean, mean.t()));
  }

 private:
  std::shared_ptr<Conv2d> conv_;
  Tensor products_, sum_;
  int64_t count_ = 0;
};

void decompose_by_responses(double e, const experiment::ImageProblem& problem, Module& net) {
  std::map<std::string, std::shared_ptr<RecordedConv>> recorded;
  for (const auto& [name, conv] : named_convs(net)) recorded[name] = std::make_shared<RecordedConv>(*conv);
  for (const auto& [name, conv] : recorded) net.replace(name, conv);
  {
    const NoGrad no_grad;
    net.eval();
    const Tensor images = statistics_images(problem);
    constexpr int64_t kBatch = 100;
    for (int64_t i = 0; i < images.size(0); i += kBatch)
      net(Variable(images.narrow(0, i, std::min(kBatch, images.size(0) - i))));
    net.train();
  }
  for (const auto& [name, conv] : recorded) {
    const Tensor matrix = low_rank_matrix(LowRankScheme::channel, conv->conv().weight.value());
    net.replace(name, std::make_shared<SvdConv2d>(LowRankScheme::channel, conv->conv(),
                                                  response_factors(matrix, conv->covariance(), e)));
  }
}

void decompose_by_weights(const Recipe& recipe, double point, Module& net) {
  const std::vector<NamedConv> convs = named_convs(net);
  const std::vector<Svd> full = low_rank_svds(recipe.scheme, convs);
  const RankRule rule{recipe.post_hoc == PostHoc::uniform ? RankRule::Kind::fraction : RankRule::Kind::energy,
                      point};
  for (size_t i = 0; i < convs.size(); ++i)
    net.replace(convs[i].name, std::make_shared<SvdConv2d>(recipe.scheme, *convs[i].conv,
                                                           truncated(full[i], rank_of(rule, full[i].s))));
}

// ---- filters ------------------------------------------------------------------------------------------------------------

void select_channels(const Variable& of_norm, const Tensor& kept) {
  of_norm.set_value(index_select(of_norm.value(), 0, kept));
}

// Which filters of the first convolution of the block at `name` stay.
using Choice = std::function<Tensor(const std::string& name, const Conv2d& conv)>;

void cut_blocks(Module& net, const Choice& choice) {
  const NoGrad no_grad;
  std::vector<std::string> blocks;
  for (const NamedModule& m : net.named_modules())
    if (dynamic_cast<ResidualBlock*>(m.module) != nullptr) blocks.push_back(m.name);
  for (const std::string& block : blocks) {
    auto& first = dynamic_cast<Conv2d&>(net.at(block + ".conv1"));
    auto& second = dynamic_cast<Conv2d&>(net.at(block + ".conv2"));
    auto& norm = dynamic_cast<BatchNorm2d&>(net.at(block + ".bn1"));
    const Tensor kept = choice(block, first);
    auto fewer = conv_with(first, index_select(first.weight.value(), 0, kept));
    auto fed_by_fewer = conv_with(second, index_select(second.weight.value(), 1, kept));
    net.replace(block + ".conv1", fewer);
    net.replace(block + ".conv2", fed_by_fewer);
    for (const Variable* of_norm : {&norm.weight, &norm.bias, &norm.running_mean, &norm.running_var})
      select_channels(*of_norm, kept);
  }
}

}  // namespace

Svd response_factors(const Tensor& matrix, const Tensor& responses, double e) {
  const Eigh basis = eigh(responses);
  const int64_t n = responses.size(0), most = std::min(matrix.size(0), matrix.size(1));
  // eigh gives ascending values; the square roots of the largest are what the energy rule takes for singular values.
  const Tensor spectrum = sqrt(clamp(flip(basis.values, {0}), 0, INFINITY));
  const int64_t rank = std::min(most, rank_of({RankRule::Kind::energy, e}, spectrum));
  const Tensor q = flip(basis.vectors.narrow(1, n - rank, rank), {1}).to(matrix.dtype());
  const Tensor rows = matmul(q.t(), matrix);
  const Tensor s = norm2(rows, {1});
  return {q.contiguous(), s, div(rows, s.unsqueeze(1)).t().contiguous()};
}

void cut_dense(const Recipe& recipe, double point, const experiment::ImageProblem& problem, Module& net) {
  if (recipe.method == Method::filters) return cut_filters(net, point, recipe.filters);
  TENON_CHECK(recipe.post_hoc != PostHoc::data || recipe.scheme == LowRankScheme::channel,
              "svd_training: responses decompose the channel scheme alone");
  if (recipe.post_hoc == PostHoc::data) return decompose_by_responses(point, problem, net);
  decompose_by_weights(recipe, point, net);
}

void truncate_like(Module& net, Module& like) {
  for (const auto& [name, layer] : svd_layers(net)) {
    const int64_t rank = dynamic_cast<SvdLayer&>(like.at(name)).rank();
    const Tensor largest = topk(abs(layer->s.value()), rank).second;
    layer->set_factors({index_select(layer->u.value(), 1, largest),
                        index_select(layer->s.value(), 0, largest),
                        index_select(layer->v.value(), 1, largest)});
  }
}

Tensor kept_filters(const Tensor& weight, double fraction, FilterNorm norm) {
  TENON_CHECK(fraction > 0 && fraction <= 1, "kept_filters: expects a fraction in (0, 1], got ", fraction);
  const int64_t n = weight.size(0);
  const Tensor rows = weight.reshape({n, -1});
  // Distances of every pair: [n, 1, m] - [1, n, m]. Their sum is least for a filter that the others can stand for.
  const Tensor scores = norm == FilterNorm::l1
                            ? norm1(rows, {1})
                            : sum(norm2(sub(rows.unsqueeze(1), rows.unsqueeze(0)), {2}), {1});
  const int64_t kept = std::max<int64_t>(1, std::llround(fraction * static_cast<double>(n)));
  return sort(topk(scores, kept).second, 0).first;
}

void cut_filters(Module& net, double fraction, FilterNorm norm) {
  cut_blocks(net, [&](const std::string&, const Conv2d& conv) {
    return kept_filters(conv.weight.value(), fraction, norm);
  });
}

void fit_filters(Module& net, const State& state) {
  cut_blocks(net, [&](const std::string& block, const Conv2d&) {
    return Tensor::arange(state.at(block + ".conv1.weight").size(0));
  });
}

}  // namespace tenon::svd_training
