#include "core/ops/deformable.h"

#include <cmath>

#include "autograd/ops/deformable.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

struct DeformCase {
  int64_t images, channels;
  Dims in, kernel, stride, padding, dilation;
  bool with_mask;

  int64_t out(int i) const {
    return (in[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i] + 1;
  }
  int64_t taps() const { return kernel[0] * kernel[1]; }
  int64_t positions() const { return out(0) * out(1); }
  ConvOptions options() const { return {.stride = stride, .padding = padding, .dilation = dilation}; }
  Shape x() const { return {images, channels, in[0], in[1]}; }
  Shape offset() const { return {images, 2 * taps(), out(0), out(1)}; }
  Shape mask() const { return {images, taps(), out(0), out(1)}; }
  Shape columns() const { return {images, channels * taps(), positions()}; }
  std::string label() const {
    return concat("x ", x(), " kernel ", kernel, " stride ", stride, " padding ", padding, " dilation ",
                  dilation, with_mask ? " mask" : "");
  }
};

std::vector<DeformCase> deform_sizes(const Draw& d) {
  if (d.is(Size::large)) return {{2, 130, {15, 17}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, true}};
  if (d.is(Size::one)) return {{1, 1, {1, 1}, {1, 1}, {1, 1}, {0, 0}, {1, 1}, true}};
  if (d.is(Size::empty))
    return {{0, 2, {4, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, true},
            {2, 0, {4, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, true}};
  if (d.is(Size::odd))
    return {{1, 17, {5, 3}, {3, 1}, {2, 1}, {1, 0}, {1, 1}, true},
            {1, 3, {7, 5}, {2, 3}, {1, 1}, {0, 2}, {3, 2}, false}};
  return {{2, 2, {4, 5}, {3, 3}, {1, 1}, {1, 1}, {1, 1}, false},
          {2, 3, {4, 4}, {2, 2}, {2, 2}, {1, 0}, {1, 1}, true}};
}

// Up to two elements away, and never near one: there the slope steps.
Tensor draw_offset(Draw& d, const DeformCase& c) {
  Tensor moves = d.uniform(c.offset(), 0.1, 0.9);
  const Tensor whole = d.integers(c.offset(), -2, 2);
  for (int64_t i = 0; i < moves.numel(); ++i)
    moves.data<double>()[i] += static_cast<double>(whole.data<int64_t>()[i]);
  return moves;
}

// Calls f(element of columns, element of x, image, tap, position, down, right) for each corner of each sample that lies
// in x; `down` and `right` say how far the sample is from it.
template <class F>
void for_each_corner(const DeformCase& c, const Array& offset, F&& f) {
  for (int64_t n = 0; n < c.images; ++n)
    for (int64_t t = 0; t < c.taps(); ++t)
      for (int64_t p = 0; p < c.positions(); ++p) {
        const int64_t at = (n * c.taps() + t) * 2 * c.positions() + p;
        const int64_t row = p / c.out(1), tap_row = t / c.kernel[1];
        const int64_t top = row * c.stride[0] - c.padding[0] + tap_row * c.dilation[0];
        const int64_t left = p % c.out(1) * c.stride[1] - c.padding[1] + t % c.kernel[1] * c.dilation[1];
        const double y = static_cast<double>(top) + offset[at];
        const double x = static_cast<double>(left) + offset[at + c.positions()];
        for (int64_t h = 0; h < c.in[0]; ++h)
          for (int64_t w = 0; w < c.in[1]; ++w) {
            const double down = y - static_cast<double>(h), right = x - static_cast<double>(w);
            if (std::fabs(down) >= 1 || std::fabs(right) >= 1) continue;
            for (int64_t ch = 0; ch < c.channels; ++ch)
              f(((n * c.channels + ch) * c.taps() + t) * c.positions() + p,
                ((n * c.channels + ch) * c.in[0] + h) * c.in[1] + w, n, t, p, down, right);
          }
      }
}

// A tent of height 1 over an element, and its slope.
double tent(double distance) { return 1 - std::fabs(distance); }
double slope(double distance) { return distance < 0 ? 1 : -1; }

double mask_of(const DeformCase& c, const Array* mask, int64_t n, int64_t t, int64_t p) {
  return mask == nullptr ? 1 : (*mask)[(n * c.taps() + t) * c.positions() + p];
}

// Inputs: x or g, then offset, then the mask if there is one, which is the last.
Tensors draw_inputs(Draw& d, const DeformCase& size, Tensors first) {
  first.push_back(draw_offset(d, size));
  if (size.with_mask) first.push_back(d.uniform(size.mask(), 0.2, 1));
  return first;
}
template <class X>
X mask_in(const DeformCase& size, const std::vector<X>& in) {
  return size.with_mask ? in.back() : X();
}
const Array* mask_in(const DeformCase& size, const Arrays& in) {
  return size.with_mask ? &in.back() : nullptr;
}

std::vector<Case> columns_cases(Draw& d) {
  std::vector<Case> cases;
  for (const DeformCase& size : deform_sizes(d)) {
    Case c;
    c.label = size.label();
    c.inputs = draw_inputs(d, size, {d.normal(size.x())});
    const auto call = [size](const auto& in) {
      return deformable_columns(in[0], in[1], mask_in(size, in), size.kernel, size.options());
    };
    c.tensors = [call](const Tensors& in) { return Tensors{call(in)}; };
    c.variables = [call](const Variables& in) { return Variables{call(in)}; };
    c.reference = [size](const Arrays& in) {
      Array columns(size.columns());
      for_each_corner(size, in[1],
                      [&](int64_t to, int64_t x, int64_t n, int64_t t, int64_t p, double down, double right) {
                        columns[to] +=
                            mask_of(size, mask_in(size, in), n, t, p) * tent(down) * tent(right) * in[0][x];
                      });
      return Arrays{columns};
    };
    cases.push_back(c);
  }
  return cases;
}

std::vector<Case> backward_input_cases(Draw& d) {
  std::vector<Case> cases;
  for (const DeformCase& size : deform_sizes(d)) {
    Case c;
    c.label = size.label();
    c.inputs = draw_inputs(d, size, {d.normal(size.columns())});
    const auto call = [size](const auto& in) {
      return deformable_columns_backward_input(in[0], in[1], mask_in(size, in), size.in, size.kernel,
                                               size.options());
    };
    c.tensors = [call](const Tensors& in) { return Tensors{call(in)}; };
    c.variables = [call](const Variables& in) { return Variables{call(in)}; };
    c.reference = [size](const Arrays& in) {
      Array dx(size.x());
      for_each_corner(
          size, in[1],
          [&](int64_t from, int64_t x, int64_t n, int64_t t, int64_t p, double down, double right) {
            dx[x] += mask_of(size, mask_in(size, in), n, t, p) * tent(down) * tent(right) * in[0][from];
          });
      return Arrays{dx};
    };
    cases.push_back(c);
  }
  return cases;
}

std::vector<Case> backward_offset_cases(Draw& d) {
  std::vector<Case> cases;
  for (const DeformCase& size : deform_sizes(d)) {
    Case c;
    c.label = size.label();
    c.inputs = draw_inputs(d, size, {d.normal(size.columns()), d.normal(size.x())});
    c.tensors = [size](const Tensors& in) {
      const auto [doffset, dmask] = deformable_columns_backward_offset(in[0], in[1], in[2], mask_in(size, in),
                                                                       size.kernel, size.options());
      return size.with_mask ? Tensors{doffset, dmask} : Tensors{doffset};
    };
    c.reference = [size](const Arrays& in) {
      Array doffset(size.offset()), dmask(size.mask());
      for_each_corner(
          size, in[2],
          [&](int64_t from, int64_t x, int64_t n, int64_t t, int64_t p, double down, double right) {
            const int64_t at = (n * size.taps() + t) * 2 * size.positions() + p;
            const double product = in[0][from] * in[1][x], m = mask_of(size, mask_in(size, in), n, t, p);
            doffset[at] += m * slope(down) * tent(right) * product;
            doffset[at + size.positions()] += m * tent(down) * slope(right) * product;
            dmask[(n * size.taps() + t) * size.positions() + p] += tent(down) * tent(right) * product;
          });
      return size.with_mask ? Arrays{doffset, dmask} : Arrays{doffset};
    };
    cases.push_back(c);
  }
  return cases;
}

// What all three refuse. `call` gets offset, mask, kernel and options beside operands for x [1, 1, 3, 3].
template <class F>
std::vector<Refusal> deform_refusals(const std::string& op, F&& call) {
  const Tensor offset = Tensor::zeros({1, 8, 2, 2}), mask = Tensor::zeros({1, 4, 2, 2});
  const Dims kernel{2, 2};
  return {
      {"undefined offset", [=] { call(Tensor(), mask, kernel, ConvOptions{}); }, {op, "undefined offset"}},
      {"offset",
       [=] {
         call(Tensor::zeros({1, 8, 2, 3}), mask, kernel, ConvOptions{});
       },
       {op, "[1, 8, 2, 2]", "[1, 8, 2, 3]"}},
      {"mask",
       [=] {
         call(offset, Tensor::zeros({1, 8, 2, 2}), kernel, ConvOptions{});
       },
       {op, "[1, 4, 2, 2]", "[1, 8, 2, 2]"}},
      {"dtype of the mask",
       [=] { call(offset, mask.to(float64), kernel, ConvOptions{}); },
       {op, "float32", "float64"}},
      {"dtype of x",
       [=] { call(offset.to(float64), mask.to(float64), kernel, ConvOptions{}); },
       {op, "float32", "float64"}},
      {"integers", [=] { call(offset.to(int32), mask.to(int32), kernel, ConvOptions{}); }, {op, "int32"}},
      {"kernel",
       [=] {
         call(offset, mask, Dims{0, 2}, ConvOptions{});
       },
       {op, "two extents"}},
      {"too large",
       [=] {
         call(offset, mask, Dims{4, 1}, ConvOptions{});
       },
       {op, "larger than the input"}},
      {"groups", [=] { call(offset, mask, kernel, ConvOptions{.groups = 2}); }, {op, "one group"}}};
}

const Register columns_row({
    .op = "deformable_columns",
    .cases = columns_cases,
    .refusals =
        [] {
          const std::string op = "deformable_columns";
          std::vector<Refusal> all = deform_refusals(op, [](const Tensor& offset, const Tensor& mask,
                                                            const Dims& kernel, const ConvOptions& options) {
            deformable_columns(Tensor::zeros({1, 1, 3, 3}), offset, mask, kernel, options);
          });
          const Tensor offset = Tensor::zeros({1, 8, 2, 2});
          all.push_back({"undefined x",
                         [=] {
                           deformable_columns({}, offset, {}, {2, 2});
                         },
                         {op, "undefined x"}});
          all.push_back({"rank",
                         [=] {
                           deformable_columns(Tensor::zeros({1, 3, 3}), offset, {}, {2, 2});
                         },
                         {op, "[N, C, H, W]", "[1, 3, 3]"}});
          return all;
        },
    .tolerance = 4e-6,
    .tolerance_reason = "a sample's place, up to 20, is rounded to 1e-6 in float32, and slopes are up to 4",
});

const Register backward_input_row({
    .op = "deformable_columns_backward_input",
    .cases = backward_input_cases,
    .refusals =
        [] {
          const std::string op = "deformable_columns_backward_input";
          std::vector<Refusal> all = deform_refusals(op, [](const Tensor& offset, const Tensor& mask,
                                                            const Dims& kernel, const ConvOptions& options) {
            deformable_columns_backward_input(Tensor::zeros({1, 4, 4}), offset, mask, {3, 3}, kernel,
                                              options);
          });
          const Tensor offset = Tensor::zeros({1, 8, 2, 2});
          const auto call = [offset](const Tensor& g, const Dims& in) {
            deformable_columns_backward_input(g, offset, {}, in, {2, 2});
          };
          all.push_back({"undefined g", [=] { call({}, {3, 3}); }, {op, "undefined g"}});
          all.push_back({"rank", [=] { call(Tensor::zeros({4, 4}), {3, 3}); }, {op, "[4, 4]"}});
          all.push_back({"columns",
                         [=] {
                           call(Tensor::zeros({1, 6, 4}), {3, 3});
                         },
                         {op, "[1, 4, 4]", "[1, 6, 4]"}});
          all.push_back({"extents",
                         [=] {
                           call(Tensor::zeros({1, 4, 4}), {3});
                         },
                         {op, "two extents", "[3]"}});
          return all;
        },
    .tolerance = 1e-5,
    .tolerance_reason = "as deformable_columns, in sums of up to 20 corners",
});

const Register backward_offset_row({
    .op = "deformable_columns_backward_offset",
    .cases = backward_offset_cases,
    .refusals =
        [] {
          const std::string op = "deformable_columns_backward_offset";
          std::vector<Refusal> all = deform_refusals(op, [](const Tensor& offset, const Tensor& mask,
                                                            const Dims& kernel, const ConvOptions& options) {
            deformable_columns_backward_offset(Tensor::zeros({1, 4, 4}), Tensor::zeros({1, 1, 3, 3}), offset,
                                               mask, kernel, options);
          });
          const Tensor offset = Tensor::zeros({1, 8, 2, 2}), x = Tensor::zeros({1, 1, 3, 3});
          const auto call = [offset](const Tensor& g, const Tensor& image) {
            deformable_columns_backward_offset(g, image, offset, {}, {2, 2});
          };
          all.push_back({"undefined g", [=] { call({}, x); }, {op, "undefined g"}});
          all.push_back({"undefined x", [=] { call(Tensor::zeros({1, 4, 4}), {}); }, {op, "undefined x"}});
          all.push_back({"columns",
                         [=] {
                           call(Tensor::zeros({1, 6, 4}), x);
                         },
                         {op, "[1, 4, 4]", "[1, 6, 4]"}});
          return all;
        },
    .tolerance = 1e-5,
    .tolerance_reason = "as deformable_columns, in sums over up to 130 channels",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(deformable_columns)
TENON_ROW(deformable_columns_backward_input)
TENON_ROW(deformable_columns_backward_offset)
