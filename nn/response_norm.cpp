#include "nn/response_norm.h"

#include <cstdlib>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/view.h"
#include "core/ops/image.h"

namespace tenon {

LocalResponseNorm::LocalResponseNorm(int64_t channels, const ResponseNormOptions& options)
    : options_(options),
      band_(Tensor::zeros({std::max<int64_t>(channels, 0), std::max<int64_t>(channels, 0)})) {
  TENON_CHECK(channels >= 1 && options.radius >= 0,
              "LocalResponseNorm: expects channels >= 1 and a radius >= 0, got ", channels, " and ",
              options.radius);
  for (int64_t i = 0; i < channels; ++i)
    for (int64_t j = 0; j < channels; ++j)
      if (std::abs(i - j) <= options.radius) band_.data<float>()[i * channels + j] = 1;
}

Variable LocalResponseNorm::forward(const Variable& x) {
  TENON_CHECK(x.rank() >= 3 && x.shape()[1] == band_.size(0), "LocalResponseNorm: expects [N, ",
              band_.size(0), ", *], got ", x.value().str());
  const Variable lines = reshape(x, {x.shape()[0], x.shape()[1], spatial_extents(x.shape()).numel()});
  const Variable near = matmul(Variable(band_.to(x.dtype()).to(x.device())), square(lines));
  return reshape(lines * pow_scalar(affine(near, options_.alpha, options_.bias), -options_.beta), x.shape());
}

}  // namespace tenon
