// Sparse matrices and their products, beyond what the catalogue draws.
#include "core/sparse.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "core/ops/sparse.h"
#include "core/parallel.h"
#include "core/random.h"
#include "tests/seed.h"

using namespace tenon;

namespace {

// Small integers of which about `share` are not 0: sums of their products are exact in float32.
Tensor integers(const Shape& shape, double share, Generator& generator) {
  Tensor x = random_integers(shape, generator, -4, 5).to(float32);
  for (int64_t i = 0; i < x.numel(); ++i)
    if (generator.next_uniform() >= share) x.data<float>()[i] = 0;
  return x;
}

bool equal_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.to_vector<float>() == b.to_vector<float>();
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("sparse: dense, CSR and blocks hold the same matrix") {
  Generator generator(test_seed());
  for (const Shape& shape : {Shape{7, 5}, Shape{1, 9}, Shape{33, 20}, Shape{0, 4}, Shape{4, 0}}) {
    INFO(shape.str());
    const Tensor dense = integers(shape, 0.3, generator);
    const CsrMatrix csr = CsrMatrix::from_dense(dense);
    CHECK(equal_bits(csr.to_dense(), dense));
    CHECK(csr.values.to_vector<float>().size() == static_cast<size_t>(csr.pattern.entries()));
    for (float v : csr.values.to_vector<float>()) CHECK(v != 0);
    CHECK(equal_bits(CsrMatrix::from_dense(dense.t()).to_dense(), dense.t().contiguous()));
    for (int64_t block : {4, 8, 16}) {
      const BlockSparseMatrix blocks = BlockSparseMatrix::from_dense(dense, block);
      CHECK(equal_bits(blocks.to_dense(), dense));
      CHECK(blocks.pattern.lists() == (shape[0] + block - 1) / block);
    }
  }
}

TEST_CASE("sparse: a mask says which elements are kept, be they 0 or not") {
  const Tensor dense = Tensor::from<float>({0, 1, 2, 3, 4, 5}, {2, 3});
  const Tensor mask = Tensor::from<uint8_t>({1, 0, 1, 0, 0, 1}, {2, 3});
  const CsrMatrix w = CsrMatrix::from_mask(dense, mask);
  CHECK(w.values.to_vector<float>() == std::vector<float>{0, 2, 5});
  CHECK(w.pattern.by_rows().offsets.to_vector<int32_t>() == std::vector<int32_t>{0, 2, 3});
  CHECK(w.pattern.by_rows().indices.to_vector<int32_t>() == std::vector<int32_t>{0, 2, 2});
  CHECK(w.pattern.by_columns().offsets.to_vector<int32_t>() == std::vector<int32_t>{0, 1, 1, 3});
  CHECK(w.pattern.by_columns().indices.to_vector<int32_t>() == std::vector<int32_t>{0, 0, 1});
  CHECK(w.pattern.by_columns().positions.to_vector<int32_t>() == std::vector<int32_t>{0, 1, 2});
  CHECK(w.pattern.by_rows().order.to_vector<int32_t>() == std::vector<int32_t>{0, 1});
  CHECK(w.pattern.by_columns().order.to_vector<int32_t>() == std::vector<int32_t>{2, 0, 1});
}

TEST_CASE("sparse: NaN is an element, and padding of blocks is ignored") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(CsrMatrix::from_dense(Tensor::from<float>({0, nan}, {1, 2})).pattern.entries() == 1);
  // Five rows in blocks of four: three rows of the last blocks do not exist.
  const SparsePattern pattern(5, 2, Tensor::from<int32_t>({0, 0, 1}), Tensor::from<int32_t>({1}), 4);
  const Tensor values = Tensor::from<float>({2, nan, nan, nan}, {1, 4});
  for (int64_t n : {1, 3, 70}) {
    CHECK(equal_bits(spmm(pattern, values, Tensor::ones({2, n})),
                     matmul(pattern.scatter(values), Tensor::ones({2, n}))));
    const Tensor z = spmm_transposed(pattern, values, Tensor::ones({5, n}));
    CHECK(equal_bits(z.select(0, 1), Tensor::full({n}, 2)));
    const Tensor v = sddmm(pattern, Tensor::ones({5, n}), Tensor::ones({2, n}));
    CHECK(v.to_vector<float>() == std::vector<float>{static_cast<float>(n), 0, 0, 0});
  }
}

TEST_CASE("sparse: products equal dense ones to the bit at every width of panel, layout and thread count") {
  Generator generator(test_seed());
  const int before = num_threads();
  std::vector<Device> devices = {Device::cpu()};
  if (Device::has_cuda()) devices.push_back(Device::cuda());
  for (int64_t n : {1, 2, 15, 16, 17, 31, 48, 63, 64, 65, 100, 128, 129, 256, 600}) {
    const int64_t m = 37, k = 50;
    const Tensor x = integers({k, n}, 1, generator), g = integers({m, n}, 1, generator);
    for (int64_t block : {1, 4, 8, 16}) {
      INFO("n ", n, ", blocks of ", block);
      const Tensor w = integers({m, k}, 0.2, generator);
      const SparsePattern pattern = SparsePattern::from_mask(w, block);
      const Tensor values = pattern.gather(w), y = matmul(w, x), z = matmul(w.t(), g);
      const Tensor v = pattern.gather(matmul(g, x.t()));
      for (Device device : devices) {
        const SparsePattern p = pattern.to(device);
        const Tensor dv = values.to(device), dx = x.to(device), dg = g.to(device);
        for (int threads : {1, 7}) {
          set_num_threads(threads);
          CHECK(equal_bits(spmm(p, dv, dx), y));
          CHECK(equal_bits(spmm(p, dv, x.t().contiguous().to(device).t()), y));
          CHECK(equal_bits(spmm_transposed(p, dv, dg), z));
          CHECK(equal_bits(spmm_transposed(p, dv, g.t().contiguous().to(device).t()), z));
          CHECK(equal_bits(sddmm(p, dg, dx), v));
        }
      }
    }
  }
  set_num_threads(before);
}

TEST_CASE("sparse: malformed patterns and matrices are refused") {
  auto offsets = [](std::vector<int64_t> v) { return Tensor::from(v); };
  auto indices = [](std::vector<int32_t> v) { return Tensor::from(v); };
  struct Bad {
    std::function<void()> call;
    std::string message;
  };
  const std::vector<Bad> cases = {
      {[&] {
         SparsePattern(2, 3, offsets({0, 1}), indices({0}));
       },
       "expects 3 row offsets, got 2"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 1, 2}), indices({0}));
       },
       "from 0 to 1, got 0 to 2"},
      {[&] {
         SparsePattern(2, 3, offsets({1, 1, 1}), indices({0}));
       },
       "got 1 to 1"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 2, 1}), indices({0}));
       },
       "fall from 2 to 1 behind row 1"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 5, 1}), indices({0}));
       },
       "fall from 5 to 1 behind row 1"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 1, 1}), indices({3}));
       },
       "index 3 of row 0 is outside [0, 3)"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 1, 1}), indices({-1}));
       },
       "index -1 of row 0"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 0, 2}), indices({1, 1}));
       },
       "of row 1 expect to ascend"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 0, 2}), indices({2, 1}));
       },
       "got 2 before 1"},
      {[&] {
         SparsePattern(2, 3, offsets({0, 0}), indices({}), 3);
       },
       "1, 4, 8 or 16 rows, got 3"},
      {[&] { SparsePattern(-1, 3, offsets({0}), indices({})); }, "got -1 x 3"},
      {[&] { SparsePattern(int64_t{1} << 31, 3, offsets({0}), indices({})); }, "2147483648 x 3"},
      {[&] { SparsePattern(1, 3, Tensor::zeros({2}), indices({})); }, "row offsets expect int32 or int64"},
      {[&] { SparsePattern(1, 3, Tensor(), indices({})); }, "undefined row offsets"},
      {[&] { SparsePattern::from_mask(Tensor::zeros({3})); }, "mask [rows, columns], got float32 [3]"},
      {[&] { SparsePattern().rows(); }, "rows of an undefined pattern"},
      {[&] {
         CsrMatrix(SparsePattern(1, 3, offsets({0, 1}), indices({2})), Tensor::zeros({2}));
       },
       "values [1], got float32 [2]"},
      {[&] {
         CsrMatrix(SparsePattern(1, 3, offsets({0, 1}), indices({2})), Tensor::zeros({1}, int32));
       },
       "float32 or float64"},
      {[&] {
         CsrMatrix(SparsePattern(1, 3, offsets({0, 0}), indices({}), 4), Tensor::zeros({0, 4}));
       },
       "blocks of one row"},
      {[&] {
         BlockSparseMatrix(SparsePattern(1, 3, offsets({0, 0}), indices({})), Tensor::zeros({0}));
       },
       "blocks of 4, 8 or 16"},
      {[&] {
         CsrMatrix::from_mask(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}, uint8));
       },
       "mask of shape [2, 3], got [3, 2]"},
  };
  for (const Bad& bad : cases) {
    const std::string message = message_of(bad.call);
    INFO("expected '", bad.message, "', got '", message, "'");
    CHECK(message.find(bad.message) != std::string::npos);
  }
}
