// The paths that sizes choose in the CUDA kernels over lists: ends of pieces and tiles, empty entries, lists
// that need several tables. Values are small integers and powers of two, so that every sum and product is
// exact and host and device must agree to the bit.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include "core/ops/lists.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "core/ops/sparsity.h"
#include "tests/cuda/device_array.h"

namespace tenon {
namespace {

using Tensors = std::vector<Tensor>;

// Integers in [-8, 8], one entry a shape.
Tensors integers(const std::vector<Shape>& shapes, DType dtype, std::mt19937_64& random) {
  Tensors list;
  for (const Shape& shape : shapes) {
    std::vector<double> values(static_cast<size_t>(shape.numel()));
    for (double& value : values) value = static_cast<double>(random() % 17) - 8;
    list.push_back(Tensor::from(values, shape).to(dtype));
  }
  return list;
}

Tensors on_device(const Tensors& list) {
  Tensors out;
  for (const Tensor& t : list) out.push_back(t.to(Device::cuda()));
  return out;
}

bool same(const Tensors& a, const Tensors& b) {
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].to(float64).to_vector<double>() != b[i].to(Device::cpu()).to(float64).to_vector<double>())
      return false;
  return a.size() == b.size();
}

// `f(a, b)` changes a from b, on both devices.
template <class F>
void check_on_both(const Tensors& a, const Tensors& b, uint64_t launches, F&& f) {
  const Tensors device_a = on_device(a), device_b = on_device(b);
  Tensors host_a;
  for (const Tensor& t : a) host_a.push_back(t.clone());
  f(host_a, b);
  const uint64_t before = cuda::launch_count();
  f(device_a, device_b);
  CHECK(cuda::launch_count() - before == launches);
  CHECK(same(host_a, device_a));
}

// Around the ends of pieces of 2048 elements, with nothing in between.
const std::vector<Shape> kPieces = {{1}, {0}, {2047}, {2048}, {0, 5}, {2049}, {3, 1500}, {0}};
// Around the ends of tiles of 32 rows and 128 columns.
const std::vector<Shape> kTiles = {{1, 1},   {32, 128},     {0, 7}, {33, 129, 1, 2},
                                   {2, 300}, {70, 3, 3, 3}, {5, 0}};

}  // namespace

TEST_CASE("cuda lists: updates at the ends of pieces, over entries that are empty") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(1);
  for (DType dtype : {float32, float64}) {
    const Tensors a = integers(kPieces, dtype, random), b = integers(kPieces, dtype, random);
    check_on_both(a, b, 1, [](const Tensors& y, const Tensors& x) { lists_axpy(3, x, y); });
    check_on_both(a, b, 1, [](const Tensors& y, const Tensors& x) { lists_lerp(y, x, 0.5); });
    check_on_both(a, b, 1, [](const Tensors& y, const Tensors&) { lists_clamp(y, -2, 3); });
    check_on_both(a, b, 1, [](const Tensors& g, const Tensors& w) { l1_gradient_add(w, g, 2); });
    const Tensors device_a = on_device(a);
    CHECK(lists_norm2(device_a) == lists_norm2(a));
    CHECK(same({abs_sum_sq_sum(a)}, {abs_sum_sq_sum(device_a)}));
  }
}

TEST_CASE("cuda lists: a list longer than one table of parameters") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(2);
  std::vector<Shape> shapes;
  for (int64_t i = 0; i < 150; ++i) shapes.push_back({i % 7 == 0 ? 0 : 1 + i % 5, 3});
  const Tensors a = integers(shapes, float32, random), b = integers(shapes, float32, random);
  std::vector<int64_t> counts;
  for (int64_t i = 0; i < 150; ++i) counts.push_back(1 + i % 2);
  const Tensors device_a = on_device(a), device_b = on_device(b);
  // A state is read by what its own entry's step count says, so a mistaken entry shows.
  const auto step = [&](const Tensors& p, const Tensors& g, const Tensors& momentum) {
    sgd_step(p, g, momentum, counts, {.lr = 0.5, .momentum = 0.5, .weight_decay = 2});
  };
  Tensors momentum = integers(shapes, float32, random), device_momentum = on_device(momentum);
  const uint64_t before = cuda::launch_count();
  step(device_a, device_b, device_momentum);
  CHECK(cuda::launch_count() - before > 1);
  step(a, b, momentum);
  CHECK(same(a, device_a));
  CHECK(same(momentum, device_momentum));
  CHECK(lists_norm2(device_a) == lists_norm2(a));
  CHECK(same({abs_sum_sq_sum(a)}, {abs_sum_sq_sum(device_a)}));
}

TEST_CASE("cuda lists: groups at the ends of tiles") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(3);
  for (DType dtype : {float32, float64})
    for (const Tensor& w : integers(kTiles, dtype, random)) {
      CAPTURE(w.str());
      const auto [rows, columns] = row_column_norms(w);
      const auto [device_rows, device_columns] = row_column_norms(w.to(Device::cuda()));
      CHECK(device_rows.device().is_cuda());
      CHECK(same({rows, columns}, {device_rows, device_columns}));
    }
  // All weights of an entry equal, and powers of two in number: norms and factors are powers of two.
  Tensors w, g;
  for (const Shape& shape : {Shape{16, 256}, Shape{64, 4, 4}, Shape{0, 4}, Shape{1, 1024}}) {
    w.push_back(Tensor::full(shape, 2));
    g.push_back(Tensor::ones(shape));
  }
  check_on_both(g, w, 4, [](const Tensors& to, const Tensors& from) {
    group_lasso_gradient_add(from, to, {1, 0.5});
  });
  w[0].select(0, 3).fill_(0);  // a group of norm 0; the other rows keep their norms
  check_on_both(g, w, 4, [](const Tensors& to, const Tensors& from) {
    group_lasso_gradient_add(from, to, {1, 0});
  });
}

TEST_CASE("cuda lists: entries on two devices are refused") {
  if (cuda::skip_without_device()) return;
  const Tensors mixed{Tensor::ones({2}), Tensor::ones({2}, float32, Device::cuda())};
  CHECK_THROWS_WITH_AS(lists_scale(mixed, 2), doctest::Contains("one device, cpu"), Error);
}

}  // namespace tenon

#endif
