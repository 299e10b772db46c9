// Scalar mathematics shared by the CPU and the CUDA kernels, so that both compute one formula.
//
// The float32 forms are branch-free polynomials in explicit fused multiply-adds: g++ turns loops over them
// into SIMD, and they give the same bits on every device. float64 uses the C library, which is what gradcheck
// wants. Reductions and coefficients: S. Moshier, Cephes (exp, log, tanh); M. Giles, "Approximating the
// erfinv function" (GPU Computing Gems, 2011).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#ifdef __CUDACC__
#define TENON_HD __host__ __device__
#else
#define TENON_HD
#endif

namespace tenon::math {

TENON_HD inline float fma(float a, float b, float c) { return std::fma(a, b, c); }
TENON_HD inline double fma(double a, double b, double c) { return std::fma(a, b, c); }

TENON_HD inline float as_float(int32_t bits) { return std::bit_cast<float>(bits); }
TENON_HD inline uint32_t as_bits(float x) { return std::bit_cast<uint32_t>(x); }

/// e^x, error < 1.1 ulp over the whole range (measured, as all bounds here: tests/core/math_test.cpp); overflows to
/// infinity, underflows gradually to 0; NaN stays NaN.
TENON_HD inline float exp(float x) {
  // x = n ln2 + r, |r| <= ln2 / 2; e^x = 2^n e^r. The clamp keeps n in range; beyond it the result is 0 or
  // infinity.
  float c = x < -104.0f ? -104.0f : x;
  c = c > 89.0f ? 89.0f : c;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to the nearest integer
  float n = fma(c, 1.44269504088896341f, magic) - magic;
  float r = fma(n, -0.693359375f, c);
  r = fma(n, 2.12194440e-4f, r);
  float p = 1.9875691500e-4f;
  p = fma(p, r, 1.3981999507e-3f);
  p = fma(p, r, 8.3334519073e-3f);
  p = fma(p, r, 4.1665795894e-2f);
  p = fma(p, r, 1.6666665459e-1f);
  p = fma(p, r, 5.0000001201e-1f);
  float y = fma(p, r * r, r) + 1.0f;
  // 2^n in two factors, so that neither exponent leaves the range of a normal number.
  int32_t whole = static_cast<int32_t>(c == c ? n : 0.0f);
  int32_t half = whole >> 1;
  float low = as_float((half + 127) << 23);
  float high = as_float((whole - half + 127) << 23);
  return c == c ? y * low * high : x;
}
TENON_HD inline double exp(double x) { return std::exp(x); }

/// Natural logarithm, error < 0.9 ulp; log(0) = -infinity, log(x < 0) = NaN.
TENON_HD inline float log(float x) {
  const float infinity = std::numeric_limits<float>::infinity();
  bool tiny = x < 1.17549435e-38f;  // denormals are scaled into the normal range
  float scaled = tiny ? x * 8388608.0f : x;
  const uint32_t bits = as_bits(scaled);  // unsigned: those of x < 0 wrap around
  // mantissa in [sqrt(1/2), sqrt(2))
  int32_t exponent = static_cast<int32_t>(bits - 0x3f3504f3u) >> 23;
  float m = as_float(static_cast<int32_t>(bits - (static_cast<uint32_t>(exponent) << 23))) - 1.0f;
  float e = static_cast<float>(exponent) - (tiny ? 23.0f : 0.0f);
  float p = 7.0376836292e-2f;
  p = fma(p, m, -1.1514610310e-1f);
  p = fma(p, m, 1.1676998740e-1f);
  p = fma(p, m, -1.2420140846e-1f);
  p = fma(p, m, 1.4249322787e-1f);
  p = fma(p, m, -1.6668057665e-1f);
  p = fma(p, m, 2.0000714765e-1f);
  p = fma(p, m, -2.4999993993e-1f);
  p = fma(p, m, 3.3333331174e-1f);
  float z = m * m;
  float y = p * m * z;
  y = fma(e, -2.12194440e-4f, y);
  y = fma(-0.5f, z, y);
  float result = fma(e, 0.693359375f, m + y);
  result = x == infinity ? infinity : result;
  result = x == 0.0f ? -infinity : result;
  return x >= 0.0f ? result : std::numeric_limits<float>::quiet_NaN();
}
TENON_HD inline double log(double x) { return std::log(x); }

/// log(1 + x), error < 2.6 ulp, for small x too: log(u) x / (u - 1) with u = 1 + x rounded.
TENON_HD inline float log1p(float x) {
  float u = 1.0f + x;
  float d = u - 1.0f;
  float y = log(u) * (x / (d == 0.0f ? 1.0f : d));
  y = d == 0.0f ? x : y;
  return u == std::numeric_limits<float>::infinity() ? u : y;
}
TENON_HD inline double log1p(double x) { return std::log1p(x); }

/// Hyperbolic tangent, error < 1.4 ulp.
TENON_HD inline float tanh(float x) {
  float a = x < 0 ? -x : x;
  float z = x * x;
  float p = -5.70498872745e-3f;
  p = fma(p, z, 2.06390887954e-2f);
  p = fma(p, z, -5.37397155531e-2f);
  p = fma(p, z, 1.33314422036e-1f);
  p = fma(p, z, -3.33332819422e-1f);
  float small = fma(p * z, x, x);
  float large = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  large = x < 0 ? -large : large;
  return a < 0.625f ? small : large;
}
TENON_HD inline double tanh(double x) { return std::tanh(x); }

template <class T>
TENON_HD T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// log(1 + e^x) without overflow.
template <class T>
TENON_HD T softplus(T x) {
  return (x > 0 ? x : T(0)) + log1p(exp(x > 0 ? -x : x));
}

/// Sum, difference and product; integers wrap around.
template <class T>
TENON_HD T add(T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::make_unsigned_t<T>(x) + std::make_unsigned_t<T>(y));
  } else {
    return x + y;
  }
}
template <class T>
TENON_HD T sub(T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::make_unsigned_t<T>(x) - std::make_unsigned_t<T>(y));
  } else {
    return x - y;
  }
}
template <class T>
TENON_HD T mul(T x, T y) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(std::make_unsigned_t<T>(x) * std::make_unsigned_t<T>(y));
  } else {
    return x * y;
  }
}

/// Maximum that keeps NaN, as gradients must not be hidden.
template <class T>
TENON_HD T maximum(T x, T y) {
  return x != x || x > y ? x : y;
}
template <class T>
TENON_HD T minimum(T x, T y) {
  return x != x || x < y ? x : y;
}

/// Inverse of the normal distribution function's symmetric form: sqrt(2) erfinv(u), u in (-1, 1) (Giles,
/// table 5).
TENON_HD inline float normal_from_symmetric(float u) {
  float w = -log((1.0f - u) * (1.0f + u));
  bool central = w < 5.0f;
  float v = central ? w - 2.5f : std::sqrt(w) - 3.0f;
  float p = central ? 2.81022636e-08f : -0.000200214257f;
  p = fma(p, v, central ? 3.43273939e-07f : 0.000100950558f);
  p = fma(p, v, central ? -3.5233877e-06f : 0.00134934322f);
  p = fma(p, v, central ? -4.39150654e-06f : -0.00367342844f);
  p = fma(p, v, central ? 0.00021858087f : 0.00573950773f);
  p = fma(p, v, central ? -0.00125372503f : -0.0076224613f);
  p = fma(p, v, central ? -0.00417768164f : 0.00943887047f);
  p = fma(p, v, central ? 0.246640727f : 1.00167406f);
  p = fma(p, v, central ? 1.50140941f : 2.83297682f);
  return 1.41421356237f * p * u;
}

}  // namespace tenon::math
