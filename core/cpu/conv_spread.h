// The gradient of the input of one group, spread from the outputs to the inputs that they met.
#pragma once

#include "core/cpu/conv.h"

namespace tenon::cpu {

/// Is conv_spread faster than the convolution of a backward view, and can it do this? By sizes alone.
bool spread_pays(const ConvPlan& plan);
/// gx[n, c, i] = sum of p[c, t, o] over the taps t and outputs o that met i, p[c, t, o] = sum_k w[k, c, t] g[n, k, o]
void conv_spread(const ConvPlan& plan, float* gx, const float* g, const float* w);
void conv_spread(const ConvPlan& plan, double* gx, const double* g, const double* w);

}  // namespace tenon::cpu
