// NVIDIA's libraries in place of our kernels, or in the emulation their twins: the same numbers (to the bit, of small
// integers) where a build has them, and elsewhere an Error that says so, never our own kernel in silence.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <functional>

#include "core/ops/conv.h"
#include "core/ops/linalg.h"
#include "core/ops/matmul.h"
#include "core/ops/sparse.h"
#include "core/random.h"
#include "cuda/runtime/stream.h"
#include "tests/cuda/both_devices.h"

namespace tenon {
namespace {

// Does this build lack the library? Then `f` of x on the device has to throw, and to say so.
bool lacks(const char* library, const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  std::string message;
  try {
    f(x.to(Device::cuda()));
  } catch (const Error& error) {
    message = error.what();
  }
  if (message.empty()) return false;
  INFO(message);
  CHECK(message.find(std::string("asks for ") + library) != std::string::npos);
  CHECK(message.find(concat("CUDA=", cuda::build_mode())) != std::string::npos);
  return true;
}

// Compares with the host and with our kernel, where the build has the library; and the library has to have served.
void check_by_library(const char* library, const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  if (lacks(library, x, f)) return;
  const uint64_t before = cuda::library_calls();
  check_on_both(library, x, f);
  const uint64_t after = cuda::library_calls();
  CHECK(after > before);
  const cuda::WithSettings own({});
  CHECK(same(f(x), f(x.to(Device::cuda()))));
  CHECK(cuda::library_calls() == after);
  CHECK(cuda::last_kernel() != std::string(library));
}

}  // namespace

TEST_CASE("cuda libraries: cublas multiplies, or the build says that it lacks it") {
  if (cuda::skip_without_device()) return;
  const cuda::WithSettings chosen({.matmul_by_cublas = true});
  std::mt19937_64 random(1);
  for (DType dtype : {float32, float64}) {
    const Tensor a = integers({5, 7}, dtype, random), b = integers({7, 9}, dtype, random);
    const Tensor many = integers({4, 3, 9, 7}, dtype, random), few = integers({3, 7, 2}, dtype, random);
    check_by_library("cublas", a, [&](const Tensor& x) { return matmul(x, b.to(x.device())); });
    check_by_library("cublas", b, [&](const Tensor& x) { return matmul(x.t(), a.to(x.device()).t()); });
    check_by_library("cublas", many, [&](const Tensor& x) { return matmul(x, few.to(x.device())); });
    check_by_library("cublas", a,
                     [&](const Tensor& x) { return matmul(x, many.to(x.device()).transpose(-1, -2)); });
  }
}

TEST_CASE("cuda libraries: cudnn convolves, or the build says that it lacks it") {
  if (cuda::skip_without_device()) return;
  const cuda::WithSettings chosen({.conv_by_cudnn = true});
  std::mt19937_64 random(2);
  const Tensor images[] = {integers({2, 4, 9}, float32, random), integers({2, 4, 9, 8}, float32, random),
                           integers({2, 4, 5, 6, 7}, float32, random)};
  for (const Tensor& x : images) {
    const ConvOptions options{.stride = {2}, .padding = {1}, .groups = 2};
    Shape shape{6, 2};
    Dims in, kernel;
    for (int i = 2; i < x.rank(); ++i) shape.push_back(3), in.push_back(x.size(i)), kernel.push_back(3);
    const Tensor w = integers(shape, float32, random), bias = integers({6}, float32, random);
    Tensor g;
    {
      const cuda::WithSettings own({});
      g = integers(conv(x, w, bias, options).shape(), float32, random);
    }
    check_by_library("cudnn", x, [&](const Tensor& t) { return conv(t, w.to(t.device()), {}, options); });
    check_by_library(
        "cudnn", x, [&](const Tensor& t) { return conv(t, w.to(t.device()), bias.to(t.device()), options); });
    check_by_library("cudnn", g,
                     [&](const Tensor& t) { return conv_backward_input(t, w.to(t.device()), in, options); });
    check_by_library("cudnn", g, [&](const Tensor& t) {
      return conv_backward_weight(t, x.to(t.device()), kernel, options);
    });
  }
}

TEST_CASE("cuda libraries: cusparse multiplies sparse matrices, or the build says that it lacks it") {
  if (cuda::skip_without_device()) return;
  const cuda::WithSettings chosen({.spmm_by_cusparse = true});
  std::mt19937_64 random(3);
  for (DType dtype : {float32, float64})
    for (int64_t n : {1, 5}) {
      const Tensor dense = integers({6, 9}, dtype, random), bias = integers({6}, dtype, random);
      const CsrMatrix w =
          CsrMatrix::from_mask(dense, less(integers({6, 9}, dtype, random), Tensor::zeros({}, dtype)));
      const Tensor x = integers({9, n}, dtype, random), g = integers({6, n}, dtype, random);
      const SparsePattern there = w.pattern.to(Device::cuda());  // keeps what is prepared
      const auto pattern = [&](const Tensor& t) { return t.device().is_cuda() ? there : w.pattern; };
      const auto values = [&](const Tensor& t) { return w.values.to(t.device()); };
      for (int repeat = 0; repeat < 2; ++repeat) {
        check_by_library("cusparse", x, [&](const Tensor& t) { return spmm(pattern(t), values(t), t); });
        check_by_library("cusparse", x, [&](const Tensor& t) {
          return spmm(pattern(t), values(t), t, bias.to(t.device()));
        });
        check_by_library("cusparse", g,
                         [&](const Tensor& t) { return spmm_transposed(pattern(t), values(t), t); });
      }
    }
}

TEST_CASE("cuda libraries: cusolver decomposes, or the build says that it lacks it") {
  if (cuda::skip_without_device()) return;
  const cuda::WithSettings chosen({.svd_by_cusolver = true});
  Generator generator(4);
  for (const Shape& shape : {Shape{5, 8, 8}, Shape{3, 32, 7}, Shape{2, 4, 11}}) {
    const Tensor a = random_normal(shape, generator);
    const auto product = [](const Tensor& t) {
      const Svd d = svd(t);
      return matmul(mul(d.u, d.s.unsqueeze(-2)), d.v.transpose(-1, -2));
    };
    if (lacks("cusolver", a, product)) continue;
    const uint64_t before = cuda::library_calls();
    const Svd d = svd(a.to(Device::cuda()));
    CHECK(cuda::library_calls() == before + 1);
    CHECK(worst_difference(d.s, svd(a).s) < 1e-5);
    CHECK(worst_difference(product(a.to(Device::cuda())), a) < 1e-5);
  }
}

TEST_CASE("cuda libraries: what a library does not take is refused") {
  if (cuda::skip_without_device()) return;
  const cuda::WithSettings chosen({.spmm_by_cusparse = true, .svd_by_cusolver = true});
  const uint64_t before = cuda::library_calls();
  CHECK_THROWS_AS(svd(Tensor::zeros({2, 33, 5}).to(Device::cuda())), Error);
  const BlockSparseMatrix blocks = BlockSparseMatrix::from_dense(Tensor::ones({8, 3}), 4);
  CHECK_THROWS_AS(spmm(blocks.to(Device::cuda()), Tensor::ones({3, 2}).to(Device::cuda())), Error);
  CHECK(cuda::library_calls() == before);
}

// The work of a stream is put off in the emulation, and a twin's has to be, too.
TEST_CASE("cuda libraries: a library keeps the order of a stream") {
  if (cuda::skip_without_device()) return;
  std::mt19937_64 random(5);
  const Tensor a = integers({5, 7}, float32, random), b = integers({7, 9}, float32, random);
  const Tensor there_a = a.to(Device::cuda()), there_b = b.to(Device::cuda());
  cuda::Stream stream;
  Tensor twice, product;  // their memory is in use until the stream is done
  {
    const cuda::WithSettings chosen({.matmul_by_cublas = true});
    const cuda::CurrentStream on(stream);
    try {
      twice = add(there_a, there_a);
      product = matmul(twice, there_b);
    } catch (const Error&) {
      return;  // the build lacks it, as the first case checks
    }
  }
  stream.synchronize();
  CHECK(same(matmul(add(a, a), b), product));
}

}  // namespace tenon

#endif
