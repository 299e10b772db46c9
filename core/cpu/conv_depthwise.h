// The depthwise convolution: each channel on its own.
#pragma once

#include "core/cpu/conv_strip.h"

namespace tenon::cpu {

/// Can conv_depthwise do this? If images are row-major in memory, and outputs along a line neighbours.
bool is_depthwise(const ConvView& view);
/// out[n, c m + j, place(o)] = finish(sum_t w[c m + j, t] in[n, c, o stride + offset(t)]) for the channels c of a view
/// that has those of all groups, and j < m = per_channel. `kernel_taps` are those of the whole kernel, of which the view
/// may see some; `out_extent` as in DirectChannels.
void conv_depthwise(const ConvView& view, int64_t per_channel, int64_t kernel_taps, const int64_t* out_extent,
                    float* out, const float* in, const float* w, const ConvFinish<float>& finish);
void conv_depthwise(const ConvView& view, int64_t per_channel, int64_t kernel_taps, const int64_t* out_extent,
                    double* out, const double* in, const double* w, const ConvFinish<double>& finish);

}  // namespace tenon::cpu
