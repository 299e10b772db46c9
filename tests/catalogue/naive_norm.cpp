#include "tests/catalogue/naive_norm.h"

#include <cmath>

namespace tenon::catalogue {

Statistics naive_statistics(const Array& x, const Sets& sets) {
  Statistics s{Array(sets.shape), Array(sets.shape)};
  auto set = [&](int64_t i) { return sets.set[static_cast<size_t>(i)]; };
  for (int64_t i = 0; i < x.numel(); ++i) s.mean[set(i)] += x[i] / sets.count;
  for (int64_t i = 0; i < x.numel(); ++i)
    s.variance[set(i)] += std::pow(x[i] - s.mean[set(i)], 2) / sets.count;
  return s;
}

// inputs: x, then weight and bias if there are any
Array naive_apply(const Arrays& in, const Sets& sets, const Statistics& s) {
  Array y(in[0].shape);
  for (int64_t i = 0; i < y.numel(); ++i) {
    int64_t set = sets.set[static_cast<size_t>(i)], c = sets.channel[static_cast<size_t>(i)];
    y[i] = (in[0][i] - s.mean[set]) / std::sqrt(s.variance[set] + kEps);
    if (in.size() > 1) y[i] = y[i] * in[1][c] + in[2][c];
  }
  return y;
}

// inputs: g, x, then weight if there is one
Arrays naive_backward(const Arrays& in, int64_t groups) {
  const Array &g = in[0], &x = in[1];
  Sets sets(x.shape, groups);
  Statistics s = naive_statistics(x, sets);
  Array dx(x.shape), dweight({x.shape[1]}), dbias({x.shape[1]}), mean_p(sets.shape), mean_ph(sets.shape);
  auto r = [&](int64_t set) { return 1 / std::sqrt(s.variance[set] + kEps); };
  auto visit = [&](const std::function<void(int64_t, int64_t, int64_t, double, double)>& f) {
    for (int64_t i = 0; i < x.numel(); ++i) {
      int64_t set = sets.set[static_cast<size_t>(i)], c = sets.channel[static_cast<size_t>(i)];
      f(i, set, c, (x[i] - s.mean[set]) * r(set), in.size() > 2 ? g[i] * in[2][c] : g[i]);
    }
  };
  visit([&](int64_t i, int64_t set, int64_t c, double h, double p) {
    mean_p[set] += p / sets.count;
    mean_ph[set] += p * h / sets.count;
    dweight[c] += g[i] * h;
    dbias[c] += g[i];
  });
  visit([&](int64_t i, int64_t set, int64_t, double h, double p) {
    dx[i] = r(set) * (p - mean_p[set] - h * mean_ph[set]);
  });
  return {dx, dweight, dbias};
}

std::vector<NormVariant> batch_variants(Draw& d) {
  if (d.is(Size::large))
    return {{{2, 3, 130, 130}, 0, true, false},
            {{2, 3, 130, 130}, 0, true, true},
            {{600, 70}, 0, true, false},
            {{5000, 3, 4}, 0, true, false}};
  if (d.is(Size::empty)) return {{{3, 0, 2}, 0, true, false}};
  int64_t n = d.extent(2, 3, 0), c = d.extent(3, 2, 0), s = d.extent(3, 5, 0);
  return {{{n, c}, 0, true, false},
          {{n, c, s}, 0, false, false},
          {{n, c, s, 2}, 0, true, false},
          {{n, c, s, 2}, 0, true, true},
          {{n, 1, 2, s, 2}, 0, true, false}};
}

Shape drawn_shape(const NormVariant& v) {
  if (!v.channels_last) return v.shape;
  Shape shape{v.shape[0]};
  for (int i = 2; i < v.shape.rank(); ++i) shape.push_back(v.shape[i]);
  shape.push_back(v.shape[1]);
  return shape;
}

static Dims to_channels_first(const NormVariant& v) {
  Dims order{0, v.shape.rank() - 1};
  for (int i = 1; i + 1 < v.shape.rank(); ++i) order.push_back(i);
  return order;
}

Tensor seen(const Tensor& x, const NormVariant& v) {
  return v.channels_last ? x.permute(to_channels_first(v)) : x;
}
Variable seen(const Variable& x, const NormVariant& v) {
  return v.channels_last ? permute(x, to_channels_first(v)) : x;
}

// The array of a drawn tensor, reordered to [N, C, *].
Array seen(const Array& x, const NormVariant& v) {
  if (!v.channels_last) return x;
  Array y(v.shape);
  int64_t inner = x.numel() / std::max<int64_t>(1, v.shape[0] * v.shape[1]);
  for (int64_t n = 0; n < v.shape[0]; ++n)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t c = 0; c < v.shape[1]; ++c)
        y[(n * v.shape[1] + c) * inner + i] = x[(n * inner + i) * v.shape[1] + c];
  return y;
}

std::vector<Refusal> shared_refusals(const char* op,
                                     const std::function<void(Tensor x, Tensor w, Tensor b)>& call) {
  auto refusals = unary_refusals(op, [call](const Tensor& x) { call(x, Tensor(), Tensor()); });
  Tensor x = Tensor::zeros({2, 4, 3});
  refusals.push_back(
      {"rank", [=] { call(Tensor::zeros({4}), Tensor(), Tensor()); }, {op, "[N, C, *]", "[4]"}});
  refusals.push_back({"weight", [=] { call(x, Tensor::zeros({3}), Tensor()); }, {op, "weight [4]", "[3]"}});
  refusals.push_back({"weight's dtype",
                      [=] { call(x, Tensor::zeros({4}, float64), Tensor()); },
                      {op, "float32", "float64"}});
  return refusals;
}

}  // namespace tenon::catalogue
