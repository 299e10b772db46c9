// One loop, instantiated for each line of TENON_BINARY_OPS and TENON_COMPARE_OPS.
#include "core/cpu/elementwise.h"
#include "core/cpu/walk.h"

namespace tenon::cpu {
namespace {

template <class Op, class T, class R>
void run_binary(const Loop<3>& loop, R* z, const T* x, const T* y) {
  const int last = loop.rank - 1;
  const int64_t sz = loop.stride[0][last], sx = loop.stride[1][last], sy = loop.stride[2][last];
  walk(loop, grain_for_bytes(2 * sizeof(T) + sizeof(R)), [&](const int64_t(&offset)[3], int64_t n) {
    R* pz = z + offset[0];
    const T* px = x + offset[1];
    const T* py = y + offset[2];
    // The three layouts that matter are given to the compiler with constant steps, which it turns into SIMD.
    if (sz == 1 && sx == 1 && sy == 1) {
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) pz[i] = Op::template apply<T>(px[i], py[i]);
    } else if (sz == 1 && sx == 1 && sy == 0) {
      const T c = *py;
#pragma GCC ivdep
      for (int64_t i = 0; i < n; ++i) pz[i] = Op::template apply<T>(px[i], c);
    } else {
      for (int64_t i = 0; i < n; ++i) pz[i * sz] = Op::template apply<T>(px[i * sx], py[i * sy]);
    }
  });
}

}  // namespace

void binary(Binary op, const Loop<3>& loop, DType dtype, void* z, const void* x, const void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    switch (op) {
#define TENON_CASE(name, formula)                                                           \
  case Binary::name:                                                                        \
    return run_binary<functor::name##_>(loop, static_cast<T*>(z), static_cast<const T*>(x), \
                                        static_cast<const T*>(y));
      TENON_BINARY_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

void compare(Compare op, const Loop<3>& loop, DType dtype, uint8_t* z, const void* x, const void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    switch (op) {
#define TENON_CASE(name, formula) \
  case Compare::name:             \
    return run_binary<functor::name##_>(loop, z, static_cast<const T*>(x), static_cast<const T*>(y));
      TENON_COMPARE_OPS(TENON_CASE)
#undef TENON_CASE
    }
  });
}

}  // namespace tenon::cpu
