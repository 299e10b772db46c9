// The convolution of one group, and the gradient of its weights, by minimal filtering: where the kernel has three taps
// down the lines, along them, or both.
#pragma once

#include "core/cpu/conv_direct.h"

namespace tenon::cpu {

/// Can conv_winograd do this, and is it faster than conv_direct? By sizes alone.
bool winograd_pays(const ConvView& view, const DirectChannels& channels);
/// As conv_direct, in float32, with a third to half of the multiplications, and up to twice the rounding errors. Whole
/// numbers give the same bits as there, while the sums between the transforms, some hundred times as large, are below
/// 2^24; an infinity among the inputs becomes NaN in all outputs of its tile.
void conv_winograd(const ConvView& view, const DirectChannels& channels, float* out, const float* in,
                   const float* w, const ConvFinish<float>& finish);

/// The same of conv_weight_gradient, for the view of the forward pass.
bool winograd_gradient_pays(const ConvView& view, int64_t out_channels);
void conv_winograd_gradient(const ConvView& view, int64_t out_channels, float* gw, const float* g,
                            const float* x);

}  // namespace tenon::cpu
