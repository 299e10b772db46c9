#include "autograd/ops/index.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/index.h"

namespace tenon {
namespace {

std::vector<Tensor> values_of(const std::vector<Variable>& variables) {
  std::vector<Tensor> values;
  for (const Variable& v : variables) values.push_back(v.defined() ? v.value() : Tensor());
  return values;
}

// y[i] = x[p[i]] with positions p of a sort       dx[p[i]] = g[i], elsewhere 0
std::pair<Variable, Tensor> sorted(const char* op, std::pair<Tensor, Tensor> y, const Variable& x,
                                   int64_t axis) {
  Variable value =
      record(op, std::move(y.first), {x},
             [at = Saved(y.second), axis, extent = x.size(axis)](const Variable& g, Gradients& out) {
               out.set(0, scatter_add(g, axis, at().value(), extent));
             });
  return {value, y.second};
}

// y = x with a frame of its own elements      dx = g with the frame added to where it came from
Variable pad_with(const char* op, Tensor (*form)(const Tensor&, const Dims&, const Dims&), const Variable& x,
                  const Dims& before, const Dims& after) {
  return record(op, form(x.value(), before, after), {x},
                [form, before, after, shape = x.shape()](const Variable& g, Gradients& out) {
                  Variable folded = g;
                  for (int i = 0; i < shape.rank(); ++i) {
                    if (before[i] + after[i] == 0) continue;
                    // Padding a list of positions tells where each element of the padded axis came from.
                    Tensor origin =
                        form(Tensor::arange(shape[i], int64, g.device()), {before[i]}, {after[i]});
                    folded = index_add(folded, i, origin, shape[i]);
                  }
                  out.set(0, folded);
                });
}

}  // namespace

// gather and scatter_add are each other's transposes, and so are index_select and index_add.

// y[i] = x[p[i]]       dx[p[i]] += g[i]
Variable gather(const Variable& x, int64_t axis, const Tensor& index) {
  Tensor y = gather(x.value(), axis, index);
  return record("gather", std::move(y), {x},
                [p = Saved(index), axis, extent = x.size(axis)](const Variable& g, Gradients& out) {
                  out.set(0, scatter_add(g, axis, p().value(), extent));
                });
}

// y[p[i]] += x[i]      dx[i] = g[p[i]]
Variable scatter_add(const Variable& source, int64_t axis, const Tensor& index, int64_t extent) {
  Tensor y = scatter_add(source.value(), axis, index, extent);
  return record("scatter_add", std::move(y), {source},
                [p = Saved(index), axis](const Variable& g, Gradients& out) {
                  out.set(0, gather(g, axis, p().value()));
                });
}

// y[i] = x[p[i]], slices       dx[p[i]] += g[i]
Variable index_select(const Variable& x, int64_t axis, const Tensor& index) {
  Tensor y = index_select(x.value(), axis, index);
  return record("index_select", std::move(y), {x},
                [p = Saved(index), a = normalize_axis("index_select", axis, x.rank()), extent = x.size(axis)](
                    const Variable& g, Gradients& out) { out.set(0, index_add(g, a, p().value(), extent)); });
}

// y[p[i]] += x[i], slices      dx[i] = g[p[i]]
Variable index_add(const Variable& source, int64_t axis, const Tensor& index, int64_t extent) {
  Tensor y = index_add(source.value(), axis, index, extent);
  return record("index_add", std::move(y), {source},
                [p = Saved(index), axis](const Variable& g, Gradients& out) {
                  out.set(0, index_select(g, axis, p().value()));
                });
}

// y = value where m, else x        dx = 0 where m, else g
Variable masked_fill(const Variable& x, const Tensor& mask, double value) {
  Tensor y = masked_fill(x.value(), mask, value);
  return record("masked_fill", std::move(y), {x}, [m = Saved(mask)](const Variable& g, Gradients& out) {
    out.set(0, masked_fill(g, m().value(), 0));
  });
}

// y[i] = x[p[i]], p the positions where the mask is not 0
Variable masked_select(const Variable& x, const Tensor& mask) {
  Tensor y = masked_select(x.value(), mask);
  return record("masked_select", std::move(y), {x},
                [m = Saved(mask), shape = x.shape()](const Variable& g, Gradients& out) {
                  Tensor positions = nonzero(broadcast_to("masked_select", m().value(), shape));
                  out.set(0, reshape(index_add(g, 0, positions, shape.numel()), shape));
                });
}

// y = the parts one after the other        dx_i = part i of g
Variable cat(const std::vector<Variable>& parts, int64_t axis) {
  Tensor y = cat(values_of(parts), axis);
  std::vector<int64_t> sizes;
  for (const Variable& part : parts) sizes.push_back(part.size(axis));
  return record("cat", std::move(y), std::span<const Variable>(parts),
                [sizes, axis](const Variable& g, Gradients& out) {
                  std::vector<Variable> pieces = split(g, axis, sizes);
                  for (size_t i = 0; i < pieces.size(); ++i)
                    if (out.needed(static_cast<int>(i))) out.set(static_cast<int>(i), pieces[i]);
                });
}

// y = the layers side by side      dx_i = layer i of g
Variable stack(const std::vector<Variable>& layers, int64_t axis) {
  Tensor y = stack(values_of(layers), axis);
  const int a = normalize_axis("stack", axis, y.rank());
  const int count = static_cast<int>(layers.size());
  return record("stack", std::move(y), std::span<const Variable>(layers),
                [a, count](const Variable& g, Gradients& out) {
                  std::vector<Variable> pieces =
                      split(g, a, std::vector<int64_t>(static_cast<size_t>(count), 1));
                  for (int i = 0; i < count; ++i)
                    if (out.needed(i)) out.set(i, squeeze(pieces[static_cast<size_t>(i)], a));
                });
}

// y = x with a frame       dx = g without it
Variable pad(const Variable& x, const Dims& before, const Dims& after, double value) {
  return record("pad", pad(x.value(), before, after, value), {x},
                [before, after, shape = x.shape()](const Variable& g, Gradients& out) {
                  Variable inside = g;
                  for (int i = 0; i < shape.rank(); ++i)
                    if (before[i] + after[i] > 0) inside = slice(inside, i, before[i], before[i] + shape[i]);
                  out.set(0, inside);
                });
}

Variable pad_reflect(const Variable& x, const Dims& before, const Dims& after) {
  return pad_with("pad_reflect", pad_reflect, x, before, after);
}
Variable pad_replicate(const Variable& x, const Dims& before, const Dims& after) {
  return pad_with("pad_replicate", pad_replicate, x, before, after);
}

// y = x turned         dx = g turned
Variable flip(const Variable& x, const Dims& axes) {
  return record("flip", flip(x.value(), axes), {x},
                [axes](const Variable& g, Gradients& out) { out.set(0, flip(g, axes)); });
}

// y = x moved up       dx = g moved down
Variable roll(const Variable& x, const Dims& axes, const Dims& shifts) {
  return record("roll", roll(x.value(), axes, shifts), {x},
                [axes, shifts](const Variable& g, Gradients& out) {
                  Dims back = shifts;
                  for (int i = 0; i < back.rank(); ++i) back[i] = -shifts[i];
                  out.set(0, roll(g, axes, back));
                });
}

std::pair<Variable, Tensor> sort(const Variable& x, int64_t axis, bool descending) {
  return sorted("sort", sort(x.value(), axis, descending), x, axis);
}
std::pair<Variable, Tensor> topk(const Variable& x, int64_t k, int64_t axis, bool largest) {
  return sorted("topk", topk(x.value(), k, axis, largest), x, axis);
}

// y_i = sum_{j <= i} x_j       dx_j = sum_{i >= j} g_i
Variable cumsum(const Variable& x, int64_t axis, bool reverse) {
  return record(
      "cumsum", cumsum(x.value(), axis, reverse), {x},
      [axis, reverse](const Variable& g, Gradients& out) { out.set(0, cumsum(g, axis, !reverse)); });
}

}  // namespace tenon

TENON_BACKWARD(gather)
TENON_BACKWARD(scatter_add)
TENON_BACKWARD(index_select)
TENON_BACKWARD(index_add)
TENON_BACKWARD(masked_fill)
TENON_BACKWARD(masked_select)
TENON_BACKWARD(cat)
TENON_BACKWARD(stack)
TENON_BACKWARD(pad)
TENON_BACKWARD(pad_reflect)
TENON_BACKWARD(pad_replicate)
TENON_BACKWARD(flip)
TENON_BACKWARD(roll)
TENON_BACKWARD(sort)
TENON_BACKWARD(topk)
TENON_BACKWARD(cumsum)
