// What the two ways of the CPU's SVD share (svd.cpp, svd_lanes.cpp).
#pragma once

#include <cstdint>

#include "core/cpu/jacobi.h"
#include "core/cpu/linalg.h"

namespace tenon::cpu {

/// One matrix of a plan, and where its results go.
template <class T>
struct SvdJob {
  const T* a;
  T *u, *s, *v;
  LinalgStatus* status;
};

/// How many matrices svd_group takes at once, and the columns up to which that pays.
template <class T>
int64_t svd_group_size();
inline constexpr int64_t kMaxGroupColumns = 48;
/// Decomposes `count` matrices at once, each in a SIMD lane.
template <class T>
void svd_group(const SvdPlan& plan, const SvdJob<T>* jobs, int64_t count);

}  // namespace tenon::cpu
