// What SVD training is compared with, all from a trained dense network: its decomposition after training (Jaderberg et al.,
// 2014; Zhang et al., 2016, without and with data), and fewer filters (Li et al., 2017; FPGM, He et al., 2019).
#pragma once

#include "nn/sequential.h"
#include "papers/experiment/images.h"
#include "papers/svd_training/recipes.h"

namespace tenon::svd_training {

/// Decomposes a dense network, or cuts its filters, as the recipe says at this point.
void cut_dense(const Recipe& recipe, double point, const experiment::ImageProblem& problem, Module& net);

/// Gives every factored layer of `net` the rank that it has in `like`: its largest singular values stay.
void truncate_like(Module& net, Module& like);

/// Gives every residual block as many filters as it has in `state`, so that load_state takes it.
void fit_filters(Module& net, const State& state);

}  // namespace tenon::svd_training
