#include "nn/compress/sparse.h"

#include <algorithm>

#include "core/ops/index.h"
#include "nn/activations.h"
#include "nn/linear.h"
#include "nn/sparse.h"

namespace tenon {
namespace {

// Costs in multiply-adds of a large dense product, one thread, as `bench --filter sparse` shows them on a
// Zen 4 core (bench/NOTES.md): a product with CSR runs at half the rate of a dense one, blocks at 0.8 of it; an
// activation that is turned round on the way in costs about as much as ten multiply-adds. Products with one
// column read each weight once: there a dense element costs what three multiply-adds do, an entry of a sparse
// matrix as much as 18, of blocks half of that.
struct Costs {
  double dense, single, block, column;
};
constexpr Costs kMatrix = {1, 2, 1.25, 10};
constexpr Costs kVector = {3, 18, 9, 0};

// Columns of a sparse product come in SIMD vectors.
constexpr int64_t kLanes = 16;

double sparse_cost(const SparsePattern& pattern, int64_t columns) {
  const Costs& costs = columns == 1 ? kVector : kMatrix;
  const int64_t wide = columns == 1 ? 1 : (columns + kLanes - 1) / kLanes * kLanes;
  const double elements = static_cast<double>(pattern.entries() * pattern.block_rows());
  const double a_column = (pattern.block_rows() == 1 ? costs.single : costs.block) * elements +
                          costs.column * static_cast<double>(pattern.columns());
  return a_column * static_cast<double>(wide);
}

double dense_cost(const Tensor& weight, int64_t columns) {
  return (columns == 1 ? kVector : kMatrix).dense * static_cast<double>(weight.numel() * columns);
}

SparseMatrix in_form(const Tensor& weight, const WeightForm& form) {
  if (form.block_rows == 1) return CsrMatrix::from_dense(weight);
  return BlockSparseMatrix::from_dense(weight, form.block_rows);
}

int64_t rows_of_batch(const Shape& input) { return input.rank() == 0 ? 1 : input[0]; }

}  // namespace

std::string WeightForm::str() const {
  if (block_rows == 0) return "dense";
  return block_rows == 1 ? std::string("CSR") : concat(block_rows, "x1 blocks");
}

WeightForm cheapest_form(const Tensor& weight, int64_t columns) {
  TENON_CHECK(weight.defined() && weight.rank() == 2, "cheapest_form: expects a weight [out, in]");
  WeightForm best{0, dense_cost(weight, columns)};
  for (int64_t block_rows : {1, 4, 8, 16}) {
    const double cost = sparse_cost(SparsePattern::from_mask(weight, block_rows), columns);
    if (cost < best.cost) best = {block_rows, cost};
  }
  return best;
}

Compiled compile_sparse(const Sequential& chain, const Shape& input) {
  Compiled out;
  out.network = std::make_shared<Sequential>();
  for (size_t i = 0; i < chain.size(); ++i) {
    const auto* fc = dynamic_cast<const Linear*>(&chain[i]);
    if (fc == nullptr) {
      out.network->add(chain.name(i), chain.share(i));
      continue;
    }
    const Tensor& weight = fc->weight.value();
    const WeightForm form = cheapest_form(weight, rows_of_batch(input));
    out.layers.push_back({chain.name(i), form, dense_cost(weight, rows_of_batch(input)),
                          count_nonzero(weight), weight.numel()});
    if (form.block_rows == 0) {
      out.network->add(chain.name(i), chain.share(i));
      continue;
    }
    const bool relu_behind = i + 1 < chain.size() && dynamic_cast<const ReLU*>(&chain[i + 1]) != nullptr;
    const Tensor bias = fc->bias.defined() ? fc->bias.value().clone() : Tensor();
    out.network->add(chain.name(i),
                     std::make_shared<SparseLinear>(in_form(weight, form), bias,
                                                    relu_behind ? Epilogue::relu : Epilogue::none));
    if (relu_behind) ++i;
  }
  out.network->train(chain.is_training());
  return out;
}

}  // namespace tenon
