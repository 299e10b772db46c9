// oneDNN as a peer, called in this process on as many threads as Tenon. A build without its header (libdnnl-dev) has no
// such contestants: the functions then add none.
#pragma once

#include <vector>

#include "bench/harness.h"
#include "core/ops/conv.h"

namespace tenon::bench {

enum class ConvPass { forward, backward_input, backward_weight };

/// One pass of a convolution of float32 tensors, all row-major. Two of x [N, C, *in], w [O, C / groups, *kernel] and
/// y [N, O, *out] hold what the pass reads; the third is written.
struct ConvPeer {
  ConvPass pass;
  Tensor x, w, y;
  ConvOptions options;
};

/// Adds "onednn", which turns its operands into the layout that oneDNN prefers and the result back within each run, as
/// row-major users pay for it, and "onednn blocked", whose operands lie in that layout already and whose result stays
/// there. What they need is made at the first run, which throws Error where oneDNN refuses or its result is not Tenon's.
void append_onednn(std::vector<Contestant>& contestants, const ConvPeer& problem);

/// Adds "onednn": c = a b of float32 matrices [m, k] [k, n] or batches of them, made and checked in the same way.
void append_onednn(std::vector<Contestant>& contestants, const Tensor& a, const Tensor& b);

}  // namespace tenon::bench
