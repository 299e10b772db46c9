// libxsmm as a peer: machine code made for one small product. A build without its header (libxsmm-dev) has no such
// contestants: the function then adds none.
#pragma once

#include <vector>

#include "bench/harness.h"

namespace tenon::bench {

/// Adds "libxsmm": c = a b of a batch of row-major float32 matrices, a [batch, m, k], b [batch, k, n], its kernel
/// called for each, on Tenon's threads. The kernel is made at the first run, which throws Error where libxsmm has none
/// for the extents, and where the result is not Tenon's.
void append_libxsmm(std::vector<Contestant>& contestants, const Tensor& a, const Tensor& b);

}  // namespace tenon::bench
