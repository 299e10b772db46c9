// The two penalties on the factors of a network, as gradients added in place to those of the loss:
//
//   orthogonality   L_o(A) = |A^T A - I|_F^2 / r^2         dL_o/dA = 4 / r^2 A (A^T A - I)       for A = u and A = v
//   sparsity of s   L1 = S1,  Hoyer = S1 / sqrt(S2) - 1,  Hoyer-square = S1^2 / S2 - 1,          S1 = sum |s|, S2 = sum s^2
//
// The first makes s the spectrum of the weight: columns of unit length leave magnitude no other place than s, and
// orthogonal ones make the squares of dropped s the squared error (Eckart and Young). The second thins the spectrum; the
// Hoyer measures do not change with the scale of s, L1 shrinks it as a whole. A layer of rank 1, or of s = 0, is as sparse
// as can be: value and gradient of the Hoyer measures are 0.
#pragma once

#include <string>
#include <vector>

#include "papers/svd_training/factored.h"

namespace tenon::svd_training {

enum class Sparsifier { none, l1, hoyer, hoyer_square };
/// "none", "L1", "Hoyer", "Hoyer-square"
const char* name_of(Sparsifier sparsifier);

/// Sum of L_o over both factors of all layers. float64.
double orthogonality(const std::vector<NamedSvdLayer>& layers);
/// Adds lambda times its gradient to the gradients of u and v, which must be there. Factors of one shape are one batched
/// product.
void add_orthogonality_gradient(const std::vector<NamedSvdLayer>& layers, double lambda);

/// Sum of the measure over the s of all layers, and over the biases of fully connected ones, which the authors' prototype
/// regularises too. float64.
double sparsity(Sparsifier sparsifier, const std::vector<NamedSvdLayer>& layers);
/// Adds lambda times its gradient to the gradients of these, which must be there.
void add_sparsity_gradient(Sparsifier sparsifier, const std::vector<NamedSvdLayer>& layers, double lambda);

/// How far factors are from orthonormal columns, over both factors of all layers.
struct OrthogonalityError {
  double mean_rms = 0;  ///< mean of |A^T A - I|_F / sqrt(r)
  double worst = 0;     ///< largest entry of |A^T A - I|
};
OrthogonalityError orthogonality_error(const std::vector<NamedSvdLayer>& layers);

/// Moves every u and v to the nearest orthonormal columns along QR, the lengths of the columns going into s: the exact
/// alternative to the penalty.
void retract(const std::vector<NamedSvdLayer>& layers);

}  // namespace tenon::svd_training
