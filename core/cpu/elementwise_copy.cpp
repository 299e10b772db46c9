// fill, copy with conversion, and where.
#include <cstring>
#include <type_traits>

#include "core/cpu/elementwise.h"
#include "core/cpu/walk.h"

namespace tenon::cpu {

void fill(const Loop<1>& loop, DType dtype, void* y, double value) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    const T v = static_cast<T>(value);
    const int64_t step = loop.rank ? loop.stride[0][loop.rank - 1] : 1;
    walk(loop, grain_for_bytes(sizeof(T)), [&](const int64_t(&offset)[1], int64_t n) {
      T* p = static_cast<T*>(y) + offset[0];
      if (step == 1) {
        std::fill_n(p, n, v);
      } else {
        for (int64_t i = 0; i < n; ++i) p[i * step] = v;
      }
    });
  });
}

void count_up(int64_t n, DType dtype, void* y) {
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(n, grain_for_bytes(sizeof(T)), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) static_cast<T*>(y)[i] = static_cast<T>(i);
    });
  });
}

void copy(const Loop<2>& loop, DType to, void* y, DType from, const void* x) {
  const int64_t to_step = loop.stride[0][loop.rank - 1];
  const int64_t from_step = loop.stride[1][loop.rank - 1];
  visit_dtype(to, [&](auto to_tag) {
    visit_dtype(from, [&](auto from_tag) {
      using T = decltype(to_tag);
      using F = decltype(from_tag);
      walk(loop, grain_for_bytes(sizeof(T) + sizeof(F)), [&](const int64_t(&offset)[2], int64_t n) {
        T* out = static_cast<T*>(y) + offset[0];
        const F* in = static_cast<const F*>(x) + offset[1];
        if (std::is_same_v<T, F> && to_step == 1 && from_step == 1) {
          std::memcpy(out, in, static_cast<size_t>(n) * sizeof(T));
        } else if (to_step == 1 && from_step == 1) {
          // A conversion never works in place, so the two runs do not overlap.
#pragma GCC ivdep
          for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(in[i]);
        } else {
          for (int64_t i = 0; i < n; ++i) out[i * to_step] = static_cast<T>(in[i * from_step]);
        }
      });
    });
  });
}

void where(const Loop<4>& loop, DType dtype, void* z, const uint8_t* condition, const void* x,
           const void* y) {
  const int last = loop.rank - 1;
  const int64_t sz = loop.stride[0][last], sc = loop.stride[1][last];
  const int64_t sx = loop.stride[2][last], sy = loop.stride[3][last];
  visit_dtype(dtype, [&](auto tag) {
    using T = decltype(tag);
    walk(loop, grain_for_bytes(3 * sizeof(T) + 1), [&](const int64_t(&offset)[4], int64_t n) {
      T* pz = static_cast<T*>(z) + offset[0];
      const uint8_t* pc = condition + offset[1];
      const T* px = static_cast<const T*>(x) + offset[2];
      const T* py = static_cast<const T*>(y) + offset[3];
      for (int64_t i = 0; i < n; ++i) pz[i * sz] = pc[i * sc] ? px[i * sx] : py[i * sy];
    });
  });
}

}  // namespace tenon::cpu
