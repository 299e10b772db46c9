#include "nn/compress/responses.h"

#include <algorithm>

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"

namespace tenon {
namespace {

constexpr int64_t kBatch = 100;

// Passes on what a convolution gives, and adds up its sums and products.
class ResponseRecorder : public Module {
 public:
  explicit ResponseRecorder(int64_t channels)
      : sum_(Tensor::zeros({channels}, float64)), products_(Tensor::zeros({channels, channels}, float64)) {}

  Variable forward(const Variable& x) override {
    Variable y = conv->forward(x);
    const Tensor rows = y.value().permute({1, 0, 2, 3}).reshape({y.size(1), -1}).to(float64);
    sum_ = add(sum_, tenon::sum(rows, {1}));
    products_ = add(products_, matmul(rows, rows.t()));
    count_ += rows.size(1);
    return y;
  }
  const char* kind() const override { return "ResponseRecorder"; }

  ResponseStatistics statistics() const {
    const double share = 1.0 / static_cast<double>(count_);
    const Tensor mean = affine(sum_, share, 0);
    return {mean, sub(affine(products_, share, 0), matmul(mean.unsqueeze(1), mean.unsqueeze(0)))};
  }

  std::shared_ptr<Module> conv;  // not a submodule: only this class runs it

 private:
  Tensor sum_, products_;
  int64_t count_ = 0;
};

}  // namespace

std::map<std::string, ResponseStatistics> response_statistics(Module& net,
                                                              const std::vector<NamedConv>& convs,
                                                              const Tensor& images) {
  TENON_CHECK(images.rank() == 4 && images.size(0) > 0,
              "response_statistics: expects images [N, C, H, W], N > 0, got ", images.shape());
  std::map<std::string, std::shared_ptr<ResponseRecorder>> recorders;
  for (const auto& [name, conv] : convs) {
    auto recorder = std::make_shared<ResponseRecorder>(conv->out_channels());
    recorder->conv = net.replace(name, recorder);
    recorders[name] = recorder;
  }
  const bool training = net.is_training();
  const auto restore = [&] {
    for (const auto& [name, recorder] : recorders) net.replace(name, recorder->conv);
    net.train(training);
  };
  net.eval();
  try {
    const NoGrad no_grad;
    for (int64_t i = 0; i < images.size(0); i += kBatch)
      net(Variable(images.narrow(0, i, std::min(kBatch, images.size(0) - i))));
  } catch (...) {
    restore();
    throw;
  }
  restore();
  std::map<std::string, ResponseStatistics> out;
  for (const auto& [name, recorder] : recorders) out[name] = recorder->statistics();
  return out;
}

ResponseFactors response_factors(const Tensor& matrix, const Tensor& covariance) {
  const int64_t count = std::min(matrix.size(0), matrix.size(1));
  const Eigh basis = eigh(covariance.to(float64));  // ascending
  const Tensor p = flip(basis.vectors, {1}).narrow(1, 0, count);
  const Tensor rows = matmul(p.t(), matrix.to(float64));
  const Tensor s = clamp(norm2(rows, {1}), 1e-30, 1e30);  // a component without weight has no direction
  const DType dtype = matrix.dtype();
  return {{p.to(dtype).contiguous(), s.to(dtype), div(rows.t(), s).to(dtype).contiguous()},
          sqrt(clamp(flip(basis.values, {0}).narrow(0, 0, count), 0, 1e30))};
}

}  // namespace tenon
