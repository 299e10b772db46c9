// Convolutions as matrix products whose second factor is never stored:
//
//   C[m, n] = sum_k A[m, k] source[site(n) + site(k)]        (0 where the sum of sites is outside the source)
//
// The three ops of the family differ in what m, n and k stand for (ConvGather, ConvWeightGather):
//
//   conv                   m: output channel  n: output position     k: (input channel, tap)   A: weight
//   conv_backward_input    m: input channel   n: input position      k: (output channel, tap)  A: weight
//   conv_backward_weight   m: output channel  n: (input ch., tap)    k: output position        A: g
//
// Of two sites that meet, one belongs to a position and one to a tap. This header says where they lie; the kernel
// is in conv_product.h.
#pragma once

#include <algorithm>

#include "core/cpu/conv.h"
#include "core/error.h"
#include "core/math.h"

namespace tenon::cuda {

constexpr int kMaskedTaps = 32;

/// A site for kernels of up to 32 taps: a position holds a bit for every tap that finds it inside the source, a
/// tap holds its own. To tell the padding then costs one instruction for each element.
struct MaskSite {
  int offset;  ///< in memory; the offsets of two sites that meet add up
  unsigned taps;
  TENON_HD static MaskSite nowhere() { return {0, 0}; }
};
/// A site for any kernel: coordinates, which add up likewise.
struct alignas(16) PlaceSite {
  int offset;
  int at[3];
  /// Coordinates that no sum with another brings back inside.
  TENON_HD static PlaceSite nowhere() { return {0, {-(1 << 30), -(1 << 30), -(1 << 30)}}; }
};

/// Splits a row-major index over three extents.
TENON_HD inline void split_index(int index, const int (&extent)[3], int (&at)[3]) {
  at[2] = index % extent[2], index /= extent[2];
  at[1] = index % extent[1];
  at[0] = index / extent[1];
}

/// What all gathers tell of one group of a convolution: along each axis, position j (of `positions`) meets source
/// position `start + j step + t reach` by tap t (of `taps`).
struct ConvProduct {
  int m, n, k;
  int groups, k_per_part;  ///< blockIdx.z = part * groups + group; set by run_product
  int a_step, c_step;      ///< from row to row
  int64_t source_group, a_group, c_group, c_part;
  bool a_along_k;  ///< A is dense along k, else along m

  int extent[3];  ///< of the source
  int positions[3], start[3], step[3];
  int channels, taps[3], all_taps, reach[3];
  bool channels_inside;  ///< of (channel, tap), the channel runs faster: it does in the source
  int source_image, source_channel, source_position;

  TENON_HD int source_offset(const int (&at)[3]) const {
    return ((at[0] * extent[1] + at[1]) * extent[2] + at[2]) * source_position;
  }
  TENON_HD bool meets(int axis, int at, int tap) const {
    return static_cast<unsigned>(at + tap * reach[axis]) < static_cast<unsigned>(extent[axis]);
  }

  TENON_HD bool inside(const MaskSite& a, const MaskSite& b) const { return (a.taps & b.taps) != 0; }
  TENON_HD bool inside(const PlaceSite& a, const PlaceSite& b) const {
    bool yes = true;
    for (int i = 0; i < 3; ++i)
      yes = yes && static_cast<unsigned>(a.at[i] + b.at[i]) < static_cast<unsigned>(extent[i]);
    return yes;
  }

  /// The site of (channel, tap) number `index`.
  template <class Site>
  TENON_HD Site tap_site(int index, int& channel, int (&tap)[3]) const {
    channel = channels_inside ? index % channels : index / all_taps;
    const int t = channels_inside ? index / channels : index % all_taps;
    split_index(t, taps, tap);
    int at[3];
    for (int i = 0; i < 3; ++i) at[i] = tap[i] * reach[i];
    Site site = Site::nowhere();
    site.offset = source_offset(at) + channel * source_channel;
    mark_tap(site, t, at);
    return site;
  }
  /// The site of position number `index`, counted over images.
  template <class Site>
  TENON_HD Site position_site(int index, int& image, int (&position)[3]) const {
    const int count = positions[0] * positions[1] * positions[2];
    image = index / count;
    split_index(index % count, positions, position);
    int at[3];
    for (int i = 0; i < 3; ++i) at[i] = start[i] + position[i] * step[i];
    Site site = Site::nowhere();
    site.offset = source_offset(at) + image * source_image;
    mark_position(site, at);
    return site;
  }

 private:
  TENON_HD void mark_tap(MaskSite& site, int t, const int (&)[3]) const { site.taps = 1u << t; }
  TENON_HD void mark_tap(PlaceSite& site, int, const int (&at)[3]) const { mark_position(site, at); }
  TENON_HD void mark_position(PlaceSite& site, const int (&at)[3]) const {
    for (int i = 0; i < 3; ++i) site.at[i] = at[i];
  }
  // Row by row, plane by plane: what an axis excludes, it excludes for all of a row or plane.
  TENON_HD void mark_position(MaskSite& site, const int (&at)[3]) const {
    unsigned row = 0, plane = 0;
    for (int t = 0; t < taps[2]; ++t) row |= meets(2, at[2], t) ? 1u << t : 0u;
    for (int t = 0; t < taps[1]; ++t) plane |= meets(1, at[1], t) ? row << (t * taps[2]) : 0u;
    for (int t = 0; t < taps[0]; ++t) site.taps |= meets(0, at[0], t) ? plane << (t * taps[1] * taps[2]) : 0u;
  }
};

/// conv and conv_backward_input. Position j of the result is `result_first + j result_spacing` of each axis; tap t
/// is number `t weight_tap` behind the first.
struct ConvGather : ConvProduct {
  int result_first[3], result_spacing[3], result_extent[3];
  int result_image, result_position;
  int weight_first, weight_channel, weight_tap[3];

  template <class Site>
  TENON_HD Site k_site(int index, int& a_offset) const {
    int channel, tap[3];
    const Site site = tap_site<Site>(index, channel, tap);
    a_offset = weight_first + channel * weight_channel;
    for (int i = 0; i < 3; ++i) a_offset += tap[i] * weight_tap[i];
    return site;
  }
  template <class Site>
  TENON_HD Site n_site(int index, int& c_offset) const {
    int image, j[3], place = 0;
    const Site site = position_site<Site>(index, image, j);
    for (int i = 0; i < 3; ++i) place = place * result_extent[i] + result_first[i] + j[i] * result_spacing[i];
    c_offset = image * result_image + place * result_position;
    return site;
  }
};

/// conv_backward_weight.
struct ConvWeightGather : ConvProduct {
  int g_image, g_position;

  template <class Site>
  TENON_HD Site k_site(int index, int& a_offset) const {
    int image, j[3];
    const Site site = position_site<Site>(index, image, j);
    a_offset = image * g_image + ((j[0] * positions[1] + j[1]) * positions[2] + j[2]) * g_position;
    return site;
  }
  template <class Site>
  TENON_HD Site n_site(int index, int& c_offset) const {
    int channel, tap[3];
    const Site site = tap_site<Site>(index, channel, tap);
    c_offset = channel * all_taps + (tap[0] * taps[1] + tap[1]) * taps[2] + tap[2];
    return site;
  }
};

/// Throws Error if an operand is too large for offsets of 32 bits.
inline void check_span(const char* op, const ConvPlan& plan) {
  const int64_t x = plan.images * plan.x.image, y = plan.images * plan.y.image;
  TENON_CHECK(std::max({x, y, plan.weights()}) <= 0x7fffffff, op,
              ": the CUDA kernel expects operands that span less than 2^31 elements, got ", x, " (input), ",
              y, " (output) and ", plan.weights(), " (weight)");
}

}  // namespace tenon::cuda
