#include "papers/svd_training/baselines.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/ops/elementwise.h"
#include "core/ops/image.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "nn/compress/filters.h"
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
  if (recipe.method == Method::filters)
    return keep_filters(net, filters_by_share(net, point, recipe.filters));
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

void fit_filters(Module& net, const State& state) {
  Filters filters = filters_by_share(net, 1);
  for (auto& [name, kept] : filters) kept.resize(static_cast<size_t>(state.at(name + ".weight").size(0)));
  keep_filters(net, filters);
}

}  // namespace tenon::svd_training
