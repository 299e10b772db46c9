#include "papers/experiment/results.h"

#include <ctime>

#include "core/error.h"
#include "core/parallel.h"

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

// Who really computed: times of an emulated device are no times of a card.
std::string device_name(const Options& options) {
  return options.device == "cuda" && build_info().cuda == "emulated" ? "cuda (emulated)" : options.device;
}

}  // namespace

// The Makefile defines one TENON_CUDA_... for the whole variant, and TENON_ARCH for this file.
BuildInfo build_info() {
  BuildInfo info;
#if defined(__clang__)
  info.compiler = "Clang " __clang_version__;
#else
  info.compiler = "GCC " __VERSION__;
#endif
#if defined(TENON_ARCH)
  info.arch = TENON_ARCH;
#else
  info.arch = "unknown";
#endif
#if defined(TENON_CUDA_NATIVE)
  info.cuda = "native";
#elif defined(TENON_CUDA_EMULATED)
  info.cuda = "emulated";
#else
  info.cuda = "off";
#endif
  return info;
}

Results collect_results(std::string paper, std::string data_set, const Options& options, RunFolder& folder) {
  Results results;
  results.paper = std::move(paper);
  results.data_set = std::move(data_set);
  results.options = options;
  results.threads = num_threads();
  for (const std::string& arm : options.arms)
    for (std::int64_t seed : options.seed_list())
      results.arms.push_back({arm, seed, folder.arm(arm, seed).result()});
  return results;
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
       {"device", device_name(results.options)},
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
          {"Device", device_name(results.options)},
          {"Seeds", joined_seeds(results.options.seed_list())},
          {"Scale", scale_name(results.options.scale)},
          {"Threads", std::to_string(results.threads)},
          {"Build", concat(build.compiler, ", ", build.arch, ", CUDA ", build.cuda)},
          {"Date", readable_date(utc_now())}};
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  char buffer[32];
  std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return buffer;
}

std::string readable_date(const std::string& utc) {
  constexpr std::size_t kDay = 10, kMinute = 16;  // lengths of 2026-03-04 and 2026-03-04T05:06
  if (utc.size() < kMinute) return utc;
  return concat(utc.substr(0, kDay), " ", utc.substr(kDay + 1, kMinute - kDay - 1), " UTC");
}

}  // namespace tenon::experiment
