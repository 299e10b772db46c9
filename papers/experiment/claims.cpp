#include "papers/experiment/claims.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace tenon::experiment {

namespace {

std::string with_unit(const std::string& figure, const std::string& unit) {
  return unit.empty() ? figure : figure + " " + unit;
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : std::string(separator)) + part;
  return out;
}

int fewest_seeds(const Claim& claim) {
  std::size_t fewest = claim.conditions.front().measured.size();
  for (const Condition& condition : claim.conditions) fewest = std::min(fewest, condition.measured.size());
  return static_cast<int>(fewest);
}

bool anything_measured(const Claim& claim) {
  return std::ranges::any_of(claim.conditions, [](const Condition& c) { return !c.measured.empty(); });
}

Json condition_json(const Condition& condition) {
  const SeedStatistics statistics = over_seeds(condition.measured);
  Json per_seed = Json::object();
  for (const auto& [seed, value] : condition.measured) per_seed[std::to_string(seed)] = value;
  return Json::object({{"quantity", condition.quantity},
                       {"relation", relation_sign(condition.relation)},
                       {"bound", condition.bound},
                       {"unit", condition.unit},
                       {"measured", per_seed},
                       {"mean", statistics.count > 0 ? Json(statistics.mean) : Json()},
                       {"deviation", statistics.count > 1 ? Json(statistics.deviation) : Json()}});
}

}  // namespace

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "HOLDS";
    case Verdict::kFails:
      return "FAILS";
    case Verdict::kNotJudged:
      return "NOT JUDGED";
    case Verdict::kNotRun:
      return "NOT RUN";
  }
  fail("claims: unknown verdict");
}

const char* relation_sign(Relation relation) {
  switch (relation) {
    case Relation::kAtLeast:
      return "≥";
    case Relation::kAtMost:
      return "≤";
    case Relation::kAbove:
      return ">";
    case Relation::kBelow:
      return "<";
  }
  fail("claims: unknown relation");
}

SeedStatistics over_seeds(const std::map<std::int64_t, double>& measured) {
  SeedStatistics result;
  result.count = static_cast<int>(measured.size());
  if (measured.empty()) return result;
  for (const auto& [seed, value] : measured) result.mean += value;
  result.mean /= result.count;
  if (result.count < 2) return result;
  double squares = 0;
  for (const auto& [seed, value] : measured) squares += (value - result.mean) * (value - result.mean);
  result.deviation = std::sqrt(squares / (result.count - 1));
  return result;
}

bool condition_holds(const Condition& condition) {
  if (condition.measured.empty()) return false;
  const double mean = over_seeds(condition.measured).mean;
  switch (condition.relation) {  // every comparison with NaN is false
    case Relation::kAtLeast:
      return mean >= condition.bound;
    case Relation::kAtMost:
      return mean <= condition.bound;
    case Relation::kAbove:
      return mean > condition.bound;
    case Relation::kBelow:
      return mean < condition.bound;
  }
  fail("claims: unknown relation");
}

Judgement judge(const Claim& claim) {
  TENON_CHECK(!claim.conditions.empty(), "claim ", claim.id, ": has no condition");
  TENON_CHECK(claim.required_seeds >= 1, "claim ", claim.id, ": required_seeds is ", claim.required_seeds,
              ", at least 1 expected");
  const std::string missing = joined(claim.missing_arms, ", ");
  if (!anything_measured(claim)) {
    if (!missing.empty()) return {Verdict::kNotRun, "needs " + missing};
    return {Verdict::kNotRun, claim.not_comparable};
  }
  if (!claim.not_comparable.empty()) return {Verdict::kNotJudged, claim.not_comparable};
  if (!missing.empty()) return {Verdict::kNotJudged, "needs " + missing};
  for (const Condition& condition : claim.conditions) {
    if (condition.measured.empty()) return {Verdict::kNotJudged, condition.quantity + " was not measured"};
  }
  if (const int seeds = fewest_seeds(claim); seeds < claim.required_seeds) {
    return {Verdict::kNotJudged, concat("needs ", claim.required_seeds, " seeds, has ", seeds)};
  }
  std::vector<std::string> failing;
  for (const Condition& condition : claim.conditions) {
    if (!condition_holds(condition)) failing.push_back("not " + required_text(condition));
  }
  if (failing.empty()) return {Verdict::kHolds, ""};
  return {Verdict::kFails, joined(failing, "; ")};
}

VerdictCounts count_verdicts(const std::vector<Claim>& claims) {
  VerdictCounts counts;
  for (const Claim& claim : claims) {
    switch (judge(claim).verdict) {
      case Verdict::kHolds:
        ++counts.holds;
        break;
      case Verdict::kFails:
        ++counts.fails;
        break;
      case Verdict::kNotJudged:
        ++counts.not_judged;
        break;
      case Verdict::kNotRun:
        ++counts.not_run;
        break;
    }
  }
  return counts;
}

std::string measured_text(const Condition& condition) {
  const SeedStatistics statistics = over_seeds(condition.measured);
  if (statistics.count == 0) return "–";
  std::string figure = format_number(statistics.mean, condition.decimals);
  if (statistics.count > 1) figure += " ± " + format_number(statistics.deviation, condition.decimals);
  return with_unit(figure, condition.unit);
}

std::string required_text(const Condition& condition) {
  return concat(condition.quantity, " ", relation_sign(condition.relation), " ",
                with_unit(format_number(condition.bound, condition.decimals), condition.unit));
}

Table claims_table(const std::vector<Claim>& claims) {
  Table table;
  table.header = {"claim", "statement", "published", "required", "measured", "verdict"};
  for (const Claim& claim : claims) {
    const Judgement judgement = judge(claim);
    std::vector<std::string> required, measured;
    for (const Condition& condition : claim.conditions) {
      required.push_back(required_text(condition));
      measured.push_back(measured_text(condition));
    }
    const std::string reason = judgement.reason.empty() ? "" : "\n(" + judgement.reason + ")";
    table.rows.push_back({claim.id, claim.statement + reason, claim.published, joined(required, "\n"),
                          joined(measured, "\n"), verdict_name(judgement.verdict)});
  }
  return table;
}

Json claims_json(const std::vector<Claim>& claims) {
  Json list = Json::array();
  for (const Claim& claim : claims) {
    const Judgement judgement = judge(claim);
    Json conditions = Json::array();
    for (const Condition& condition : claim.conditions) conditions.push_back(condition_json(condition));
    list.push_back(Json::object({{"id", claim.id},
                                 {"statement", claim.statement},
                                 {"published", claim.published},
                                 {"conditions", conditions},
                                 {"required_seeds", claim.required_seeds},
                                 {"verdict", verdict_name(judgement.verdict)},
                                 {"reason", judgement.reason}}));
  }
  return list;
}

}  // namespace tenon::experiment
