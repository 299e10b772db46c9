// The direct convolution of one group, for a view that the forward pass or the gradient of the input gives.
#pragma once

#include "core/cpu/conv_strip.h"

namespace tenon::cpu {

/// The channels that come out, and where the weight of (out, in, tap) lies: out * out_step + in * in_step + tap.
struct DirectChannels {
  int64_t count;
  int64_t out_step, in_step;
  const int64_t* out_extent;  ///< extents of the image that outputs are placed in
};

/// out[n, k, place(o)] = finish(sum_{c, t} w[k, c, t] in[n, c, o stride + offset(t)])
void conv_direct(const ConvView& view, const DirectChannels& channels, float* out, const float* in,
                 const float* w, const ConvFinish<float>& finish);
void conv_direct(const ConvView& view, const DirectChannels& channels, double* out, const double* in,
                 const double* w, const ConvFinish<double>& finish);

}  // namespace tenon::cpu
