#include "papers/autogrow/published.h"

#include <limits>

namespace tenon::autogrow {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Origin S = Origin::survey, R = Origin::remembered;

std::vector<Published> all_published() {
  std::vector<Published> all;
  const auto group = [&](const char* table, const char* family, const char* data,
                         const std::vector<Published>& rows) {
    for (Published row : rows) {
      row.table = table, row.family = family, row.data = data;
      all.push_back(std::move(row));
    }
  };
  // what, found, accuracy, delta, origins, arm
  const auto row = [](const char* what, const char* found, double accuracy, const char* arm = "",
                      double delta = kNan, Origin net = S, Origin delta_origin = S) {
    Published p;
    p.what = what, p.found = found, p.accuracy = accuracy, p.delta = delta;
    p.net = net, p.delta_origin = delta_origin, p.arm = arm;
    return p;
  };
  const char *basic3 = "Basic3ResNet", *basic4 = "Basic4ResNet", *plain3 = "Plain3Net", *plain4 = "Plain4Net";
  const char* converged = "initialisers, c-AutoGrow";
  group(converged, basic3, "CIFAR-10",
        {row("ZeroInit", "2-2-4", 92.23, "c-zero"), row("AdamInit", "3-4-4", 92.60, "c-adam"),
         row("UniInit", "3-4-4", 92.93, "c-uni"), row("GauInit", "2-4-3", 93.12, "c-gau")});
  group(converged, basic3, "CIFAR-100",
        {row("ZeroInit", "3-2-4", 70.22), row("AdamInit", "3-3-3", 70.00), row("UniInit", "4-4-3", 70.39),
         row("GauInit", "3-4-3", 70.66)});
  const char* periodic = "initialisers, p-AutoGrow, K = 3";
  group(periodic, basic3, "CIFAR-10",
        {row("ZeroInit", "31-30-30", 93.57, "p-zero"), row("AdamInit", "37-37-36", 93.79, "p-adam"),
         row("UniInit", "28-28-28", 93.82, "p-uni"), row("GauInit", "42-42-42", 94.27, "p-gau")});
  group(periodic, basic3, "CIFAR-100",
        {row("ZeroInit", "26-25-25", 73.45), row("AdamInit", "27-27-27", 73.92),
         row("UniInit", "41-41-41", 74.31), row("GauInit", "54-53-53", 74.72)});
  const char* intervals = "growth interval, GauInit";
  group(intervals, basic3, "CIFAR-10",
        {row("convergent", "2-4-3", 93.12, "c-gau"), row("K = 50", "6-5-3", 92.95),
         row("K = 20", "7-7-7", 93.26), row("K = 10", "19-19-19", 93.46), row("K = 5", "23-22-22", 93.98),
         row("K = 3", "42-42-42", 94.27), row("K = 1", "77-76-76", 94.30, "p-gau")});
  group(intervals, basic3, "CIFAR-100",
        {row("convergent", "3-4-3", 70.66), row("K = 50", "8-5-7", 72.07), row("K = 20", "8-11-10", 72.93),
         row("K = 10", "18-18-18", 73.64), row("K = 5", "23-23-23", 73.70), row("K = 3", "54-53-53", 74.72),
         row("K = 1", "68-68-68", 74.51)});
  const char* sets = "data sets, p-AutoGrow, GauInit";
  const auto on = [&](const char* family, const char* data, const Published& p) {
    group(sets, family, data, {p});
  };
  on(basic4, "MNIST", row("K = 3", "11-10-10-10", 99.66, "basic4-p-gau", 0.01));
  on(basic4, "Fashion-MNIST", row("K = 3", "27-27-27-26", 94.62, "basic4-p-gau", -0.17));
  on(basic4, "SVHN", row("K = 3", "20-20-19-19", 97.32, "", -0.08));
  on(basic4, "CIFAR-10", row("K = 3", "22-22-22-22", 95.49, "basic4-p-gau", -0.10));
  on(basic4, "CIFAR-100", row("K = 3", "17-51-16-16", 79.47, "", 1.22));
  on(basic4, "ImageNet", row("K = 2", "12-12-11-11", 76.28, "", 0.43));
  on(basic3, "CIFAR-10", row("K = 3", "42-42-42", 94.27, "p-gau", -0.03, S, R));
  on(basic3, "CIFAR-100", row("K = 3", "54-53-53", 74.72, "", -0.95, S, R));
  on(basic3, "SVHN", row("K = 3", "34-34-34", 97.22, "", 0.04, R, R));
  on(basic3, "Fashion-MNIST", row("K = 3", "30-29-29", 94.57, "p-gau", -0.06, R, R));
  on(basic3, "MNIST", row("K = 3", "33-33-33", 99.64, "p-gau", -0.03, R, R));
  on(plain3, "CIFAR-10", row("K = 3", "23-22-22", 90.82, "plain-p-gau", 6.49, R, R));
  on(plain3, "CIFAR-100", row("K = 3", "28-28-27", 66.34, "", 31.53, R, R));
  on(plain3, "Fashion-MNIST", row("K = 3", "17-17-17", 94.49, "plain-p-gau", 0.56, R, R));
  on(plain3, "MNIST", row("K = 3", "20-20-20", 99.66, "plain-p-gau", 0.12, R, R));
  on(plain4, "CIFAR-10", row("K = 3", "17-17-17-17", 94.20, "plain4-p-gau", 5.72, R, R));
  on(plain4, "CIFAR-100", row("K = 3", "16-15-15-15", 73.91, "", 29.34, R, R));
  on(plain4, "Fashion-MNIST", row("K = 3", "13-13-13-13", 94.47, "plain4-p-gau", 0.72, R, R));
  on(plain4, "MNIST", row("K = 3", "13-12-12-12", 99.57, "plain4-p-gau", 0.03, R, R));
  group("less data", basic4, "CIFAR-100",
        {row("100 %", "17-51-16-16", 79.47), row("75 %", "17-17-16-16", 77.26),
         row("50 %", "12-12-12-11", 72.91), row("25 %", "6-6-6-6", 62.53)});
  group("seeds", basic3, "CIFAR-10", {row("1-1-1", "42-42-42", 94.27), row("5-5-5", "46-46-46", 94.16)});
  group("seeds", basic4, "CIFAR-10",
        {row("1-1-1-1", "22-22-22-22", 95.49), row("5-5-5-5", "23-22-22-22", 95.62)});
  return all;
}

}  // namespace

const char* origin_tag(Origin origin) { return origin == Origin::survey ? "S" : "R"; }

const std::vector<Published>& published() {
  static const std::vector<Published> all = all_published();
  return all;
}

}  // namespace tenon::autogrow
