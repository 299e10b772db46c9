// Ops of core/ops/sparse.h on Variables. The gradient of the values lives on the pattern alone.
#pragma once

#include "autograd/variable.h"
#include "core/ops/sparse.h"

namespace tenon {

Variable spmm(const SparsePattern& pattern, const Variable& values, const Variable& x,
              const Variable& bias = {}, Epilogue epilogue = Epilogue::none);
Variable spmm_transposed(const SparsePattern& pattern, const Variable& values, const Variable& g);
Variable spmspv(const SparsePattern& pattern, const Variable& values, const Variable& x,
                const Variable& bias = {}, Epilogue epilogue = Epilogue::none);
Variable sddmm(const SparsePattern& pattern, const Variable& g, const Variable& x);
Variable sparse_conv(const SparsePattern& pattern, const Variable& values, const Variable& x,
                     const Dims& kernel, const Variable& bias = {}, const ConvOptions& options = {},
                     Epilogue epilogue = Epilogue::none);

}  // namespace tenon
