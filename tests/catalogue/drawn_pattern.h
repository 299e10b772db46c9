// Sparse patterns for the catalogue.
#pragma once

#include <vector>

#include "core/sparse.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {

/// A pattern [rows, columns] of which about `share` of the blocks are there, and its entries as the
/// references read them.
struct DrawnPattern {
  SparsePattern pattern;
  int64_t rows, columns, block;
  std::vector<int32_t> offsets, indices;
};

inline DrawnPattern draw_pattern(Draw& d, int64_t rows, int64_t columns, int64_t block, double share) {
  const Tensor mask = Tensor::zeros({rows, columns}, uint8);
  for (int64_t i = 0; i < rows; i += block)
    for (int64_t k = 0; k < columns; ++k)
      if (d.generator.next_uniform() < share) mask.data<uint8_t>()[i * columns + k] = 1;
  DrawnPattern drawn{SparsePattern::from_mask(mask, block), rows, columns, block, {}, {}};
  drawn.offsets = drawn.pattern.by_rows().offsets.to_vector<int32_t>();
  drawn.indices = drawn.pattern.by_rows().indices.to_vector<int32_t>();
  return drawn;
}

/// Calls `f(m, k, place of W[m, k] among the values)` for every element of the matrix.
template <class F>
void for_each_element(const DrawnPattern& w, F&& f) {
  for (int64_t m = 0; m < w.rows; ++m)
    for (int64_t p = w.offsets[static_cast<size_t>(m / w.block)];
         p < w.offsets[static_cast<size_t>(m / w.block) + 1]; ++p)
      f(m, w.indices[static_cast<size_t>(p)], p * w.block + m % w.block);
}

}  // namespace tenon::catalogue
