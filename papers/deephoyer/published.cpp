#include "papers/deephoyer/published.h"

namespace tenon::deephoyer {

const char* origin_tag(Origin origin) {
  switch (origin) {
    case Origin::paper:
      return "P";
    case Origin::derived:
      return "P ✓";
    case Origin::rerun:
      return "R";
  }
  fail("deephoyer: no such origin");
}

const std::vector<Published>& published() {
  constexpr Network mlp = Network::lenet_300_100, cnn = Network::lenet_5;
  constexpr Origin P = Origin::paper, D = Origin::derived, R = Origin::rerun;
  auto of = [](double part, double whole) { return 100 * part / whole; };
  // Yang, Wen, Li (2020), the tables of LeNet-300-100 and LeNet-5. Weights in thousands, of 266.2 and 430.5; MACs in
  // thousands, of 266.2 and 2293.
  static const std::vector<Published> all = {
      {mlp, false, "magnitude, iterative (Han 2015)", 98.4, of(21.8, 266.2), "18.8k / 2.7k / 260", P,
       "magnitude-iterative"},
      {mlp, false, "SNIP (2019)", 98.4, of(13.3, 266.2), "", P, ""},
      {mlp, false, "ADMM (Zhang 2018)", 98.4, of(11.6, 266.2), "9.4k / 2.1k / 120", P, ""},
      {mlp, false, "transformed L1 (Ma 2019)", 98.4, of(6.4, 266.2), "5.0k / 1.2k / 209", P, "tl1-"},
      {mlp, false, "Hoyer", 98.4, of(6.0, 266.2), "5.3k / 672 / 82", P, "hoyer-"},
      {mlp, false, "Hoyer-Square", 98.4, of(4.9, 266.2), "", P, "hs-"},
      {mlp, false, "L1 1e-3, std cut", 96.21, 2.0, "", R, "l1-"},
      {mlp, false, "Hoyer, std cut", 97.10, 1.25, "", R, "hoyer-"},
      {mlp, false, "Hoyer-Square, std cut", 97.99, 3.7, "", R, "hs-"},
      {mlp, false, "transformed L1, std cut", 98.24, 3.1, "", R, "tl1-"},
      {cnn, false, "magnitude, iterative (Han 2015)", 99.2, of(36, 430.5), "330 / 3k / 32k / 950", P, ""},
      {cnn, false, "SNIP", 99.2, of(8.6, 430.5), "", P, ""},
      {cnn, false, "ADMM", 99.2, of(6.1, 430.5), "100 / 2k / 3.6k / 350", P, ""},
      {cnn, false, "transformed L1", 99.2, of(5.4, 430.5), "", P, ""},
      {cnn, false, "Hoyer", 99.2, of(4.0, 430.5), "53 / 613 / 3.2k / 136", P, ""},
      {cnn, false, "Hoyer-Square", 99.2, of(3.5, 430.5), "67 / 848 / 2.4k / 234", P, "lenet5-hs-"},
      {cnn, false, "Hoyer-Square, std cut", 99.17, 1.4, "", R, "lenet5-hs-"},
      {mlp, true, "Sparse VD", 98.2, of(67.3, 266.2), "512-114-72", D, ""},
      {mlp, true, "BC-GNJ", 98.2, of(28.6, 266.2), "278-98-13", D, ""},
      {mlp, true, "BC-GHS", 98.2, of(28.1, 266.2), "311-86-14", D, ""},
      {mlp, true, "L0 hard concrete", 98.2, of(26.6, 266.2), "266-88-33", D, "l0-"},
      {mlp, true, "Bayes L1-trim", 98.3, of(20.5, 266.2), "245-75-25", D, ""},
      {mlp, true, "Group-HS", 98.2, of(16.5, 266.2), "353-45-11", D, "group-hs-"},
      {cnn, true, "Sparse VD", 99.0, of(660.2, 2293), "14-19-242-131", D, ""},
      {cnn, true, "group lasso (SSL)", 99.0, of(201.8, 2293), "3-12-192-500", D, ""},
      {cnn, true, "SBP", 99.1, of(212.8, 2293), "3-18-284-283", D, ""},
      {cnn, true, "BC-GNJ", 99.0, of(282.9, 2293), "8-13-88-13", D, ""},
      {cnn, true, "BC-GHS", 99.0, of(153.4, 2293), "5-10-76-16", D, ""},
      {cnn, true, "L0 hard concrete", 99.0, of(1113.4, 2293), "20-25-45-462", D, ""},
      {cnn, true, "Bayes L1-trim", 99.0, of(334.0, 2293), "8-17-53-19", D, ""},
      {cnn, true, "Group-HS", 99.0, of(169.9, 2293), "5-12-139-13", D, "lenet5-group-hs-"},
  };
  return all;
}

}  // namespace tenon::deephoyer
