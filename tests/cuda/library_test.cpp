// NVIDIA's libraries in place of our products: the same numbers to the bit (small integers) where a build has them,
// and elsewhere an Error that says so, never our own kernel in silence.
#if defined(TENON_CUDA_EMULATED) || defined(TENON_CUDA_NATIVE)

#include <functional>

#include "core/ops/conv.h"
#include "core/ops/matmul.h"
#include "tests/cuda/on_both_devices.h"

namespace tenon {
namespace {

// Compares with the host, or expects the Error of a build without the library.
void check_by_library(const char* library, const Tensor& x, const std::function<Tensor(const Tensor&)>& f) {
  std::string message;
  try {
    f(x.to(Device::cuda()));
  } catch (const Error& error) {
    message = error.what();
  }
  if (message.empty()) return check_on_both(library, x, f);
  INFO(message);
  CHECK(message.find(std::string("asks for ") + library) != std::string::npos);
  CHECK(message.find(concat("CUDA=", cuda::build_mode())) != std::string::npos);
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

}  // namespace tenon

#endif
