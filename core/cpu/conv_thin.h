// The direct convolution of one group with few channels out.
#pragma once

#include "core/cpu/conv_direct.h"

namespace tenon::cpu {

/// Does conv_thin use the lanes of vectors better than conv_direct, which would use the share `direct` of them? (In
/// place, that counts for more.)
bool thin_pays(const ConvView& view, int64_t lanes, double direct);
/// As conv_direct.
void conv_thin(const ConvView& view, const DirectChannels& channels, float* out, const float* in,
               const float* w, const ConvFinish<float>& finish);
void conv_thin(const ConvView& view, const DirectChannels& channels, double* out, const double* in,
               const double* w, const ConvFinish<double>& finish);

}  // namespace tenon::cpu
