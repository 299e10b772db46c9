#include "papers/experiment/results.h"

#include <ctime>

#include "core/error.h"

namespace tenon::experiment {

namespace {

std::string joined_seeds(const std::vector<std::int64_t>& seeds) {
  std::string out;
  for (std::int64_t seed : seeds) out += (out.empty() ? "" : ", ") + std::to_string(seed);
  return out;
}

Json verdicts_json(const std::vector<Claim>& claims) {
  const VerdictCounts counts = count_verdicts(claims);
  return Json::object({{verdict_name(Verdict::kHolds), counts.holds},
                       {verdict_name(Verdict::kFails), counts.fails},
                       {verdict_name(Verdict::kNotJudged), counts.not_judged},
                       {verdict_name(Verdict::kNotRun), counts.not_run}});
}

}  // namespace

// The Makefile passes the variant: -DTENON_ARCH='"native"' -DTENON_CUDA='"emulated"'.
BuildInfo build_info() {
  BuildInfo info;
#if defined(__clang__)
  info.compiler = "Clang " __clang_version__;
#else
  info.compiler = "GCC " __VERSION__;
#endif
#ifdef TENON_ARCH
  info.arch = TENON_ARCH;
#else
  info.arch = "unknown";
#endif
#ifdef TENON_CUDA
  info.cuda = TENON_CUDA;
#else
  info.cuda = "unknown";
#endif
  return info;
}

Json results_json(const Results& results) {
  const BuildInfo build = build_info();
  Json arms = Json::array();
  for (const ArmResult& arm : results.arms) {
    arms.push_back(Json::object({{"arm", arm.arm}, {"seed", arm.seed}, {"result", arm.result}}));
  }
  return Json::object(
      {{"paper", results.paper},
       {"date", utc_now()},
       {"data_set", results.data_set},
       {"device", results.options.device},
       {"seeds", Json::array_of(results.options.seed_list())},
       {"scale", scale_name(results.options.scale)},
       {"threads", results.threads},
       {"build", Json::object({{"compiler", build.compiler}, {"arch", build.arch}, {"cuda", build.cuda}})},
       {"arms", arms},
       {"claims", claims_json(results.claims)},
       {"verdicts", verdicts_json(results.claims)},
       {"extra", results.extra}});
}

std::vector<std::pair<std::string, std::string>> results_facts(const Results& results) {
  const BuildInfo build = build_info();
  return {{"Data set", results.data_set},
          {"Device", results.options.device},
          {"Seeds", joined_seeds(results.options.seed_list())},
          {"Scale", scale_name(results.options.scale)},
          {"Threads", std::to_string(results.threads)},
          {"Build", concat(build.compiler, ", ", build.arch, ", CUDA ", build.cuda)},
          {"Date", utc_now().substr(0, 16).replace(10, 1, " ") + " UTC"}};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return buffer;
}

}  // namespace tenon::experiment
