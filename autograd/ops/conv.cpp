#include "autograd/ops/conv.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/image.h"

namespace tenon {
Variable sum_over_positions(const Variable& g) {
  Dims axes{0};
  for (int i = 2; i < g.rank(); ++i) axes.push_back(i);
  return sum(g, axes);
}

// The four ops are linear in each operand, and the derivatives of each are the others. Write y = w * x for
// conv,
// <., .> for the sum of products; then <g, w * x> = <backward_input(g, w), x> = <backward_weight(g, x), w>.

// y = f(w * x + b + r)     with p = g, or g where y > 0 for relu:
//                          dx = backward_input(p, w), dw = backward_weight(p, x), db = sum p, dr = p
Variable conv(const Variable& x, const Variable& weight, const Variable& bias, const ConvOptions& options,
              Epilogue epilogue, const Variable& residual) {
  const bool with_relu = epilogue == Epilogue::relu;
  return record(
      "conv",
      conv(x.value(), weight.value(), value_or_none(bias), options, epilogue, value_or_none(residual)),
      {x, weight, bias, residual},
      [x = Saved(x), w = Saved(weight), options, with_relu](const Variable& g, Gradients& out) {
        const Variable p = with_relu ? relu_backward(g, Variable(out.output().value())) : g;
        // dw first: its scratch, up to megabytes, is gone before dx is there.
        if (out.needed(1)) out.set(1, conv_backward_weight(p, x(), spatial_extents(w().shape()), options));
        if (out.needed(0)) out.set(0, conv_backward_input(p, w(), spatial_extents(x().shape()), options));
        if (out.needed(2)) out.set(2, sum_over_positions(p));
        if (out.needed(3)) out.set(3, p);
      },
      Keep{.outputs = with_relu});
}

// y = backward_input(u, w)     du = w * g, dw = backward_weight(u, g)
Variable conv_backward_input(const Variable& u, const Variable& weight, const Dims& in,
                             const ConvOptions& options) {
  return record("conv_backward_input", conv_backward_input(u.value(), weight.value(), in, options),
                {u, weight}, [u = Saved(u), w = Saved(weight), options](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, conv(g, w(), {}, options));
                  if (out.needed(1))
                    out.set(1, conv_backward_weight(u(), g, spatial_extents(w().shape()), options));
                });
}

// y = backward_weight(u, x)    du = g * x, dx = backward_input(u, g)
Variable conv_backward_weight(const Variable& u, const Variable& x, const Dims& kernel,
                              const ConvOptions& options) {
  return record("conv_backward_weight", conv_backward_weight(u.value(), x.value(), kernel, options), {u, x},
                [u = Saved(u), x = Saved(x), options](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, conv(x(), g, {}, options));
                  if (out.needed(1))
                    out.set(1, conv_backward_input(u(), g, spatial_extents(x().shape()), options));
                });
}

// y = backward_input(x, w) + b     dx = w * g, dw = backward_weight(x, g), db = sum g
Variable conv_transpose(const Variable& x, const Variable& weight, const Variable& bias,
                        const ConvOptions& options, const Dims& output_padding) {
  return record("conv_transpose",
                conv_transpose(x.value(), weight.value(), value_or_none(bias), options, output_padding),
                {x, weight, bias},
                [x = Saved(x), w = Saved(weight), options](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, conv(g, w(), {}, options));
                  if (out.needed(1))
                    out.set(1, conv_backward_weight(x(), g, spatial_extents(w().shape()), options));
                  if (out.needed(2)) out.set(2, sum_over_positions(g));
                });
}

}  // namespace tenon

TENON_BACKWARD(conv)
TENON_BACKWARD(conv_backward_input)
TENON_BACKWARD(conv_backward_weight)
TENON_BACKWARD(conv_transpose)
