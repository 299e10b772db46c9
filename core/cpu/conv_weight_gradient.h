// The gradient of the weights of one group.
#pragma once

#include "core/cpu/conv_strip.h"

namespace tenon::cpu {

/// gw[o, c, t] = sum_{n, p} g[n, o, p] x[n, c, p stride + offset(t)], for a forward view; gw is dense row-major.
void conv_weight_gradient(const ConvView& view, int64_t out_channels, float* gw, const float* g,
                          const float* x);
void conv_weight_gradient(const ConvView& view, int64_t out_channels, double* gw, const double* g,
                          const double* x);

}  // namespace tenon::cpu
