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

/// Singular form of a convolution's matrix [n, c k k] that loses least of the responses y = M x whose covariance is
/// `responses` [n, n] (Zhang et al., 2016, eq. 3): with eigenvectors Q_k of the largest eigenvalues, Q_k Q_k^T M, cut where
/// the eigenvalues dropped are at most the share `e` of all. A constant shift of the responses is left to the batch norm
/// that follows.
Svd response_factors(const Tensor& matrix, const Tensor& responses, double e);

}  // namespace tenon::svd_training
