#include "autograd/ops/sparse.h"
#include "core/ops/sparse.h"
#include "tests/catalogue/drawn_pattern.h"
#include "tests/catalogue/naive_conv.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// {images, in channels, out channels, in, kernel, {stride, padding, dilation, groups}}
std::vector<ConvCase> sparse_conv_sizes(Draw& d) {
  if (d.is(Size::large))
    return {{3, 12, 20, {30, 33}, {5, 5}, {}}, {2, 6, 7, {9, 10, 12}, {3, 3, 3}, {.padding = {1}}}};
  if (d.is(Size::one)) return {{1, 1, 1, {1}, {1}, {}}, {1, 1, 1, {1, 1}, {3, 3}, {.padding = {1}}}};
  if (d.is(Size::empty)) return {{0, 2, 3, {5, 5}, {3, 3}, {}}, {2, 0, 3, {3, 3}, {2, 2}, {}}};
  if (d.is(Size::odd))
    return {{1, 1, 3, {5, 7}, {3, 2}, {.padding = {1, 2}}},
            {2, 1, 5, {19}, {3}, {.dilation = {3}}},
            {1, 1, 3, {7, 5}, {7, 5}, {.padding = {1, 2}}}};  // more taps than a word has bits
  return {{2, 2, 4, {4, 4}, {3, 3}, {}},
          {1, 2, 3, {5, 4}, {2, 3}, {.padding = {0, 2}, .dilation = {3, 1}}},
          {2, 2, 5, {6}, {3}, {.padding = {1}}},
          {1, 2, 2, {3, 2, 3}, {2, 1, 2}, {.padding = {1, 0, 1}}}};
}

Case sparse_conv_case(Draw& d, const ConvCase& size, int64_t block, bool with_bias, Epilogue epilogue) {
  const int64_t columns = size.w_shape().numel() / std::max<int64_t>(1, size.out_channels);
  const DrawnPattern w = draw_pattern(d, size.out_channels, columns, block, 0.5);
  Case c;
  c.label = concat(size.label(), ", ", w.pattern.str(), with_bias ? " bias" : "",
                   epilogue == Epilogue::relu ? " relu" : "");
  c.inputs = {d.normal(w.pattern.values_shape()), d.normal(size.x_shape())};
  if (with_bias) c.inputs.push_back(d.far_from_zero({size.out_channels}));
  auto call = [=](const auto& in, const auto& none) {
    return sparse_conv(w.pattern.to(in[0].device()), in[0], in[1], size.kernel, with_bias ? in[2] : none,
                       size.options, epilogue);
  };
  c.tensors = [call](const Tensors& in) { return Tensors{call(in, Tensor())}; };
  c.variables = [call](const Variables& in) { return Variables{call(in, Variable())}; };
  c.reference = [=](const Arrays& in) {
    Array dense(size.w_shape()), y(size.y_shape());
    for_each_element(w, [&](int64_t m, int64_t k, int64_t value) { dense[m * columns + k] = in[0][value]; });
    for_each_product(size, [&](int64_t to, int64_t x, int64_t at) { y[to] += dense[at] * in[1][x]; });
    const int64_t outputs = size.out().numel();
    for (int64_t i = 0; i < y.numel(); ++i) {
      if (with_bias) y[i] += in[2][i / outputs % size.out_channels];
      if (epilogue == Epilogue::relu) y[i] = std::max(y[i], 0.0);
    }
    return Arrays{y};
  };
  return c;
}

const Register sparse_conv_row({
    .op = "sparse_conv",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const ConvCase& size : sparse_conv_sizes(d))
            for (int64_t block : {1, 4}) {
              cases.push_back(sparse_conv_case(d, size, block, false, Epilogue::none));
              cases.push_back(sparse_conv_case(d, size, block, true, Epilogue::relu));
            }
          return cases;
        },
    .refusals =
        [] {
          const SparsePattern w = SparsePattern::from_mask(Tensor::ones({2, 4}));
          auto call = [w](const Tensor& values, const Tensor& x, const Dims& kernel,
                          const ConvOptions& options = {}) {
            sparse_conv(w, values, x, kernel, {}, options);
          };
          const Tensor v = Tensor::zeros({8}), x = Tensor::zeros({1, 1, 3, 3});
          return std::vector<Refusal>{
              {"no pattern",
               [=] {
                 sparse_conv({}, v, x, {2, 2});
               },
               {"sparse_conv", "undefined pattern"}},
              {"no values",
               [=] {
                 call({}, x, {2, 2});
               },
               {"sparse_conv", "undefined values"}},
              {"no input",
               [=] {
                 call(v, {}, {2, 2});
               },
               {"sparse_conv", "undefined x"}},
              {"values",
               [=] {
                 call(Tensor::zeros({7}), x, {2, 2});
               },
               {"sparse_conv", "[8]", "[7]"}},
              {"mixed dtypes",
               [=] {
                 call(v, x.to(float64), {2, 2});
               },
               {"float32", "float64"}},
              {"integers",
               [=] {
                 call(v.to(int32), x.to(int32), {2, 2});
               },
               {"sparse_conv", "int32"}},
              {"rank",
               [=] {
                 call(v, Tensor::zeros({3, 3}), {2, 2});
               },
               {"sparse_conv", "rank 3, 4 or 5"}},
              {"kernel", [=] { call(v, x, {2}); }, {"sparse_conv", "2 extents"}},
              {"taps",
               [=] {
                 call(v, x, {3, 1});
               },
               {"sparse_conv", "channels x taps", "1 x 3"}},
              {"size",
               [=] {
                 call(v, x, {4, 1});
               },
               {"sparse_conv", "larger than the input"}},
              {"stride",
               [=] {
                 call(v, x, {2, 2}, {.stride = {2}});
               },
               {"sparse_conv", "stride 1"}},
              {"groups",
               [=] {
                 call(v, x, {2, 2}, {.groups = 2});
               },
               {"sparse_conv", "one group"}},
          };
        },
    .tolerance = 2e-6,
    .tolerance_reason = "sums of up to 300 products in float32; the largest result is about 50",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(sparse_conv)
