#include "papers/svd_training/published.h"

#include "core/error.h"

namespace tenon::svd_training {

const char* origin_tag(Origin origin) {
  switch (origin) {
    case Origin::quoted:
      return "2nd";
    case Origin::neighbour:
      return "2nd, neighbour";
  }
  fail("svd_training: no such origin");
}

const std::vector<Published>& published() {
  constexpr Origin Q = Origin::quoted, N = Origin::neighbour;
  static const std::vector<Published> all = {
      {"ResNet-20", "CIFAR-10", "SVD training", "90.93", "90.97", 54.5, Q},
      {"ResNet-56 (bottlenecks)", "CIFAR-10", "SVD training", "93.28", "93.67", 63.0, Q},
      {"ResNet-50", "ImageNet, top-5", "SVD training", "91.91", "91.97", 30.6, Q},
      {"ResNet-20", "CIFAR-10", "TRP", "91.74", "90.88", 51.0, N},
      {"ResNet-20", "CIFAR-10", "Hinge", "92.54", "91.84", 54.5, N},
      {"ResNet-20", "CIFAR-10", "SCOP", "92.22", "90.75", 55.7, N},
      {"ResNet-20", "CIFAR-10", "FPGM", "92.20", "90.44", 54.0, N},
      {"ResNet-20", "CIFAR-10", "SPARK", "91.25", "92.50", 71.1, N},
      {"ResNet-56", "CIFAR-10", "TRP", "93.14", "92.77", 56.7, N},
      {"ResNet-56", "CIFAR-10", "HRank", "93.26", "93.17", 50.0, N},
      {"ResNet-56", "CIFAR-10", "CC", "93.33", "93.64", 52.0, N},
      {"ResNet-50", "ImageNet, top-5", "TRP", "–", "92.07", 44.4, N},
      {"ResNet-50", "ImageNet, top-5", "HRank", "–", "92.33", 0, N},
  };
  return all;
}

}  // namespace tenon::svd_training
