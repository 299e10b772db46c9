// results.json: what was run, where, by which build, and what came out.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "papers/experiment/claims.h"
#include "papers/experiment/options.h"
#include "papers/experiment/run_folder.h"

namespace tenon::experiment {

/// How this program was compiled.
struct BuildInfo {
  std::string compiler;  ///< e.g. "GCC 12.2.0"
  std::string arch;      ///< the ARCH it was built for, e.g. "native"
  std::string cuda;      ///< "off", "emulated" or "native"
};
BuildInfo build_info();

/// What one finished (arm, seed) pair gave.
struct ArmResult {
  std::string arm;
  std::int64_t seed = 0;
  Json result;
};

/// Everything that results.json states.
struct Results {
  std::string paper;     ///< "deephoyer"
  std::string data_set;  ///< in words, with sizes where they matter: "MNIST, 55000 / 5000 / 10000"
  Options options;
  int threads = 1;  ///< the number really used
  std::vector<ArmResult> arms;
  std::vector<Claim> claims;
  Json extra;  ///< the paper's own object; null for none
};

/// What every pair of options.arms and options.seed_list() gave, all finished in `folder`; claims and extra are left to the
/// caller. @throws Error if a pair is not finished.
Results collect_results(std::string paper, std::string data_set, const Options& options, RunFolder& folder);

/// The document: paper, date (UTC), data_set, device, seeds, scale, threads, build, arms, claims, verdicts,
/// extra.
Json results_json(const Results& results);

/// The same facts in words, for Report::facts().
std::vector<std::pair<std::string, std::string>> results_facts(const Results& results);

/// Now, in UTC: "2026-03-04T05:06:07Z".
std::string utc_now();

/// Such a date for people: "2026-03-04 05:06 UTC".
std::string readable_date(const std::string& utc);

}  // namespace tenon::experiment
