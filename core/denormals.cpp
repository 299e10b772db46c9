#include "core/denormals.h"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace tenon {

namespace detail {
#if defined(__SSE2__)
uint32_t float_mode() { return _mm_getcsr(); }
void set_float_mode(uint32_t mode) { _mm_setcsr(mode); }
#else
uint32_t float_mode() { return 0; }
void set_float_mode(uint32_t) {}
#endif
}  // namespace detail

namespace {
constexpr uint32_t kFlushResults = 0x8000, kFlushOperands = 0x0040;  // bits of MXCSR: FTZ, DAZ
}

FlushDenormals::FlushDenormals() : before_(detail::float_mode()) {
  detail::set_float_mode(before_ | kFlushResults | kFlushOperands);
}

FlushDenormals::~FlushDenormals() { detail::set_float_mode(before_); }

}  // namespace tenon
