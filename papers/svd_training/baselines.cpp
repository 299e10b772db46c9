#include "papers/svd_training/baselines.h"

#include <algorithm>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "nn/compress/filters.h"
#include "nn/compress/responses.h"
#include "papers/svd_training/arms.h"
#include "papers/svd_training/pruning.h"

namespace tenon::svd_training {
namespace {

// ---- post-hoc decomposition ---------------------------------------------------------------------------------------------

// A constant shift of the responses is left to the batch norm that follows.
void decompose_by_responses(double e, const experiment::ImageProblem& problem, Module& net) {
  const std::vector<NamedConv> convs = named_convs(net);
  const auto responses = response_statistics(net, convs, statistics_images(problem));
  for (const auto& [name, conv] : convs) {
    const ResponseFactors by = response_factors(low_rank_matrix(LowRankScheme::channel, conv->weight.value()),
                                                responses.at(name).covariance);
    const int64_t rank = rank_of({RankRule::Kind::energy, e}, by.spectrum);
    net.replace(name,
                std::make_shared<SvdConv2d>(LowRankScheme::channel, *conv, truncated(by.factors, rank)));
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
