// A training step of a factored network at full rank (papers/svd_training/) beside that of the dense one, by either way of
// executing its layers, with both penalties; and the penalties alone. Adam; ResNet-8 at batch 64 on 14 x 14 images, ResNet-20
// at batch 128 on 32 x 32. Acceptance: recomposed at most 1.10 of dense, penalties and factor algebra at most 5 % of a step.
#include "bench/harness.h"
#include "nn/loss.h"
#include "nn/models/resnet.h"
#include "nn/optim.h"
#include "papers/svd_training/regularisers.h"

namespace tenon::bench {
namespace {

using namespace svd_training;

using MakeNetwork = std::shared_ptr<Sequential> (*)(Generator&);
std::shared_ptr<Sequential> resnet8(Generator& g) {
  return make_resnet({.depths = {1, 1, 1}, .widths = {16, 32, 64}, .in_channels = 1}, g);
}
std::shared_ptr<Sequential> resnet20(Generator& g) { return make_cifar_resnet(20, 10, Block::basic, g); }

struct Trainer {
  Trainer(MakeNetwork make, const Shape& input, Device device) {
    Generator g(1);
    net = make(g);
    images = Variable(random_uniform(input, g).to(device));
    labels = random_integers({input[0]}, g, 0, 10).to(device);
  }
  void place(Device device) {
    net->to(device);
    optimizer = std::make_unique<Adam>(net->named_parameters(), AdamOptions{});
  }
  void step() {
    optimizer->zero_grad();
    backward(cross_entropy(net->forward(images), labels));
    penalise();
    optimizer->step();
  }
  void penalise() {
    const NoGrad no_grad;
    const std::vector<NamedSvdLayer> layers = svd_layers(*net);
    if (layers.empty()) return;
    add_orthogonality_gradient(layers, 1);
    add_sparsity_gradient(Sparsifier::hoyer, layers, 0.1);
  }
  // M of every layer from its factors, and the gradients of the factors from one of M.
  void algebra() {
    for (const auto& [name, layer] : svd_layers(*net)) {
      const Variable m = product(layer->factors());
      backward(m, Variable(m.value()));
    }
  }

  std::shared_ptr<Sequential> net;
  Variable images;
  Tensor labels;
  std::unique_ptr<Adam> optimizer;
};

std::shared_ptr<Trainer> dense(MakeNetwork make, const Shape& input, Device device) {
  auto trainer = std::make_shared<Trainer>(make, input, device);
  trainer->place(device);
  return trainer;
}
std::shared_ptr<Trainer> factored(MakeNetwork make, const Shape& input, Device device, LowRankScheme scheme,
                                  Path path) {
  auto trainer = std::make_shared<Trainer>(make, input, device);
  Generator unused(0);
  factorise(*trainer->net, scheme, Start::dense, unused);
  for (const auto& [name, layer] : svd_layers(*trainer->net)) layer->set_path(path);
  trainer->place(device);
  return trainer;
}

// The floor is that of the dense step.
Case step_case(const char* name, Device device, double flops, double bytes, const Shape& input,
               LowRankScheme scheme, MakeNetwork make) {
  return {concat("svd_training_step/", name, "-", name_of(scheme)), flops, bytes, [=] {
            const auto whole = factored(make, input, device, scheme, Path::recomposed);
            const auto pair = factored(make, input, device, scheme, Path::pair);
            const auto plain = dense(make, input, device);
            whole->step();  // gradients for the penalties alone
            return std::vector<Contestant>{{"recomposed", [=] { whole->step(); }},
                                           {"dense", [=] { plain->step(); }},
                                           {"pair", [=] { pair->step(); }},
                                           {"penalties", [=] { whole->penalise(); }},
                                           {"factor algebra", [=] { whole->algebra(); }}};
          }};
}

std::vector<Case> cases(Device device) {
  std::vector<Case> out;
  for (LowRankScheme scheme : {LowRankScheme::channel, LowRankScheme::spatial}) {
    out.push_back(step_case("resnet8", device, 2.0 * 64 * 3 * 2.3e6, 4.0 * 64 * 23520 * 4, {64, 1, 14, 14},
                            scheme, resnet8));
    out.push_back(step_case("resnet20", device, 2.0 * 128 * (3 * 40.8e6 - 442368), 4.0 * 128 * 188416 * 4,
                            {128, 3, 32, 32}, scheme, resnet20));
  }
  return out;
}

const Family family("svd_training_step", cases);

}  // namespace
}  // namespace tenon::bench
