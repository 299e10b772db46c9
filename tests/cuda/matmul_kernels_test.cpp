// The paths inside the CUDA matrix product that sizes and strides choose: each tile and its edges, thin sides, k
// in parts, vectors, copies by 16 bytes and by elements. Inputs are small integers, whose sums are exact, in TF32
// too, so host and device must agree to the bit.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include "core/ops/matmul.h"
#include "tests/cuda/both_devices.h"

namespace tenon {
namespace {

struct Sizes {
  int64_t m, n, k;
  const char* kernel;  ///< launched last
};

void check_sizes(const Sizes& s, const Sizes& transposed_a, const Sizes& transposed_b, DType dtype,
                 std::mt19937_64& random) {
  INFO("m ", s.m, ", n ", s.n, ", k ", s.k);
  const Tensor a = integers({s.m, s.k}, dtype, random), a_t = integers({s.k, s.m}, dtype, random);
  const Tensor b = integers({s.k, s.n}, dtype, random), b_t = integers({s.n, s.k}, dtype, random);
  check_on_both(s.kernel, a, [&](const Tensor& x) { return matmul(x, b.to(x.device())); });
  check_on_both(transposed_a.kernel, a_t, [&](const Tensor& x) { return matmul(x.t(), b.to(x.device())); });
  check_on_both(transposed_b.kernel, a, [&](const Tensor& x) { return matmul(x, b_t.to(x.device()).t()); });
}

void check_all(const std::vector<Sizes>& sizes, std::initializer_list<DType> dtypes, uint64_t seed) {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(seed);
  for (DType dtype : dtypes)
    for (const Sizes& s : sizes) check_sizes(s, s, s, dtype, random);
}

}  // namespace

TEST_CASE("cuda kernels: matmul at the edges of its tiles, transposed or not") {
  check_all({{3, 5, 7, "matmul"},
             {64, 64, 16, "matmul"},
             {65, 63, 17, "matmul"},
             {130, 70, 33, "matmul"},
             {16, 68, 36, "matmul"},
             {17, 33, 40, "matmul"},
             {100, 4, 20, "matmul"},  // thin: transposed inside
             {90, 31, 9, "matmul"}},
            {float32, float64}, 1);
}

TEST_CASE("cuda kernels: matmul in wide tiles") {
  check_all({{1500, 1400, 9, "matmul"},   // 128 x 128, by 16 bytes
             {1497, 1403, 43, "matmul"},  // with edges, and more steps than buffers
             {60, 128 * 270, 77, "matmul"},
             {30, 256 * 264 - 3, 5, "matmul"},
             {256 * 264 - 4, 12, 10, "matmul"}},
            {float32}, 2);
}

TEST_CASE("cuda kernels: matmul with k in parts") {
  check_all({{40, 50, 1100, "join_parts"}, {5, 9, 700, "join_parts"}, {130, 7, 515, "join_parts"}},
            {float32, float64}, 3);
}

TEST_CASE("cuda kernels: matrix times vector") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(4);
  for (DType dtype : {float32, float64}) {
    // A row takes b by columns, or by rows where that is how it lies; the column form likewise.
    const char *row = "matmul_row", *dot = "matmul_dot", *join = "join_parts";
    for (int64_t k : {1, 40, 250, 600}) {
      const char* by_row = k < 256 ? row : join;
      check_sizes({1, 100, k, by_row}, {1, 100, k, by_row}, {1, 100, k, k == 1 ? by_row : dot}, dtype,
                  random);
      check_sizes({70, 1, k, dot}, {70, 1, k, k == 1 ? dot : by_row}, {70, 1, k, dot}, dtype, random);
    }
  }
}

TEST_CASE("cuda kernels: matmul batched and broadcast") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(5);
  const Tensor many = integers({4, 3, 10, 6}, float32, random), one = integers({3, 6, 9}, float32, random);
  check_on_both("matmul", many, [&](const Tensor& x) { return matmul(x, one.to(x.device())); });
  check_on_both("matmul", one, [&](const Tensor& x) {
    return matmul(x.transpose(-1, -2), many.to(x.device()).transpose(-1, -2));
  });
  const Tensor deep = integers({2, 12, 700}, float32, random), wide = integers({2, 700, 8}, float32, random);
  check_on_both("join_parts", deep, [&](const Tensor& x) { return matmul(x, wide.to(x.device())); });
  const Tensor vectors = integers({5, 1, 30}, float32, random), matrix = integers({30, 40}, float32, random);
  check_on_both("matmul_row", vectors, [&](const Tensor& x) { return matmul(x, matrix.to(x.device())); });
}

TEST_CASE("cuda kernels: matmul in TF32 rounds its operands and keeps small integers") {
  if (cuda::skip_without_device()) return;
  const cuda::WithSettings chosen({.tf32 = true});
  check_all({{5, 300, 20, "matmul"},
             {30, 260, 9, "matmul"},
             {64, 128, 8, "matmul"},
             {61, 130, 17, "matmul"},
             {200, 140, 33, "matmul"},
             {40, 70, 600, "join_parts"}},
            {float32, float64}, 6);
  // 2^-11 is half a unit of TF32's last place at 1, and is rounded away from zero.
  const Tensor x = Tensor::full({3, 1}, 1 + 0x1p-11, float32, Device::cuda());
  const Tensor y = matmul(x, Tensor::full({1, 2}, 1 + 0x1p-12, float32, Device::cuda()));
  CHECK(y.to(Device::cpu()).to_vector<float>() == std::vector<float>(6, 1 + 0x1p-10f));
}

}  // namespace tenon

#endif
