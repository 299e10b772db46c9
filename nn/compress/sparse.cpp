#include "nn/compress/sparse.h"

#include <algorithm>

#include "core/ops/image.h"
#include "core/ops/index.h"
#include "nn/activations.h"
#include "nn/conv.h"
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
  double dense, single, block, input;
};
constexpr Costs kMatrix = {1, 2, 1.25, 10};
constexpr Costs kVector = {3, 18, 9, 0};
// A dense convolution of some channels runs at 0.7 of a dense product; a sparse one copies its image once.
constexpr Costs kConvolution = {1.4, 2, 1.25, 4};

// What a layer's weight [out, in] is multiplied with.
struct Use {
  Tensor weight;
  Costs costs;
  int64_t columns;         // of the dense product
  int64_t sparse_columns;  // of the sparse one, in whole SIMD vectors
  int64_t inputs;          // elements that the sparse one copies on the way in
};

int64_t in_vectors(int64_t columns) {
  constexpr int64_t kLanes = 16;
  return (columns + kLanes - 1) / kLanes * kLanes;
}

Use use_of(const Linear& layer, const Shape& input) {
  const Tensor weight = layer.weight.value();
  const int64_t rows = input.rank() == 2 ? input[0] : 0;
  if (rows == 1) return {weight, kVector, 1, 1, weight.size(1)};
  return {weight, kMatrix, rows, in_vectors(rows), in_vectors(rows) * weight.size(1)};
}

Use use_of(const Conv2d& layer, const Shape& input) {
  const Tensor& w = layer.weight.value();
  LayerUses uses;
  const Shape output = layer.walk(input, uses);
  const Dims& padding = layer.options().padding;
  // The padded image as one line, up to the last output (core/cpu/sparse_conv.cpp).
  const int64_t width = input[3] + 2 * padding[1];
  const int64_t line = (output[2] - 1) * width + output[3];
  return {w.contiguous().reshape({w.size(0), w.numel() / std::max<int64_t>(w.size(0), 1)}), kConvolution,
          output[0] * output[2] * output[3], output[0] * in_vectors(line), input.numel()};
}

// Does a sparse form compute what the layer does?
bool has_sparse_form(const Linear&, const Shape& input) { return input.rank() == 2; }
bool has_sparse_form(const Conv2d& layer, const Shape&) {
  return layer.options().groups == 1 && layer.options().stride == Dims{1, 1};
}

double dense_cost(const Use& use) {
  return use.costs.dense * static_cast<double>(use.weight.numel() * use.columns);
}

double sparse_cost(const Use& use, const SparsePattern& pattern) {
  const double element = pattern.block_rows() == 1 ? use.costs.single : use.costs.block;
  return element * static_cast<double>(pattern.entries() * pattern.block_rows() * use.sparse_columns) +
         use.costs.input * static_cast<double>(use.inputs);
}

WeightForm cheapest_form(const Use& use) {
  WeightForm best{0, dense_cost(use)};
  for (int64_t block_rows : {1, 4, 8, 16}) {
    const double cost = sparse_cost(use, SparsePattern::from_mask(use.weight, block_rows));
    if (cost < best.cost) best = {block_rows, cost};
  }
  return best;
}

SparseMatrix in_form(const Tensor& weight, const WeightForm& form) {
  if (form.block_rows == 1) return CsrMatrix::from_dense(weight);
  return BlockSparseMatrix::from_dense(weight, form.block_rows);
}

std::shared_ptr<Module> sparse_layer(const Linear&, const SparseMatrix& weight, const Tensor& bias,
                                     Epilogue epilogue) {
  return std::make_shared<SparseLinear>(weight, bias, epilogue);
}
std::shared_ptr<Module> sparse_layer(const Conv2d& layer, const SparseMatrix& weight, const Tensor& bias,
                                     Epilogue epilogue) {
  return std::make_shared<SparseConv>(weight, spatial_extents(layer.weight.shape()), layer.options(), bias,
                                      epilogue);
}

// Appends the cheapest form of a layer and notes it; returns whether it is a sparse one.
template <class Layer>
bool compile_layer(const Layer& layer, const std::string& name, const Shape& input, Epilogue epilogue,
                   Compiled& out) {
  if (!has_sparse_form(layer, input)) return false;
  const Use use = use_of(layer, input);
  const WeightForm form = cheapest_form(use);
  out.layers.push_back({name, form, dense_cost(use), count_nonzero(use.weight), use.weight.numel()});
  if (form.block_rows == 0) return false;
  const Tensor bias = layer.bias.defined() ? layer.bias.value().clone() : Tensor();
  out.network->add(name, sparse_layer(layer, in_form(use.weight, form), bias, epilogue));
  return true;
}

}  // namespace

std::string WeightForm::str() const {
  if (block_rows == 0) return "dense";
  return block_rows == 1 ? std::string("CSR") : concat(block_rows, "x1 blocks");
}

Compiled compile_sparse(const Sequential& chain, const Shape& input) {
  Compiled out;
  out.network = std::make_shared<Sequential>();
  Shape shape = input;
  LayerUses uses;
  for (size_t i = 0; i < chain.size(); ++i) {
    const Module& module = chain[i];
    const bool relu_behind = i + 1 < chain.size() && dynamic_cast<const ReLU*>(&chain[i + 1]) != nullptr;
    const Epilogue epilogue = relu_behind ? Epilogue::relu : Epilogue::none;
    bool sparse = false;
    if (const auto* fc = dynamic_cast<const Linear*>(&module)) {
      sparse = compile_layer(*fc, chain.name(i), shape, epilogue, out);
    } else if (const auto* conv = dynamic_cast<const Conv2d*>(&module)) {
      sparse = compile_layer(*conv, chain.name(i), shape, epilogue, out);
    }
    if (!sparse) out.network->add(chain.name(i), chain.share(i));
    shape = module.walk(shape, uses);
    if (sparse && relu_behind) ++i;  // which keeps the shape
  }
  out.network->train(chain.is_training());
  return out;
}

}  // namespace tenon
