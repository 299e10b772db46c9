#include "core/ops/pool.h"

#include <cmath>
#include <limits>

#include "autograd/ops/pool.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// A pooling over [images, channels, *in]; adaptive if `adaptive` has extents.
struct PoolCase {
  int64_t images, channels;
  Dims in;
  PoolOptions options = {};
  Dims adaptive = {};

  int64_t option(const Dims& given, int axis, int64_t standard) const {
    return given.rank() == 0 ? standard : given[given.rank() == 1 ? 0 : axis];
  }
  int64_t kernel(int i) const { return option(options.kernel, i, 1); }
  int64_t stride(int i) const { return option(options.stride, i, kernel(i)); }
  int64_t padding(int i) const { return option(options.padding, i, 0); }
  int64_t dilation(int i) const { return option(options.dilation, i, 1); }
  Dims out() const {
    if (adaptive.rank() > 0) return adaptive;
    Dims extents;
    for (int i = 0; i < in.rank(); ++i) {
      const double room = static_cast<double>(in[i] + 2 * padding(i) - dilation(i) * (kernel(i) - 1) - 1);
      const double steps = room / static_cast<double>(stride(i));
      int64_t count = static_cast<int64_t>(options.ceil_mode ? std::ceil(steps) : std::floor(steps)) + 1;
      if (options.ceil_mode && (count - 1) * stride(i) >= in[i] + padding(i)) --count;
      extents.push_back(count);
    }
    return extents;
  }
  static Shape image(int64_t n, int64_t c, const Dims& spatial) {
    Shape shape{n, c};
    for (int64_t extent : spatial) shape.push_back(extent);
    return shape;
  }
  Shape x_shape() const { return image(images, channels, in); }
  Shape y_shape() const { return image(images, channels, out()); }
  std::string label() const {
    if (adaptive.rank() > 0) return concat(x_shape(), " to ", adaptive);
    return concat(x_shape(), " kernel ", options.kernel, " stride ", options.stride, " padding ",
                  options.padding, " dilation ", options.dilation, options.ceil_mode ? " ceil" : "",
                  options.count_include_pad ? "" : " without padding");
  }
};

// Calls `f(output, input, first, count)` for every element of every window, in order: `input` counts within
// the image's spatial block, `first` is where that block begins in x, `count` is what a mean divides by.
void for_each_element(
    const PoolCase& c,
    const std::function<void(int64_t output, int64_t input, int64_t first, int64_t count)>& f) {
  const Dims out = c.out();
  const int axes = c.in.rank();
  int64_t output = 0;
  for (int64_t plane = 0; plane < c.images * c.channels; ++plane)
    for_each_index(out, [&](const Dims& at) {
      Dims start, taps;
      int64_t inside = 1, padded = 1;
      for (int i = 0; i < axes; ++i) {
        if (c.adaptive.rank() > 0) {
          start.push_back(at[i] * c.in[i] / out[i]);
          const double end =
              std::ceil(static_cast<double>((at[i] + 1) * c.in[i]) / static_cast<double>(out[i]));
          taps.push_back(static_cast<int64_t>(end) - start[i]);
        } else {
          start.push_back(at[i] * c.stride(i) - c.padding(i));
          taps.push_back(c.kernel(i));
        }
        int64_t in = 0, pad = 0;
        for (int64_t t = 0; t < taps[i]; ++t) {
          const int64_t p = start[i] + t * c.dilation(i);
          in += p >= 0 && p < c.in[i];
          pad += p < c.in[i] + c.padding(i);
        }
        inside *= in, padded *= pad;
      }
      for_each_index(taps, [&](const Dims& tap) {
        int64_t input = 0;
        for (int i = 0; i < axes; ++i) {
          const int64_t p = start[i] + tap[i] * c.dilation(i);
          if (p < 0 || p >= c.in[i]) return;
          input = input * c.in[i] + p;
        }
        f(output, input, plane * c.in.numel(), c.options.count_include_pad ? padded : inside);
      });
      ++output;
    });
}

Arrays naive_max(const PoolCase& c, const Array& x) {
  Array y(c.y_shape(), -std::numeric_limits<double>::infinity()), index(c.y_shape(), -1);
  for_each_element(c, [&](int64_t o, int64_t i, int64_t first, int64_t) {
    const double v = x[first + i];
    if (index[o] < 0 || v > y[o]) y[o] = v, index[o] = static_cast<double>(i);
  });
  return {y, index};
}
Array naive_avg(const PoolCase& c, const Array& x) {
  Array y(c.y_shape());
  for_each_element(c, [&](int64_t o, int64_t i, int64_t first, int64_t count) {
    y[o] += x[first + i] / static_cast<double>(count);
  });
  return y;
}
Array naive_avg_backward(const PoolCase& c, const Array& g) {
  Array gx(c.x_shape());
  for_each_element(c, [&](int64_t o, int64_t i, int64_t first, int64_t count) {
    gx[first + i] += g[o] / static_cast<double>(count);
  });
  return gx;
}

// Windows of plain pooling; `dilated` adds those that averages refuse.
std::vector<PoolCase> pool_cases(Draw& d, bool dilated) {
  std::vector<PoolCase> cases;
  if (d.is(Size::large)) {
    cases = {{20, 10, {24, 24}, {.kernel = {2}}},
             {3, 70, {21, 20}, {.kernel = {3}, .stride = {2}, .padding = {1}}},
             {2, 3, {20, 21, 40}, {.kernel = {2, 3, 3}, .stride = {1, 2, 3}}},
             {4, 20, {300}, {.kernel = {5}, .stride = {1}, .padding = {2}}},
             {2, 3, {9, 71}, {.kernel = {3}, .stride = {2}, .padding = {1}}},
             {2, 3, {8, 66}, {.kernel = {2}}}};
  } else if (d.is(Size::one)) {
    cases = {{1, 1, {1}, {.kernel = {1}}},
             {1, 1, {1, 1}, {.kernel = {2}, .padding = {1}}},
             {1, 1, {1, 1, 1}, {.kernel = {1}}}};
  } else if (d.is(Size::empty)) {
    cases = {{0, 2, {4, 4}, {.kernel = {2}}}, {2, 0, {4}, {.kernel = {2}}}};
  } else if (d.is(Size::odd)) {
    cases = {{1, 2, {5, 7}, {.kernel = {3, 2}, .stride = {2, 1}, .padding = {1, 0}}},
             {1, 1, {37}, {.kernel = {2}}},
             {1, 1, {3, 5, 3}, {.kernel = {2}, .stride = {1, 3, 1}}}};
  } else {
    cases = {{2, 2, {4, 4}, {.kernel = {2}}},
             {1, 2, {5, 5}, {.kernel = {3}, .stride = {2}, .padding = {1}}},
             {1, 2, {5, 4}, {.kernel = {3, 2}, .stride = {3, 2}, .padding = {1, 1}, .ceil_mode = true}},
             {1,
              2,
              {5, 4},
              {.kernel = {3, 2},
               .stride = {3, 2},
               .padding = {1, 1},
               .ceil_mode = true,
               .count_include_pad = false}},
             {2, 2, {6}, {.kernel = {3}, .stride = {1}, .padding = {1}, .count_include_pad = false}},
             {1, 2, {3, 3, 3}, {.kernel = {2}, .stride = {1}}},
             {1, 3, {6, 2}, {.kernel = {3, 1}}},
             {1, 1, {5, 5}, {.kernel = {2}, .ceil_mode = true}}};
  }
  if (dilated && d.is(Size::normal)) {
    cases.push_back({1, 2, {6, 5}, {.kernel = {2, 3}, .stride = {1}, .padding = {1, 0}, .dilation = {3, 2}}});
    cases.push_back({1, 2, {9}, {.kernel = {3}, .stride = {2}, .dilation = {2}}});
  }
  return cases;
}

std::vector<PoolCase> adaptive_cases(Draw& d) {
  if (d.is(Size::large))
    return {
        {4, 70, {15, 16}, {}, {7, 7}}, {8, 20, {14, 14}, {}, {7, 14}}, {2, 3, {20, 20, 20}, {}, {3, 5, 1}}};
  if (d.is(Size::one))
    return {{1, 1, {1}, {}, {1}}, {1, 1, {1, 1}, {}, {1, 1}}, {1, 1, {1, 1, 1}, {}, {2, 1, 1}}};
  if (d.is(Size::empty)) return {{0, 2, {4, 4}, {}, {2, 2}}, {2, 0, {4}, {}, {3}}};
  if (d.is(Size::odd))
    return {{1, 2, {5, 7}, {}, {3, 2}}, {1, 1, {31}, {}, {7}}, {1, 1, {3, 5, 3}, {}, {2, 2, 1}}};
  return {{2, 2, {4, 4}, {}, {2, 2}},
          {1, 2, {5, 4}, {}, {3, 4}},
          {1, 3, {5}, {}, {2}},
          {1, 2, {3, 2, 3}, {}, {2, 1, 3}},
          {1, 2, {2, 3}, {}, {4, 5}}};  // the last: more outputs than inputs
}

// The same numbers with channels innermost in memory.
Tensor channels_inside(const Tensor& x) {
  Dims inside{0}, back{0, x.rank() - 1};
  for (int i = 2; i < x.rank(); ++i) inside.push_back(i), back.push_back(i - 1);
  inside.push_back(1);
  return x.permute(inside).contiguous().permute(back);
}

// Each case as it is, and channels last where there are channels.
void push_both_orders(std::vector<Case>& cases, const PoolCase& s, const Case& c) {
  cases.push_back(c);
  if (s.channels < 2 || s.in.rank() != 2) return;
  Case last = c;
  last.label += ", channels last";
  for (Tensor& x : last.inputs) x = channels_inside(x);
  cases.push_back(last);
}

std::vector<Case> max_cases(Draw& d, bool adaptive) {
  std::vector<Case> cases;
  for (const PoolCase& s : adaptive ? adaptive_cases(d) : pool_cases(d, true)) {
    Case c;
    c.label = s.label();
    c.inputs = {d.distinct(s.x_shape())};
    c.tensors = [s, adaptive](const Tensors& in) {
      auto [y, index] = adaptive ? adaptive_max_pool(in[0], s.adaptive) : max_pool(in[0], s.options);
      return Tensors{y, index};
    };
    c.variables = [s, adaptive](const Variables& in) {
      auto [y, index] = adaptive ? adaptive_max_pool(in[0], s.adaptive) : max_pool(in[0], s.options);
      return Variables{y, Variable(index)};
    };
    c.reference = [s](const Arrays& in) { return naive_max(s, in[0]); };
    push_both_orders(cases, s, c);
    if (adaptive || !d.is(Size::odd)) continue;
    Case special = c;  // ties, infinities and NaN
    special.label += " special values";
    special.variables = nullptr;
    special.inputs = {d.integers(s.x_shape(), -1, 2, float64)};
    double* p = special.inputs[0].data<double>();
    for (int64_t i = 0; i < s.x_shape().numel(); i += 3) p[i] = -std::numeric_limits<double>::infinity();
    cases.push_back(special);
  }
  return cases;
}

std::vector<Refusal> pool_refusals(const char* op,
                                   std::function<void(const Tensor&, const PoolOptions&)> call) {
  const Tensor x = Tensor::zeros({2, 3, 6, 5});
  constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
  return {{"undefined", [=] { call(Tensor(), {.kernel = {2}}); }, {op, "undefined"}},
          {"dtype", [=] { call(x.to(int32), {.kernel = {2}}); }, {op, "float32 or float64", "int32"}},
          {"rank",
           [=] {
             call(Tensor::zeros({2, 3}), {.kernel = {2}});
           },
           {op, "rank 3, 4 or 5", "[2, 3]"}},
          {"no kernel", [=] { call(x, {}); }, {op, "2d", "expects a kernel"}},
          {"kernel",
           [=] {
             call(x, {.kernel = {2, 2, 2}});
           },
           {op, "2d", "kernel expects 2 values", "[2, 2, 2]"}},
          {"large",
           [=] {
             call(x, {.kernel = {7, 2}});
           },
           {op, "2d", "larger than the input [6, 5]"}},
          {"beyond int64",
           [=] { call(x, {.kernel = {kLargest}, .padding = {kLargest / 2}}); },
           {op, "2d", "too large"}},
          {"stride", [=] { call(x, {.kernel = {2}, .stride = {0}}); }, {op, "2d", "stride", ">= 1"}},
          {"padding",
           [=] { call(x, {.kernel = {2}, .padding = {2}}); },
           {op, "2d", "padding", "half of the kernel"}},
          {"no extent",
           [=] {
             call(Tensor::zeros({2, 3, 0, 5}), {.kernel = {2}, .padding = {1}});
           },
           {op, "2d", "extent 0"}}};
}

Row max_row(const char* op, bool adaptive) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) { return max_cases(d, adaptive); };
  row.refusals = [=] {
    if (!adaptive) {
      auto refusals = pool_refusals(op, [](const Tensor& x, const PoolOptions& o) { max_pool(x, o); });
      refusals.push_back(
          {"window in the padding",
           [] {
             max_pool(Tensor::zeros({1, 1, 1}), {.kernel = {2}, .padding = {1}, .dilation = {2}});
           },
           {"max_pool1d", "window 0 lies wholly in the padding"}});
      return refusals;
    }
    return std::vector<Refusal>{{"undefined", [=] { adaptive_max_pool(Tensor(), {1}); }, {op, "undefined"}},
                                {"extents",
                                 [=] {
                                   adaptive_max_pool(Tensor::zeros({1, 1, 4, 4}), {0});
                                 },
                                 {"adaptive_max_pool2d", ">= 1", "[0]"}},
                                {"count",
                                 [=] {
                                   adaptive_max_pool(Tensor::zeros({1, 1, 4}), {2, 2});
                                 },
                                 {"adaptive_max_pool1d", "1 values"}},
                                {"dtype",
                                 [=] {
                                   adaptive_max_pool(Tensor::zeros({1, 1, 4}, int64), {2});
                                 },
                                 {op, "float32 or float64", "int64"}}};
  };
  row.tolerance = 0;
  row.tolerance_reason = "elements are chosen, not computed";
  row.tolerance64 = 0;
  return row;
}
const Register max_pool_row(max_row("max_pool", false));
const Register adaptive_max_row(max_row("adaptive_max_pool", true));

// An index as max_pool makes it (overlapping windows name some inputs twice), drawn at random.
Tensor draw_index(Draw& d, const PoolCase& s) {
  return d.integers(s.y_shape(), 0, std::max<int64_t>(1, s.in.numel()), int32);
}

std::vector<Refusal> index_refusals(const char* op, std::function<void(const Tensor&, const Tensor&)> call) {
  const Tensor x = Tensor::zeros({1, 2, 2, 2}), index = Tensor::zeros({1, 2, 2, 2}, int32);
  return {{"undefined", [=] { call(Tensor(), index); }, {op, "undefined"}},
          {"undefined index", [=] { call(x, Tensor()); }, {"undefined index"}},
          {"index dtype", [=] { call(x, index.to(int64)); }, {"index expects int32", "int64"}},
          {"index channels",
           [=] {
             call(x, Tensor::zeros({1, 3, 2, 2}, int32));
           },
           {"index expects", "[1, 3, 2, 2]"}},
          {"index too large",
           [=] {
             call(x, Tensor::full({1, 2, 2, 2}, 99, int32));
           },
           {"index 99", "outside"}},
          {"index negative",
           [=] {
             call(x, Tensor::full({1, 2, 2, 2}, -1, int32));
           },
           {"index -1", "outside"}}};
}

const Register max_backward_row({
    .op = "max_pool_backward",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const PoolCase& s : pool_cases(d, true)) {
            Case c;
            c.label = s.label();
            c.inputs = {d.normal(s.y_shape()), draw_index(d, s)};
            c.tensors = [s](const Tensors& in) { return Tensors{max_pool_backward(in[0], in[1], s.in)}; };
            c.variables = [s](const Variables& in) {
              return Variables{max_pool_backward(in[0], in[1].value(), s.in)};
            };
            c.reference = [s](const Arrays& in) {
              Array gx(s.x_shape());
              const int64_t out = s.out().numel(), positions = s.in.numel();
              for (int64_t i = 0; i < in[0].numel(); ++i)
                gx[i / out * positions + static_cast<int64_t>(in[1][i])] += in[0][i];
              return Arrays{gx};
            };
            push_both_orders(cases, s, c);
          }
          return cases;
        },
    .refusals =
        [] {
          auto refusals = index_refusals("max_pool_backward", [](const Tensor& g, const Tensor& index) {
            max_pool_backward(g, index, {3, 3});
          });
          refusals.push_back(
              {"shape",
               [] {
                 max_pool_backward(Tensor::zeros({1, 1, 2}), Tensor::zeros({1, 1, 3}, int32), {9});
               },
               {"max_pool1d_backward", "[1, 1, 2]", "[1, 1, 3]"}});
          refusals.push_back(
              {"count",
               [] {
                 max_pool_backward(Tensor::zeros({1, 1, 2}), Tensor::zeros({1, 1, 2}, int32), {9, 9});
               },
               {"max_pool1d_backward", "1 values", "[9, 9]"}});
          return refusals;
        },
    .tolerance = 2e-6,
    .tolerance_reason = "a few gradients may meet at one input",
});

const Register gather_row({
    .op = "max_pool_gather",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const PoolCase& s : pool_cases(d, true)) {
            Case c;
            c.label = s.label();
            c.inputs = {d.normal(s.x_shape()), draw_index(d, s)};
            c.tensors = [](const Tensors& in) { return Tensors{max_pool_gather(in[0], in[1])}; };
            c.variables = [](const Variables& in) {
              return Variables{max_pool_gather(in[0], in[1].value())};
            };
            c.reference = [s](const Arrays& in) {
              Array y(s.y_shape());
              const int64_t out = s.out().numel(), positions = s.in.numel();
              for (int64_t i = 0; i < y.numel(); ++i)
                y[i] = in[0][i / out * positions + static_cast<int64_t>(in[1][i])];
              return Arrays{y};
            };
            push_both_orders(cases, s, c);
          }
          return cases;
        },
    .refusals =
        [] {
          return index_refusals("max_pool_gather",
                                [](const Tensor& x, const Tensor& index) { max_pool_gather(x, index); });
        },
    .tolerance = 0,
    .tolerance_reason = "elements are copied, not computed",
    .tolerance64 = 0,
});

// Rows of means: forward and backward, plain and adaptive.
Row avg_row(const char* op, bool adaptive, bool backward) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (const PoolCase& s : adaptive ? adaptive_cases(d) : pool_cases(d, false)) {
      Case c;
      c.label = s.label();
      c.inputs = {d.normal(backward ? s.y_shape() : s.x_shape())};
      auto apply = [=](const auto& x) {
        if (backward)
          return adaptive ? adaptive_avg_pool_backward(x, s.in) : avg_pool_backward(x, s.in, s.options);
        return adaptive ? adaptive_avg_pool(x, s.adaptive) : avg_pool(x, s.options);
      };
      c.tensors = [=](const Tensors& in) { return Tensors{apply(in[0])}; };
      c.variables = [=](const Variables& in) { return Variables{apply(in[0])}; };
      c.reference = [=](const Arrays& in) {
        return Arrays{backward ? naive_avg_backward(s, in[0]) : naive_avg(s, in[0])};
      };
      push_both_orders(cases, s, c);
    }
    return cases;
  };
  row.refusals = [=] {
    const Tensor x = Tensor::zeros({1, 2, 4, 4});
    if (adaptive && backward)
      return std::vector<Refusal>{{"undefined",
                                   [=] {
                                     adaptive_avg_pool_backward(Tensor(), {4, 4});
                                   },
                                   {op, "undefined"}},
                                  {"count",
                                   [=] { adaptive_avg_pool_backward(x, {4}); },
                                   {"adaptive_avg_pool2d_backward", "2 values", "[4]"}},
                                  {"no extent",
                                   [=] {
                                     adaptive_avg_pool_backward(x, {0, 4});
                                   },
                                   {"adaptive_avg_pool2d_backward", "extent 0"}}};
    if (adaptive)
      return std::vector<Refusal>{{"undefined", [=] { adaptive_avg_pool(Tensor(), {1}); }, {op, "undefined"}},
                                  {"extents",
                                   [=] {
                                     adaptive_avg_pool(x, {-1, 2});
                                   },
                                   {"adaptive_avg_pool2d", ">= 1", "[-1, 2]"}},
                                  {"count",
                                   [=] {
                                     adaptive_avg_pool(x, {1, 1, 1});
                                   },
                                   {"adaptive_avg_pool2d", "2 values"}}};
    if (backward)
      return std::vector<Refusal>{{"undefined",
                                   [=] {
                                     avg_pool_backward(Tensor(), {4, 4}, {.kernel = {2}});
                                   },
                                   {op, "undefined"}},
                                  {"count",
                                   [=] { avg_pool_backward(x, {8}, {.kernel = {2}}); },
                                   {"avg_pool2d_backward", "2 values", "[8]"}},
                                  {"extents",
                                   [=] {
                                     avg_pool_backward(x, {8, 7}, {.kernel = {2}});
                                   },
                                   {"avg_pool2d_backward", "[8, 7]", "[4, 3]", "[1, 2, 4, 4]"}},
                                  {"dilation",
                                   [=] {
                                     avg_pool_backward(x, {9, 9}, {.kernel = {2}, .dilation = {2}});
                                   },
                                   {"avg_pool2d_backward", "no dilation"}}};
    auto refusals = pool_refusals(op, [](const Tensor& t, const PoolOptions& o) { avg_pool(t, o); });
    refusals.push_back({"dilation",
                        [=] { avg_pool(x, {.kernel = {2}, .dilation = {2}}); },
                        {"avg_pool2d", "no dilation", "[2]"}});
    return refusals;
  };
  row.tolerance = 2e-6;
  row.tolerance_reason = "sums of the elements of a window in float32";
  return row;
}
const Register avg_pool_row(avg_row("avg_pool", false, false));
const Register avg_backward_row(avg_row("avg_pool_backward", false, true));
const Register adaptive_avg_row(avg_row("adaptive_avg_pool", true, false));
const Register adaptive_backward_row(avg_row("adaptive_avg_pool_backward", true, true));

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(max_pool)
TENON_ROW(adaptive_max_pool)
TENON_ROW(max_pool_backward)
TENON_ROW(max_pool_gather)
TENON_ROW(avg_pool)
TENON_ROW(avg_pool_backward)
TENON_ROW(adaptive_avg_pool)
TENON_ROW(adaptive_avg_pool_backward)
