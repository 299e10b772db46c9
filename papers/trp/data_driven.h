// The data-driven baseline: X. Zhang et al., "Accelerating Very Deep Convolutional Networks for Classification and
// Detection", 2016, without its asymmetric refinement. A convolution's responses y (n channels) are sampled; with P the
// leading eigenvectors of their covariance and m their mean,  y = P P^T (y - m) + m  keeps most of their variance, so that
//   first  P^T W  (k filters),   second  P  (1 x 1),   bias  m - P P^T m.
#pragma once

#include "papers/trp/networks.h"

namespace tenon::trp {

/// Candidates of the channel scheme whose factors are P and P^T W and whose values are the square roots of the
/// covariance's eigenvalues, with mean responses. Responses to `images` [N, C, H, W], in evaluation mode, at ten places of each. The convolutions
/// have no bias, as those of a residual network.
Candidates data_driven_candidates(Sequential& net, const Shape& image, bool strided, const Tensor& images);

}  // namespace tenon::trp
