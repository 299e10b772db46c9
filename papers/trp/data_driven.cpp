#include "papers/trp/data_driven.h"

#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "nn/models/resnet.h"

namespace tenon::trp {
namespace {

constexpr int64_t kPlaces = 10;  // of each image
constexpr int64_t kBatch = 100;
constexpr uint64_t kPlaceStream = 200;

// Passes on what a convolution gives, and remembers some of it.
class Recorder : public Module {
 public:
  explicit Recorder(std::shared_ptr<Module> conv) : conv_(std::move(conv)), generator_(0, kPlaceStream) {}

  Variable forward(const Variable& x) override {
    const Variable y = conv_->forward(x);
    const Tensor& value = y.value();  // [N, n, H, W]
    const int64_t channels = value.size(1), places = value.size(2) * value.size(3);
    const Tensor at = random_integers({kPlaces}, generator_, 0, places);
    const Tensor seen = index_select(value.contiguous().reshape({-1, channels, places}), 2, at);
    responses_.push_back(seen.permute({0, 2, 1}).reshape({-1, channels}).to(float64));
    return y;
  }
  const char* kind() const override { return "Recorder"; }

  const std::shared_ptr<Module>& conv() const { return conv_; }
  /// [samples, channels]
  Tensor responses() const { return cat(responses_, 0); }

 private:
  std::shared_ptr<Module> conv_;
  Generator generator_;
  std::vector<Tensor> responses_;
};

// Responses of every convolution of the blocks, by its name.
std::map<std::string, Tensor> responses_of(Sequential& net, const Tensor& images) {
  std::map<std::string, std::shared_ptr<Recorder>> recorders;
  for (const NamedModule& m : net.named_modules())
    if (auto* block = dynamic_cast<ResidualBlock*>(m.module))
      for (size_t i = 0; i < block->convs().size(); ++i)
        recorders[concat(m.name, ".conv", i + 1)] = std::make_shared<Recorder>(block->convs()[i]);
  for (const auto& [name, recorder] : recorders) net.replace(name, recorder);
  NoGrad no_grad;
  net.eval();
  for (int64_t i = 0; i < images.size(0); i += kBatch)
    net(Variable(images.narrow(0, i, std::min(kBatch, images.size(0) - i))));
  std::map<std::string, Tensor> out;
  for (const auto& [name, recorder] : recorders) {
    net.replace(name, recorder->conv());
    out[name] = recorder->responses();
  }
  return out;
}

}  // namespace

Candidates data_driven_candidates(Sequential& net, const Shape& image, bool strided, const Tensor& images) {
  Candidates out = candidates_of(net, LowRankScheme::channel, image, strided);
  const std::map<std::string, Tensor> responses = responses_of(net, images);
  for (Candidate& c : out.layers) {
    const Tensor& y = responses.at(c.layer.name);
    const Tensor mean_response = mean(y, {0});
    const Tensor centred = sub(y, mean_response);
    const Eigh covariance =
        eigh(affine(matmul(centred.t(), centred), 1.0 / static_cast<double>(y.size(0)), 0));
    const Tensor p = flip(covariance.vectors, {1});  // the largest first
    const Tensor matrix = low_rank_matrix(out.scheme, c.layer.conv->weight.value()).to(float64);
    const Tensor rows = matmul(p.t(), matrix);  // P^T W = diag(s) v^T
    const Tensor s = clamp(norm2(rows, {1}), 1e-30, 1e30);
    c.factors = {p.to(float32), s.to(float32), div(rows.t(), s).to(float32)};
    c.values = sqrt(clamp(flip(covariance.values, {0}), 0, 1e30));
    c.mean_response = mean_response;
  }
  return out;
}

}  // namespace tenon::trp
