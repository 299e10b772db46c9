// The ceilings of the card, measured on it by kernels that do nothing else.
#pragma once

namespace tenon::bench {

/// Float32 multiply-adds in registers, two flops each.
double card_flops_per_second();
/// The fastest of a read, a copy and a triad over arrays far larger than the second-level cache.
double card_bytes_per_second();

}  // namespace tenon::bench
