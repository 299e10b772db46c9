// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), for host and device.
#pragma once

#include <array>
#include <cstdint>

#include "core/math.h"

namespace tenon {

inline constexpr uint32_t kPhiloxFactor0 = 0xD2511F53, kPhiloxFactor1 = 0xCD9E8D57;
inline constexpr uint32_t kPhiloxKeyStep0 = 0x9E3779B9, kPhiloxKeyStep1 = 0xBB67AE85;  ///< between rounds

/// Ten rounds on one counter: four 32-bit words.
TENON_HD inline std::array<uint32_t, 4> philox(std::array<uint32_t, 4> c, std::array<uint32_t, 2> k) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{kPhiloxFactor0} * c[0];
    const uint64_t p1 = uint64_t{kPhiloxFactor1} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(p0)};
    k[0] += kPhiloxKeyStep0;
    k[1] += kPhiloxKeyStep1;
  }
  return c;
}

/// The words of one stream: four a block.
struct PhiloxStream {
  uint64_t seed = 0, stream = 0;

  TENON_HD std::array<uint32_t, 4> block(uint64_t b) const {
    return philox({static_cast<uint32_t>(b), static_cast<uint32_t>(b >> 32), static_cast<uint32_t>(stream),
                   static_cast<uint32_t>(stream >> 32)},
                  {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  }
};

}  // namespace tenon
