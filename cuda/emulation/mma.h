// The tensor cores' product of small matrices in TF32, as the emulation plays it: a collective of a warp, with
// the layout of fragments that PTX gives (ISA 8.0, 9.7.13.4.9: mma.m16n8k8, .tf32). See cuda/runtime/kernel.h.
//
// Operands are cut to the 10 bits of mantissa that a tensor core reads, as a card would cut them; products and
// sums are those of float, in the order of k. A card keeps to no documented order.
#pragma once

#include <bit>
#include <cstdint>

#include "cuda/emulation/site.h"

namespace tenon::cuda {

inline float to_tf32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7f800000u) == 0x7f800000u) return x;  // infinity, NaN
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
}

void mma_m16n8k8(float (&d)[4], const float (&a)[4], const float (&b)[2],
                 const emulation::Site& site = emulation::Site::current());

}  // namespace tenon::cuda
