// The gradient of the weights of one group with one or two channels in and out, on one thread.
#pragma once

#include "core/cpu/conv_strip.h"

namespace tenon::cpu {

/// Is conv_dots the faster way, and are lines such that it can be taken (no strides)?
bool dots_pay(const ConvView& view, int64_t out_channels);
/// As conv_weight_gradient.
void conv_dots(const ConvView& view, int64_t out_channels, float* gw, const float* g, const float* x);
void conv_dots(const ConvView& view, int64_t out_channels, double* gw, const double* g, const double* x);

}  // namespace tenon::cpu
