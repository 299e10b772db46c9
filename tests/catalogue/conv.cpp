#include "core/ops/conv.h"

#include "autograd/ops/conv.h"
#include "autograd/ops/view.h"
#include "core/ops/elementwise.h"
#include "tests/catalogue/naive_conv.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// {images, in channels, out channels, in, kernel, {stride, padding, dilation, groups}}
std::vector<ConvCase> conv_cases(Draw& d) {
  if (d.is(Size::large))
    return {{2, 40, 4, {20, 30}, {3, 3}, {.padding = {1}}},  // tiles within an image
            {1, 30, 2, {3000}, {5}, {.padding = {3}}},       // tiles within a line
            {30, 8, 6, {8, 8}, {5, 5}, {}},                  // several images a tile
            {3, 70, 9, {11, 12}, {3, 3}, {.stride = {2}}},   // several blocks of channels
            {1, 16, 4, {9, 10, 11}, {3, 3, 3}, {.padding = {1}}},
            {4, 32, 24, {17, 16}, {1, 1}, {}},
            {6, 24, 24, {20, 20}, {3, 3}, {.padding = {1}, .groups = 24}},
            {3, 4, 4, {700}, {9}, {.padding = {4}, .dilation = {2}}}};
  if (d.is(Size::one))
    return {{1, 1, 1, {1}, {1}, {}},
            {1, 1, 1, {1, 1}, {1, 1}, {}},
            {1, 1, 1, {1, 1, 1}, {3, 1, 3}, {.padding = {1, 0, 1}}}};
  if (d.is(Size::empty))
    return {{0, 2, 3, {5, 5}, {3, 3}, {}},
            {0, 2, 2, {5}, {3}, {.groups = 2}},
            {2, 2, 0, {3, 3}, {2, 2}, {}},
            {2, 0, 3, {3, 3}, {2, 2}, {}},
            {1, 2, 2, {0, 3}, {1, 2}, {.padding = {1, 0}}}};
  if (d.is(Size::odd))
    return {{1, 1, 1, {5, 7}, {3, 3}, {.stride = {2, 3}, .padding = {1, 2}}},
            {1, 1, 2, {19}, {3}, {.padding = {1}}},
            {1, 1, 1, {3, 3, 5}, {2, 2, 3}, {.stride = {1, 2, 1}, .padding = {0, 1, 1}}}};
  return {{2, 2, 3, {4, 4}, {3, 3}, {}},
          {2, 2, 2, {4}, {3}, {.stride = {2}, .padding = {1}}},
          {1, 2, 2, {3, 3, 3}, {2, 2, 2}, {.padding = {1, 0, 1}}},
          {2, 1, 2, {4, 3}, {3, 1}, {.padding = {1, 0}}},
          {1, 2, 2, {3, 4}, {1, 3}, {.padding = {0, 1}}},
          {1, 2, 1, {6, 6}, {2, 3}, {.stride = {2, 1}, .padding = {0, 2}, .dilation = {3, 2}}},
          {2, 4, 2, {3, 3}, {2, 2}, {.groups = 2}},
          {2, 3, 3, {3, 3}, {3, 3}, {.padding = {1}, .groups = 3}},
          {1, 2, 4, {3, 3}, {2, 2}, {.groups = 2}},
          {2, 2, 3, {3, 2}, {1, 1}, {}},
          {1, 2, 2, {5, 4}, {1, 1}, {.stride = {2}}},
          {1, 1, 1, {2, 2}, {2, 2}, {.padding = {3}}}};  // windows that see nothing but padding
}

// The same numbers with channels innermost in memory.
Tensor channels_inside(const Tensor& x) {
  Dims inside{0}, back{0, x.rank() - 1};
  for (int i = 2; i < x.rank(); ++i) inside.push_back(i), back.push_back(i - 1);
  inside.push_back(1);
  return x.permute(inside).contiguous().permute(back);
}
bool with_channels_last(Draw& d, const ConvCase& c) {
  return c.in_channels > 1 && c.in.rank() >= 2 && !d.is(Size::odd);
}

Array convolved(const ConvCase& c, const Arrays& in) {
  Array y(c.y_shape());
  for_each_product(c, [&](int64_t at, int64_t x, int64_t w) { y[at] += in[0][x] * in[1][w]; });
  if (in.size() > 2) {
    const int64_t positions = c.out().numel();
    for (int64_t i = 0; i < y.numel(); ++i) y[i] += in[2][i / positions % c.out_channels];
  }
  return y;
}
Array to_input(const ConvCase& c, const Array& g, const Array& w) {
  Array gx(c.x_shape());
  for_each_product(c, [&](int64_t y, int64_t x, int64_t at) { gx[x] += g[y] * w[at]; });
  return gx;
}
Array to_weight(const ConvCase& c, const Array& g, const Array& x) {
  Array gw(c.w_shape());
  for_each_product(c, [&](int64_t y, int64_t at, int64_t w) { gw[w] += g[y] * x[at]; });
  return gw;
}

// `c`, a convolution with a bias, with what is done to its sums.
Case finished_case(Draw& d, const ConvCase& s, Case c, Epilogue epilogue, bool with_residual) {
  if (with_residual) c.label += " residual";
  if (epilogue == Epilogue::relu) c.label += " relu";
  if (epilogue == Epilogue::relu) c.inputs[2] = d.far_from_zero({s.out_channels});
  if (with_residual)
    c.inputs.push_back(epilogue == Epilogue::relu ? affine(d.far_from_zero(s.y_shape()), 3, 0)
                                                  : d.normal(s.y_shape()));
  const auto residual = [with_residual](const auto& in) {
    return with_residual ? in[3] : std::decay_t<decltype(in[3])>();
  };
  c.tensors = [=](const Tensors& in) {
    return Tensors{conv(in[0], in[1], in[2], s.options, epilogue, residual(in))};
  };
  c.variables = [=](const Variables& in) {
    return Variables{conv(in[0], in[1], in[2], s.options, epilogue, residual(in))};
  };
  c.reference = [=](const Arrays& in) {
    Array y = convolved(s, in);
    for (int64_t i = 0; i < y.numel(); ++i) {
      if (with_residual) y[i] += in[3][i];
      if (epilogue == Epilogue::relu) y[i] = std::max(y[i], 0.0);
    }
    return Arrays{y};
  };
  return c;
}

const char* const kReason = "sums of up to some thousand products in float32";

const Register conv_row({
    .op = "conv",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ConvCase& s : conv_cases(d)) {
            Case c;
            c.label = s.label();
            c.inputs = {d.normal(s.x_shape()), d.normal(s.w_shape())};
            c.tensors = [s](const Tensors& in) { return Tensors{conv(in[0], in[1], {}, s.options)}; };
            c.variables = [s](const Variables& in) { return Variables{conv(in[0], in[1], {}, s.options)}; };
            c.reference = [s](const Arrays& in) { return Arrays{convolved(s, in)}; };
            cases.push_back(c);
            if (d.is(Size::large) && s.in.rank() != 2) continue;
            Case b = c;
            b.label += " bias";
            b.inputs.push_back(d.normal({s.out_channels}));
            b.tensors = [s](const Tensors& in) { return Tensors{conv(in[0], in[1], in[2], s.options)}; };
            b.variables = [s](const Variables& in) {
              return Variables{conv(in[0], in[1], in[2], s.options)};
            };
            if (with_channels_last(d, s))
              b.label += ", channels last", b.inputs[0] = channels_inside(b.inputs[0]);
            cases.push_back(b);
            for (Epilogue epilogue : {Epilogue::none, Epilogue::relu})
              for (bool with_residual : {true, false})
                if (with_residual || epilogue == Epilogue::relu)
                  cases.push_back(finished_case(d, s, b, epilogue, with_residual));
          }
          return cases;
        },
    .refusals =
        [] {
          const Tensor x = Tensor::zeros({2, 8, 5, 6, 7}), w = Tensor::zeros({32, 16, 3, 3, 3});
          const Tensor image = Tensor::zeros({1, 4, 5, 5}), kernel = Tensor::zeros({6, 4, 3, 3});
          return std::vector<Refusal>{
              {"undefined", [=] { conv(Tensor(), kernel); }, {"conv", "undefined"}},
              {"dtypes", [=] { conv(image, kernel.to(float64)); }, {"conv", "float32", "float64"}},
              {"integers",
               [=] { conv(image.to(int32), kernel.to(int32)); },
               {"conv", "float32 or float64", "int32"}},
              {"residual",
               [=] {
                 conv(image, kernel, {}, {}, Epilogue::none, Tensor::zeros({1, 6, 3, 4}));
               },
               {"conv2d", "residual", "[1, 6, 3, 3]", "[1, 6, 3, 4]"}},
              {"channels",
               [=] { conv(x, w); },
               {"conv3d: weight expects 16 input channels, input has 8 (input [2, 8, 5, 6, 7], weight [32, "
                "16, 3, 3, 3])"}},
              {"rank", [=] { conv(image, w); }, {"conv", "rank", "[1, 4, 5, 5]", "[32, 16, 3, 3, 3]"}},
              {"kernel",
               [=] {
                 conv(image, Tensor::zeros({6, 4, 7, 3}));
               },
               {"conv2d", "kernel [7, 3]", "larger", "[5, 5]"}},
              {"no taps",
               [=] {
                 conv(image, Tensor::zeros({6, 4, 0, 3}));
               },
               {"conv2d", "no taps"}},
              {"bias", [=] { conv(image, kernel, Tensor::zeros({4})); }, {"conv2d", "bias", "[6]", "[4]"}},
              {"stride",
               [=] { conv(image, kernel, {}, {.stride = {0}}); },
               {"conv2d", "stride", ">= 1", "[0]"}},
              {"padding",
               [=] {
                 conv(image, kernel, {}, {.padding = {1, -1}});
               },
               {"conv2d", "padding", ">= 0", "[1, -1]"}},
              {"dilation",
               [=] {
                 conv(image, kernel, {}, {.dilation = {1, 1, 1}});
               },
               {"conv2d", "dilation expects 2 values"}},
              {"beyond int64",
               [=] {
                 conv(Tensor::zeros({1, 1, 9}), Tensor::zeros({1, 1, 5}), {},
                      {.dilation = {int64_t{1} << 62}});
               },
               {"conv1d", "too large"}},
              {"groups",
               [=] {
                 conv(image, Tensor::zeros({5, 2, 3, 3}), {}, {.groups = 2});
               },
               {"conv2d", "5 output channels", "2 groups"}},
              {"no groups",
               [=] {
                 conv(Tensor::zeros({1, 0, 5, 5}), kernel, {}, {.groups = 0});
               },
               {"conv2d", "groups", ">= 1"}}};
        },
    .tolerance = 3e-6,
    .tolerance_reason = kReason,
});

const Register backward_input_row({
    .op = "conv_backward_input",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ConvCase& s : conv_cases(d)) {
            Case c;
            c.label = s.label();
            c.inputs = {d.normal(s.y_shape()), d.normal(s.w_shape())};
            if (with_channels_last(d, s))
              c.label += ", channels last", c.inputs[0] = channels_inside(c.inputs[0]);
            c.tensors = [s](const Tensors& in) {
              return Tensors{conv_backward_input(in[0], in[1], s.in, s.options)};
            };
            c.variables = [s](const Variables& in) {
              return Variables{conv_backward_input(in[0], in[1], s.in, s.options)};
            };
            c.reference = [s](const Arrays& in) { return Arrays{to_input(s, in[0], in[1])}; };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const Tensor g = Tensor::zeros({1, 6, 3, 3}), w = Tensor::zeros({6, 4, 3, 3});
          return std::vector<Refusal>{{"undefined",
                                       [=] {
                                         conv_backward_input(g, Tensor(), {5, 5});
                                       },
                                       {"conv_backward_input", "undefined"}},
                                      {"extents",
                                       [=] {
                                         conv_backward_input(g, w, {6, 5});
                                       },
                                       {"conv2d_backward_input", "[6, 5]", "[4, 3]", "[1, 6, 3, 3]"}},
                                      {"count",
                                       [=] { conv_backward_input(g, w, {5}); },
                                       {"conv2d_backward_input", "2 values", "[5]"}},
                                      {"channels",
                                       [=] {
                                         conv_backward_input(Tensor::zeros({1, 5, 3, 3}), w, {5, 5});
                                       },
                                       {"conv2d_backward_input", "6 output channels", "has 5"}}};
        },
    .tolerance = 3e-6,
    .tolerance_reason = kReason,
});

const Register backward_weight_row({
    .op = "conv_backward_weight",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ConvCase& s : conv_cases(d)) {
            Case c;
            c.label = s.label();
            c.inputs = {d.normal(s.y_shape()), d.normal(s.x_shape())};
            if (with_channels_last(d, s))
              c.label += ", channels last", c.inputs[1] = channels_inside(c.inputs[1]);
            c.tensors = [s](const Tensors& in) {
              return Tensors{conv_backward_weight(in[0], in[1], s.kernel, s.options)};
            };
            c.variables = [s](const Variables& in) {
              return Variables{conv_backward_weight(in[0], in[1], s.kernel, s.options)};
            };
            c.reference = [s](const Arrays& in) { return Arrays{to_weight(s, in[0], in[1])}; };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const Tensor g = Tensor::zeros({1, 6, 3, 3}), x = Tensor::zeros({1, 4, 5, 5});
          return std::vector<Refusal>{
              {"undefined",
               [=] {
                 conv_backward_weight(Tensor(), x, {3, 3});
               },
               {"conv_backward_weight", "undefined"}},
              {"extents",
               [=] {
                 conv_backward_weight(g, x, {3, 2});
               },
               {"conv2d_backward_weight", "[3, 4]", "[1, 6, 3, 3]"}},
              {"count",
               [=] {
                 conv_backward_weight(g, x, {3, 3, 3});
               },
               {"conv2d_backward_weight", "2 values", "[3, 3, 3]"}},
              {"images",
               [=] {
                 conv_backward_weight(Tensor::zeros({2, 6, 3, 3}), x, {3, 3});
               },
               {"conv2d_backward_weight", "as many gradients as images", "[2, 6, 3, 3]"}},
              {"groups",
               [=] {
                 conv_backward_weight(g, x, {3, 3}, {.groups = 3});
               },
               {"conv2d_backward_weight", "4 input channels", "3 groups"}}};
        },
    .tolerance = 3e-6,
    .tolerance_reason = kReason,
});

// A transposed convolution is told by the convolution that it is the transpose of: its x is that one's y. The
// output padding is what the division by the stride cut off there.
Dims output_padding(const ConvCase& s) {
  Dims extra;
  const Dims out = s.out();
  for (int i = 0; i < s.in.rank(); ++i) {
    const int64_t reach = s.option(s.options.dilation, i, 1) * (s.kernel[i] - 1) + 1;
    const int64_t least =
        (out[i] - 1) * s.option(s.options.stride, i, 1) - 2 * s.option(s.options.padding, i, 0) + reach;
    extra.push_back(s.in[i] - least);
  }
  return extra;
}

const Register transpose_row({
    .op = "conv_transpose",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ConvCase& s : conv_cases(d)) {
            if (s.in.numel() == 0) continue;  // an empty result is refused
            for (bool bias : {false, true}) {
              if (bias && s.in.rank() != 2) continue;
              Case c;
              c.label = s.label() + (bias ? " bias" : "");
              c.inputs = {d.normal(s.y_shape()), d.normal(s.w_shape())};
              if (bias) c.inputs.push_back(d.normal({s.in_channels}));
              const Dims extra = output_padding(s);
              c.tensors = [s, extra](const Tensors& in) {
                return Tensors{
                    conv_transpose(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), s.options, extra)};
              };
              c.variables = [s, extra](const Variables& in) {
                return Variables{
                    conv_transpose(in[0], in[1], in.size() > 2 ? in[2] : Variable(), s.options, extra)};
              };
              c.reference = [s](const Arrays& in) {
                Array y = to_input(s, in[0], in[1]);
                if (in.size() > 2)
                  for (int64_t i = 0; i < y.numel(); ++i) y[i] += in[2][i / s.in.numel() % s.in_channels];
                return Arrays{y};
              };
              cases.push_back(c);
            }
          }
          return cases;
        },
    .refusals =
        [] {
          const Tensor x = Tensor::zeros({1, 6, 3, 3}), w = Tensor::zeros({6, 4, 3, 3});
          return std::vector<Refusal>{
              {"undefined", [=] { conv_transpose(x, Tensor()); }, {"conv_transpose", "undefined"}},
              {"channels",
               [=] {
                 conv_transpose(Tensor::zeros({1, 5, 3, 3}), w);
               },
               {"conv2d_transpose: weight expects 6 input channels, input has 5 (input [1, 5, 3, 3], weight "
                "[6, 4, 3, 3])"}},
              {"output padding",
               [=] { conv_transpose(x, w, {}, {.stride = {2}}, {2}); },
               {"conv2d_transpose", "output_padding", "[2, 2]"}},
              {"empty output",
               [=] { conv_transpose(x, w, {}, {.padding = {3}}); },
               {"conv2d_transpose", "empty output"}},
              {"bias",
               [=] { conv_transpose(x, w, Tensor::zeros({6})); },
               {"conv2d_transpose", "bias", "[4]", "[6]"}}};
        },
    .tolerance = 3e-6,
    .tolerance_reason = kReason,
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(conv)
TENON_ROW(conv_backward_input)
TENON_ROW(conv_backward_weight)
TENON_ROW(conv_transpose)
