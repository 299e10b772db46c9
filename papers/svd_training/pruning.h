// Pruning of singular values, layer by layer, by the energy that they hold: the fewest largest s^2 that sum up to at least
// (1 - e) of all stay, and those that equal the least of them; at least one stays, and e = 0 drops nothing. Energy is that
// of the s that were learnt, so it is the energy of the weight only as far as u and v are orthonormal.
#pragma once

#include <string>
#include <vector>

#include "papers/svd_training/factored.h"

namespace tenon::svd_training {

/// Columns of u, s, v that stay, ascending: int64 [kept].
Tensor kept_columns(const Tensor& s, double e);
/// Sum over the layers of the ranks that stay at e.
int64_t total_rank(const std::vector<NamedSvdLayer>& layers, double e);

/// What stays of a layer.
struct KeptColumns {
  std::string layer;
  Tensor columns;
};
using Kept = std::vector<KeptColumns>;

/// What every layer of the network would keep at e.
Kept columns_to_keep(Module& net, double e);
/// Sets the s of all other columns to 0.
void zero_columns(Module& net, const Kept& kept);
/// Takes all other columns out of u, s and v.
void remove_columns(Module& net, const Kept& kept);
/// The state of an optimiser of the network, what belongs to other columns taken out: the moments of the columns that stay
/// go with them.
State without_columns(const State& optimizer, const Kept& kept);

/// |M - M_p|_F^2 / |M|_F^2 over all layers together: the energy that is truly lost by keeping these columns alone.
double energy_lost(Module& net, const Kept& kept);
/// Largest difference between sorted |s| and the singular values of M, over the largest of these; worst layer.
double spectrum_error(Module& net);

}  // namespace tenon::svd_training
