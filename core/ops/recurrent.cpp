#include "core/ops/recurrent.h"

#include "core/cpu/recurrent.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "cuda/kernels/recurrent.h"

namespace tenon {
namespace {

LstmShape shape_of(const char* op, const Tensor& gates, const Tensor& cell) {
  TENON_CHECK(gates.defined() && cell.defined(), op, ": undefined tensor");
  check_same_dtype(op, gates, cell);
  check_same_device(op, gates, cell);
  TENON_CHECK(is_floating(gates.dtype()), op, ": expects float32 or float64, got ", gates.str());
  TENON_CHECK(cell.rank() == 2 && gates.shape() == Shape({cell.size(0), 4 * cell.size(1)}), op,
              ": expects gates [N, 4 H] and a cell [N, H], got ", gates.shape(), " and ", cell.shape());
  return {cell.size(0), cell.size(1)};
}

}  // namespace

LstmCell lstm_cell(const Tensor& gates, const Tensor& cell) {
  const LstmShape shape = shape_of("lstm_cell", gates, cell);
  LstmCell next{Tensor::empty(cell.shape(), cell.dtype(), cell.device()),
                Tensor::empty(cell.shape(), cell.dtype(), cell.device())};
  if (cell.is_empty()) return next;
  const Tensor a = gates.contiguous(), c = cell.contiguous();
  TENON_DISPATCH(cell.device(), lstm_cell, shape, cell.dtype(), next.hidden.raw(), next.cell.raw(), a.raw(),
                 c.raw());
  return next;
}

LstmCellGradients lstm_cell_backward(const Tensor& g_hidden, const Tensor& g_cell, const Tensor& gates,
                                     const Tensor& cell) {
  const char* op = "lstm_cell_backward";
  const LstmShape shape = shape_of(op, gates, cell);
  for (const Tensor* g : {&g_hidden, &g_cell}) {
    TENON_CHECK(g->defined(), op, ": undefined gradient");
    check_same_dtype(op, *g, cell);
    check_same_device(op, *g, cell);
    TENON_CHECK(g->shape() == cell.shape(), op, ": expects gradients ", cell.shape(), ", got ", g->shape());
  }
  LstmCellGradients d{Tensor::empty(gates.shape(), gates.dtype(), gates.device()),
                      Tensor::empty(cell.shape(), cell.dtype(), cell.device())};
  if (cell.is_empty()) return d;
  const Tensor a = gates.contiguous(), c = cell.contiguous(), p = g_hidden.contiguous(),
               q = g_cell.contiguous();
  TENON_DISPATCH(cell.device(), lstm_cell_backward, shape, cell.dtype(), d.gates.raw(), d.cell.raw(), p.raw(),
                 q.raw(), a.raw(), c.raw());
  return d;
}

}  // namespace tenon

TENON_FORWARD(lstm_cell)
TENON_FORWARD(lstm_cell_backward)
