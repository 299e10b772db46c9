// Claims: published statements as inequalities, and their verdicts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "papers/experiment/table.h"

namespace tenon::experiment {

enum class Verdict { kHolds, kFails, kNotJudged, kNotRun };

/// "HOLDS", "FAILS", "NOT JUDGED" or "NOT RUN".
const char* verdict_name(Verdict verdict);

enum class Relation { kAtLeast, kAtMost, kAbove, kBelow };

/// "≥", "≤", ">" or "<".
const char* relation_sign(Relation relation);

/// measured <relation> bound, where measured is the mean over the seeds.
struct Condition {
  std::string quantity;  ///< what is measured, e.g. "test accuracy"
  Relation relation = Relation::kAtLeast;
  double bound = 0;
  std::string unit;                         ///< printed after figures, e.g. "%"
  int decimals = 2;                         ///< of printed figures
  std::map<std::int64_t, double> measured;  ///< seed -> figure, in the unit above
};

/// One published statement. It holds if all its conditions hold.
struct Claim {
  std::string id;         ///< short: "1a"
  std::string statement;  ///< one sentence
  std::string published;  ///< the paper's figure as printed there, e.g. "98.4 % at 1.84 %"; may be empty
  std::vector<Condition> conditions;
  int required_seeds = 1;
  std::vector<std::string> missing_arms;  ///< arms that the claim needs and that were not run
  std::string
      not_comparable;  ///< why this run cannot judge the claim at all: "published for MNIST, this is ..."
};

/// Mean and sample standard deviation (n - 1; 0 for one value) over seeds.
struct SeedStatistics {
  int count = 0;
  double mean = 0;
  double deviation = 0;
};
SeedStatistics over_seeds(const std::map<std::int64_t, double>& measured);

/// True if the mean over the seeds meets the bound; never for NaN or with nothing measured.
bool condition_holds(const Condition& condition);

struct Judgement {
  Verdict verdict = Verdict::kNotRun;
  std::string reason;  ///< why NOT JUDGED or NOT RUN, or which condition fails; empty for HOLDS
};

/// NOT RUN if nothing was measured; NOT JUDGED if not_comparable is set, an arm or a condition's figures are
/// missing or a condition has fewer than required_seeds seeds; else HOLDS or FAILS by the means.
/// @throws Error for a claim without conditions or with required_seeds < 1.
Judgement judge(const Claim& claim);

/// How many claims got each verdict.
struct VerdictCounts {
  int holds = 0, fails = 0, not_judged = 0, not_run = 0;
};
VerdictCounts count_verdicts(const std::vector<Claim>& claims);

/// "98.31 ± 0.04 %" (the deviation only with two seeds or more), or "–" when nothing was measured.
std::string measured_text(const Condition& condition);

/// "test accuracy ≥ 97.90 %"
std::string required_text(const Condition& condition);

/// Columns: claim, statement, published, required, measured, verdict, with the reason under the verdict's
/// row.
Table claims_table(const std::vector<Claim>& claims);

/// Every claim with its figures per seed, mean, deviation, verdict and reason.
Json claims_json(const std::vector<Claim>& claims);

}  // namespace tenon::experiment
