#include "papers/neural_predictor/published.h"

#include "core/error.h"

namespace tenon::neural_predictor {

const char* origin_mark(Origin origin) {
  switch (origin) {
    case Origin::abstract:
      return "A";
    case Origin::code:
      return "C";
    case Origin::recalled:
      return "R";
    case Origin::measured:
      return "M";
  }
  fail("neural_predictor: no such origin");
}

const std::vector<ReferenceCurve>& reference_curves() {
  static const std::vector<ReferenceCurve> all = {
      {"random",
       {{50, 93.525},
        {100, 93.621},
        {200, 93.725},
        {272, 93.759},
        {500, 93.837},
        {1000, 93.934},
        {2000, 94.017},
        {5000, 94.116},
        {10000, 94.171}}},
      {"random-uniform",
       {{50, 93.450},
        {100, 93.578},
        {200, 93.674},
        {272, 93.712},
        {500, 93.779},
        {1000, 93.856},
        {2000, 93.920},
        {5000, 94.005},
        {10000, 94.051}}},
      {"evolution",
       {{50, 93.547},
        {100, 93.634},
        {200, 93.872},
        {272, 93.970},
        {500, 94.123},
        {1000, 94.197},
        {2000, 94.222},
        {5000, 94.228},
        {10000, 94.232}}},
      {"random-noisy",
       {{50, 93.434},
        {100, 93.502},
        {200, 93.583},
        {272, 93.595},
        {500, 93.648},
        {1000, 93.722},
        {2000, 93.787},
        {5000, 93.880},
        {10000, 93.958}}},
      {"evolution-noisy",
       {{50, 93.409},
        {100, 93.485},
        {200, 93.672},
        {272, 93.764},
        {500, 93.921},
        {1000, 94.063},
        {2000, 94.134},
        {5000, 94.158},
        {10000, 94.174}}},
      {"evolution-50-noisy",
       {{50, 93.435},
        {100, 93.588},
        {200, 93.743},
        {272, 93.813},
        {500, 93.954},
        {1000, 94.070},
        {2000, 94.126},
        {5000, 94.148}}},
  };
  return all;
}

const std::vector<Published>& published() {
  static const std::vector<Published> all = {
      {"MSE, N = 172, one stage, all cells", "1.95 (over the paper's own set of cells)", Origin::code,
       "one-stage", "mse"},
      {"MSE, N = 172, two stages, cells above 91 %", "0.66", Origin::code, "two-stage", "mse-91"},
      {"MSE of code 1, N = 172, all cells", "3.62", Origin::code, "one-stage", "mse"},
      {"MSE of code 1, N = 172, cells above 80 %", "1.90", Origin::code, "one-stage", "mse-80"},
      {"MSE of code 1, cells above 91 %, filtered by the truth", "0.74", Origin::code, "two-stage", "mse-91"},
      {"classifier's accuracy, code 2, on cells drawn by rejection", "96.4 %", Origin::code, "two-stage",
       "classifier"},
      {"tau, code 2, N = 79, one stage", "0.690", Origin::code, "one-stage", "tau"},
      {"tau, code 2, N = 79, two stages", "0.597", Origin::code, "two-stage", "tau"},
      {"another program: one stage, n = 200", "94.234 % (5 of 5 seeds)", Origin::measured, "one-stage",
       "n=200"},
      {"another program: two stages, n = 272", "94.208 %", Origin::measured, "two-stage", "n=272"},
      {"another program: one stage, simulated noise, n = 272", "94.08 %", Origin::measured, "one-stage-noisy",
       "n=272"},
      {"another program: two stages, simulated noise, n = 272", "93.84 %", Origin::measured,
       "two-stage-noisy", "n=272"},
      {"another program: oracle under one simulated evaluation", "94.02 ± 0.17 %", Origin::measured,
       "oracle-noisy", "pick"},
      {"another program: Macro, N = 43, L = 3: tau", "0.69", Origin::measured, "macro-3-layers", "tau"},
      {"another program: Macro, N = 43, L = 9: tau", "0.74", Origin::measured, "macro-9-layers", "tau"},
      {"others' re-run at 2,000 trainings: random search", "93.64 %", Origin::recalled, "random-noisy",
       "n=2000"},
      {"others' re-run at 2,000 trainings: evolution", "93.96 %", Origin::recalled, "evolution-noisy",
       "n=2000"},
      {"others' re-run at 2,000 trainings: neural predictor", "94.04 ± 0.05 %", Origin::recalled,
       "one-stage-noisy", "n=2000"},
  };
  return all;
}

}  // namespace tenon::neural_predictor
