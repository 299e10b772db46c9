// The LSTM cell, unit by unit: one pass over its operands, which g++ turns into SIMD along a row. Backward computes the
// gates again: it would have to read as many numbers had they been kept, and forward to write them.
#include "core/cpu/recurrent.h"

#include "core/parallel.h"

namespace tenon::cpu {
namespace {

constexpr int64_t kFlops = 150;  // of a unit: five exponentials and as many divisions

// Calls run(row, first, n) for runs of units within a row.
template <class Run>
void for_each_run(const LstmShape& shape, Run&& run) {
  const int64_t hidden = shape.hidden;
  parallel_for(shape.rows * hidden, grain_for_flops(kFlops), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin / hidden; begin < end; ++row) {
      const int64_t first = begin - row * hidden, n = std::min(end, (row + 1) * hidden) - begin;
      run(row, first, n);
      begin += n;
    }
  });
}

}  // namespace

void lstm_cell(const LstmShape& shape, DType dtype, void* new_hidden, void* new_cell, const void* gates,
               const void* cell) {
  visit_floating("lstm_cell", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_run(shape, [&](int64_t row, int64_t first, int64_t n) {
      const int64_t hidden = shape.hidden, at = row * hidden + first;
      const T* a = static_cast<const T*>(gates) + 4 * row * hidden + first;
      const T* c = static_cast<const T*>(cell) + at;
      T* h = static_cast<T*>(new_hidden) + at;
      T* next = static_cast<T*>(new_cell) + at;
#pragma GCC ivdep
      for (int64_t k = 0; k < n; ++k) lstm_unit(a + k, hidden, c[k], h + k, next + k);
    });
  });
}

void lstm_cell_backward(const LstmShape& shape, DType dtype, void* d_gates, void* d_cell,
                        const void* g_hidden, const void* g_cell, const void* gates, const void* cell) {
  visit_floating("lstm_cell_backward", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_run(shape, [&](int64_t row, int64_t first, int64_t n) {
      const int64_t hidden = shape.hidden, at = row * hidden + first;
      const int64_t at_gates = 4 * row * hidden + first;
      const T* a = static_cast<const T*>(gates) + at_gates;
      const T* c = static_cast<const T*>(cell) + at;
      const T* p = static_cast<const T*>(g_hidden) + at;
      const T* q = static_cast<const T*>(g_cell) + at;
      T* da = static_cast<T*>(d_gates) + at_gates;
      T* dc = static_cast<T*>(d_cell) + at;
#pragma GCC ivdep
      for (int64_t k = 0; k < n; ++k) lstm_unit_backward(p[k], q[k], a + k, hidden, c[k], da + k, dc + k);
    });
  });
}

}  // namespace tenon::cpu
