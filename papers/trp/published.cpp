#include "papers/trp/published.h"

#include "core/error.h"

namespace tenon::trp {

const char* origin_tag(Origin origin) {
  switch (origin) {
    case Origin::paper:
      return "P";
    case Origin::code:
      return "C";
    case Origin::figure:
      return "F";
  }
  fail("trp: no such origin");
}

const std::vector<Published>& published() {
  constexpr Row W = Row::workshop, I = Row::ijcai;
  constexpr Origin P = Origin::paper, C = Origin::code, F = Origin::figure;
  static const std::vector<Published> all = {
      // CIFAR-10.
      {W, "resnet20", "baseline", 91.74, 1.00, C, "baseline"},
      {W, "resnet20", "TRP+Nu, channel", 90.50, 2.17, C, "trp-nu-channel"},
      {W, "resnet20", "TRP+Nu, spatial", 90.62, 2.84, C, "trp-nu-spatial"},
      {W, "resnet20", "TRP+Nu, ND", 90.88, 2.04, C, "trp-nu-nd"},
      {W, "resnet32", "baseline", 92.26, 1.00, C, "baseline"},
      {W, "resnet32", "TRP+Nu, channel", 91.40, 2.2, C, "trp-nu-channel"},
      {W, "resnet32", "TRP+Nu, spatial", 91.39, 3.4, C, "trp-nu-spatial"},
      {I, "resnet20", "baseline", 91.74, 1.00, P, "baseline"},
      {I, "resnet20", "TRP, channel", 90.12, 1.97, P, "trp-channel"},
      {I, "resnet20", "TRP+Nu, channel", 90.50, 2.17, P, "trp-nu-channel"},
      {I, "resnet20", "Zhang 2016, channel, finetuned", 88.13, 1.41, P, "zhang"},
      {I, "resnet20", "TRP, spatial", 90.13, 2.66, P, "trp-spatial"},
      {I, "resnet20", "TRP+Nu, spatial", 90.62, 2.84, P, "trp-nu-spatial"},
      {I, "resnet20", "Jaderberg 2014, spatial, finetuned", 89.49, 1.66, P, "basic-spatial"},
      {I, "resnet56b", "baseline", 93.14, 1.00, P, "baseline"},
      {I, "resnet56b", "TRP, channel", 92.77, 2.31, P, "trp-channel"},
      {I, "resnet56b", "TRP+Nu, channel", 91.85, 4.48, P, "trp-nu-channel"},
      {I, "resnet56b", "Zhang 2016, channel, finetuned", 91.56, 2.10, P, "zhang"},
      {I, "resnet56b", "TRP, spatial", 92.63, 2.43, P, "trp-spatial"},
      {I, "resnet56b", "TRP+Nu, spatial", 91.62, 4.51, P, "trp-nu-spatial"},
      {I, "resnet56b", "Jaderberg 2014, spatial, finetuned", 91.59, 2.10, P, "basic-spatial"},
      {I, "resnet56b", "He 2017, channel pruning", 91.80, 2.00, P, ""},
      {I, "resnet56b", "Li 2016, filter pruning", 91.60, 2.00, P, "filters"},
      // ImageNet.
      {I, "resnet18", "baseline", 69.10, 1.00, P, ""},
      {I, "resnet18", "TRP, channel", 65.46, 1.81, P, ""},
      {I, "resnet18", "TRP+Nu, channel", 65.39, 2.23, P, ""},
      {I, "resnet18", "Zhang 2016", 63.10, 1.41, P, ""},
      {I, "resnet18", "TRP, spatial", 65.51, 2.60, P, ""},
      {I, "resnet18", "TRP+Nu, spatial", 65.34, 3.18, P, ""},
      {I, "resnet18", "Jaderberg 2014", 62.80, 2.00, P, ""},
      {I, "resnet50", "baseline", 75.90, 1.00, P, ""},
      {I, "resnet50", "TRP+Nu, channel", 72.69, 2.30, P, ""},
      {I, "resnet50", "TRP+Nu, channel", 74.06, 1.80, P, ""},
      {I, "resnet50", "Zhang 2016", 71.80, 1.50, P, ""},
      {I, "resnet50", "Luo 2017, ThiNet", 72.04, 1.58, P, ""},
      {I, "resnet50", "Luo 2018, ThiNet", 72.03, 2.26, P, ""},
      {I, "resnet50", "Zhou 2019", 71.50, 2.30, P, ""},
      // The ends of the four curves of ResNet-20, spatial.
      {I, "resnet20", "basic, finetuned, spatial", 88.09, 1.97, F, "basic-spatial"},
      {I, "resnet20", "basic, finetuned, spatial", 83.28, 2.49, F, "basic-spatial"},
      {I, "resnet20", "basic+Nu, spatial", 85.91, 3.12, F, "basic-nu-spatial"},
      {I, "resnet20", "TRP, spatial", 87.74, 4.23, F, "trp-spatial"},
      {I, "resnet20", "TRP+Nu, spatial", 87.61, 4.70, F, "trp-nu-spatial"},
  };
  return all;
}

}  // namespace tenon::trp
