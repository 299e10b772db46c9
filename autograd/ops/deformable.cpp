#include "autograd/ops/deformable.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/image.h"

namespace tenon {
namespace {

constexpr Keep kOnce{.once_reason = "the derivative of a bilinear sample by its place has steps"};

// Sets the gradients of offset (input 1) and mask (input 2) of columns of x, as far as they are wanted.
void set_backward_offset(Gradients& out, const Variable& g, const Variable& x, const Variable& offset,
                         const Variable& mask, const Dims& kernel, const ConvOptions& options) {
  if (!out.needed(1) && !out.needed(2)) return;
  const auto [doffset, dmask] = deformable_columns_backward_offset(g.value(), x.value(), offset.value(),
                                                                   value_or_none(mask), kernel, options);
  if (out.needed(1)) out.set(1, Variable(doffset));
  if (out.needed(2)) out.set(2, Variable(dmask));
}

}  // namespace

// Y = A(offset, mask) x    dx = A^T G, d(offset, mask) = backward_offset(G, x)
Variable deformable_columns(const Variable& x, const Variable& offset, const Variable& mask,
                            const Dims& kernel, const ConvOptions& options) {
  return record(
      "deformable_columns",
      deformable_columns(x.value(), offset.value(), value_or_none(mask), kernel, options), {x, offset, mask},
      [x = Saved(x), offset = Saved(offset), mask = SavedOptional(mask), kernel, options](const Variable& g,
                                                                                          Gradients& out) {
        const Variable m = mask();
        if (out.needed(0))
          out.set(0, deformable_columns_backward_input(g, offset(), m, spatial_extents(x().shape()), kernel,
                                                       options));
        set_backward_offset(out, g, x(), offset(), m, kernel, options);
      },
      kOnce);
}

// Z = A(offset, mask)^T U  dU = A h, d(offset, mask) = backward_offset(U, h), h the gradient of Z:  <h, A^T U> = <A h, U>
Variable deformable_columns_backward_input(const Variable& u, const Variable& offset, const Variable& mask,
                                           const Dims& in, const Dims& kernel, const ConvOptions& options) {
  return record(
      "deformable_columns_backward_input",
      deformable_columns_backward_input(u.value(), offset.value(), value_or_none(mask), in, kernel, options),
      {u, offset, mask},
      [u = Saved(u), offset = Saved(offset), mask = SavedOptional(mask), kernel, options](const Variable& h,
                                                                                          Gradients& out) {
        const Variable m = mask();
        if (out.needed(0)) out.set(0, deformable_columns(h, offset(), m, kernel, options));
        set_backward_offset(out, u(), h, offset(), m, kernel, options);
      },
      kOnce);
}

Variable deform_conv(const Variable& x, const Variable& offset, const Variable& mask, const Variable& weight,
                     const Variable& bias, const ConvOptions& options) {
  TENON_CHECK(weight.defined() && weight.rank() == 4 && x.defined() && x.rank() == 4 &&
                  weight.shape()[1] == x.shape()[1],
              "deform_conv: expects x [N, C, H, W] and a weight [O, C, *kernel], got ",
              x.defined() ? x.shape() : Shape{}, " and ", weight.defined() ? weight.shape() : Shape{});
  const Dims kernel = spatial_extents(weight.shape());
  const Variable columns = deformable_columns(x, offset, mask, kernel, options);
  const int64_t out_channels = weight.shape()[0];
  const Variable y = matmul(reshape(weight, {out_channels, columns.shape()[1]}), columns);
  const Variable image = reshape(y, {x.shape()[0], out_channels, offset.shape()[2], offset.shape()[3]});
  return bias.defined() ? add(image, reshape(bias, {out_channels, 1, 1})) : image;
}

}  // namespace tenon

TENON_BACKWARD(deformable_columns)
TENON_BACKWARD(deformable_columns_backward_input)
