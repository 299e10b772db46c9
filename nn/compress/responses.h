// Low rank by data: a convolution's weight factored along the principal components of its responses, as in X. Zhang et
// al., "Accelerating Very Deep Convolutional Networks for Classification and Detection", 2016, equation 3, without its
// asymmetric refinement. With m the mean of the responses y = M x (n channels) and the columns of P the leading
// eigenvectors of their covariance,
//   y ~ P P^T (y - m) + m,    so    M ~ P (P^T M),    the pair of the channel scheme, with the bias m - P P^T m
// loses least of y, where the singular vectors of M would lose least of M.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nn/compress/low_rank.h"

namespace tenon {

/// Of all responses of one convolution at all places: mean [n], covariance [n, n], float64.
struct ResponseStatistics {
  Tensor mean, covariance;
};

/// Runs `images` [N, C, H, W] through the network in evaluation mode and gathers the responses of these convolutions of
/// its, by name. The network is left as it was. Throws Error if there are no images.
std::map<std::string, ResponseStatistics> response_statistics(Module& net,
                                                              const std::vector<NamedConv>& convs,
                                                              const Tensor& images);

/// A matrix in the basis of its responses.
struct ResponseFactors {
  Svd factors;      ///< u = P, diag(s) v^T = P^T M, the largest eigenvalue first; rank k keeps the first k
  Tensor spectrum;  ///< square roots of the eigenvalues, what a RankRule takes for singular values, float64
};
/// matrix [n, c kh kw] of the channel scheme and covariance [n, n] of its responses: min(n, c kh kw) components, in the
/// matrix's dtype, computed in float64.
ResponseFactors response_factors(const Tensor& matrix, const Tensor& covariance);

}  // namespace tenon
