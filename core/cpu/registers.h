// What register tiles are sized by.
#pragma once

#include <hwy/highway.h>

namespace tenon::cpu {

/// Vector registers of the instruction set that this is compiled for.
inline constexpr int kVectorRegisters = HWY_TARGET <= HWY_AVX3 ? 32 : 16;

}  // namespace tenon::cpu
