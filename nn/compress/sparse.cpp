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
// Products that skip, for each element of a used column: they go sample by sample, so this holds for any batch. Sums in
// memory cost a round trip of an entry or a block, those of full blocks stay in registers.
constexpr double kSkipSingle = 50, kSkipFull = 3, kSkipInput = 1;
constexpr double skip_cost(int64_t block_rows) { return block_rows == 4 ? 22 : block_rows == 8 ? 11 : 8; }
// A dense convolution of some channels runs at 0.7 of a dense product; a sparse one copies its image once.
constexpr Costs kConvolution = {1.4, 2, 1.25, 4};

// What a layer's weight [out, in] is multiplied with.
struct Use {
  Tensor weight;
  Costs costs;
  int64_t columns;         // of the dense product
  int64_t sparse_columns;  // of the sparse one, in whole SIMD vectors
  int64_t inputs;          // elements that the sparse one copies on the way in
  int64_t samples = 0;     // that a product can skip inputs of; 0 if it cannot
};

int64_t in_vectors(int64_t columns) {
  constexpr int64_t kLanes = 16;
  return (columns + kLanes - 1) / kLanes * kLanes;
}

Use use_of(const Linear& layer, const Shape& input) {
  const Tensor weight = layer.weight.value();
  const int64_t rows = input.rank() == 2 ? input[0] : 0;
  if (rows == 1) return {weight, kVector, 1, 1, weight.size(1), 1};
  return {weight, kMatrix, rows, in_vectors(rows), in_vectors(rows) * weight.size(1), rows};
}

Use use_of(const Conv2d& layer, const Shape& input) {
  const Tensor& w = layer.weight.value();
  LayerUses uses;
  const Shape output = layer.walk(input, uses);
  const Dims& padding = layer.options().padding;
  // The padded image as one line, up to the last output (core/cpu/sparse_conv.cpp).
  const int64_t width = input[3] + 2 * padding[1];
  const int64_t line = (output[2] - 1) * width + output[3];
  return {w.contiguous().reshape({w.size(0), w.numel() / std::max<int64_t>(w.size(0), 1)}),
          kConvolution,
          output[0] * output[2] * output[3],
          output[0] * in_vectors(line),
          input.numel(),
          0};
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

// Of a form that skips all inputs but `density` of them.
double skipping_cost(const Use& use, const WeightForm& form, const SparsePattern& pattern, double density) {
  const double element = form.full              ? kSkipFull
                         : form.block_rows == 1 ? kSkipSingle
                                                : skip_cost(form.block_rows);
  const double elements = static_cast<double>(pattern.entries() * pattern.block_rows());
  return static_cast<double>(use.samples) *
         (element * elements * density + kSkipInput * static_cast<double>(use.weight.size(1)));
}

// `density` of the inputs differs from 0; negative where that is not known.
WeightForm cheapest_form(const Use& use, double density) {
  WeightForm best{.cost = dense_cost(use)};
  const auto consider = [&](WeightForm form, double cost) {
    form.cost = cost;
    if (cost < best.cost) best = form;
  };
  const bool skips = density >= 0 && use.samples > 0;
  for (int64_t block_rows : {1, 4, 8, 16}) {
    const SparsePattern pattern = SparsePattern::from_mask(use.weight, block_rows);
    const WeightForm form{.block_rows = block_rows};
    consider(form, sparse_cost(use, pattern));
    WeightForm skipping{.block_rows = block_rows, .skips = true};
    if (skips) consider(skipping, skipping_cost(use, skipping, pattern, density));
  }
  if (skips) {
    const WeightForm full{.block_rows = 16, .full = true, .skips = true};
    consider(full,
             skipping_cost(use, full, SparsePattern::from_mask(Tensor::ones(use.weight.shape(), uint8), 16),
                           density));
  }
  return best;
}

SparseMatrix in_form(const Tensor& weight, const WeightForm& form) {
  if (form.block_rows == 1) return CsrMatrix::from_dense(weight);
  if (form.full)
    return BlockSparseMatrix::from_mask(weight, Tensor::ones(weight.shape(), uint8), form.block_rows);
  return BlockSparseMatrix::from_dense(weight, form.block_rows);
}

std::shared_ptr<Module> sparse_layer(const Linear&, const SparseMatrix& weight, const Tensor& bias,
                                     Epilogue epilogue, const WeightForm& form) {
  return std::make_shared<SparseLinear>(
      weight, bias, epilogue, form.skips ? SparseLinear::Inputs::nonzero : SparseLinear::Inputs::all);
}
std::shared_ptr<Module> sparse_layer(const Conv2d& layer, const SparseMatrix& weight, const Tensor& bias,
                                     Epilogue epilogue, const WeightForm&) {
  return std::make_shared<SparseConv>(weight, spatial_extents(layer.weight.shape()), layer.options(), bias,
                                      epilogue);
}

// Appends the cheapest form of a layer and notes it; returns whether it is a sparse one.
template <class Layer>
bool compile_layer(const Layer& layer, const std::string& name, const Shape& input, Epilogue epilogue,
                   double density, Compiled& out) {
  if (!has_sparse_form(layer, input)) return false;
  const Use use = use_of(layer, input);
  const WeightForm form = cheapest_form(use, density);
  out.layers.push_back({name, form, dense_cost(use), count_nonzero(use.weight), use.weight.numel()});
  if (form.block_rows == 0) return false;
  const Tensor bias = layer.bias.defined() ? layer.bias.value().clone() : Tensor();
  out.network->add(name, sparse_layer(layer, in_form(use.weight, form), bias, epilogue, form));
  return true;
}

}  // namespace

std::string WeightForm::str() const {
  if (block_rows == 0) return "dense";
  const std::string form =
      block_rows == 1 ? std::string("CSR") : concat(full ? "all " : "", block_rows, "x1 blocks");
  return form + (skips ? ", skipping" : "");
}

Compiled compile_sparse(const Sequential& chain, const Shape& input, const std::vector<double>& densities) {
  Compiled out;
  size_t weights = 0;  // layers that have one, so far
  const auto next_density = [&] {
    if (densities.empty()) return -1.0;
    TENON_CHECK(weights < densities.size(), "compile_sparse: ", densities.size(),
                " densities are too few for the layers");
    return densities[weights++];
  };
  out.network = std::make_shared<Sequential>();
  Shape shape = input;
  LayerUses uses;
  for (size_t i = 0; i < chain.size(); ++i) {
    const Module& module = chain[i];
    const bool relu_behind = i + 1 < chain.size() && dynamic_cast<const ReLU*>(&chain[i + 1]) != nullptr;
    const Epilogue epilogue = relu_behind ? Epilogue::relu : Epilogue::none;
    bool sparse = false;
    if (const auto* fc = dynamic_cast<const Linear*>(&module)) {
      sparse = compile_layer(*fc, chain.name(i), shape, epilogue, next_density(), out);
    } else if (const auto* conv = dynamic_cast<const Conv2d*>(&module)) {
      sparse = compile_layer(*conv, chain.name(i), shape, epilogue, next_density(), out);
    }
    if (!sparse) out.network->add(chain.name(i), chain.share(i));
    shape = module.walk(shape, uses);
    if (sparse && relu_behind) ++i;  // which keeps the shape
  }
  out.network->train(chain.is_training());
  return out;
}

}  // namespace tenon
