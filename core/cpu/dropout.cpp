#include "core/cpu/dropout.h"

#include "core/cpu/walk.h"

namespace tenon::cpu {
namespace {

// n neighbours; the mask steps by kStep (0: one for all, as in channel dropout).
template <int kStep, class T>
void run(T* y, const T* x, const uint8_t* mask, int64_t n, T scale) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) y[i] = mask[kStep * i] ? scale * x[i] : T(0);
}

template <class T>
void dropout_typed(const Loop<3>& loop, T* y, const T* x, const uint8_t* mask, T scale) {
  const int inner = loop.rank - 1;
  const int64_t sy = loop.stride[0][inner], sx = loop.stride[1][inner], sm = loop.stride[2][inner];
  walk(loop, grain_for_bytes(2 * sizeof(T) + 1), [&](const int64_t(&offset)[3], int64_t n) {
    T* py = y + offset[0];
    const T* px = x + offset[1];
    const uint8_t* pm = mask + offset[2];
    if (sy == 1 && sx == 1 && sm == 1) {
      run<1>(py, px, pm, n, scale);
    } else if (sy == 1 && sx == 1 && sm == 0) {
      run<0>(py, px, pm, n, scale);
    } else {
      for (int64_t i = 0; i < n; ++i) py[i * sy] = pm[i * sm] ? scale * px[i * sx] : T(0);
    }
  });
}

}  // namespace

void dropout_with_mask(const Loop<3>& loop, DType dtype, void* y, const void* x, const uint8_t* mask,
                       double scale) {
  visit_floating("dropout", dtype, [&](auto tag) {
    using T = decltype(tag);
    dropout_typed(loop, static_cast<T*>(y), static_cast<const T*>(x), mask, static_cast<T>(scale));
  });
}

}  // namespace tenon::cpu
