// Claims: every road to each of the four verdicts.
#include "papers/experiment/claims.h"

#include <cmath>

#include "core/error.h"
#include "doctest/doctest.h"

using namespace tenon;
using namespace tenon::experiment;

namespace {

Claim claim_with(std::map<std::int64_t, double> measured, Relation relation = Relation::kAtLeast) {
  Claim claim;
  claim.id = "1";
  claim.statement = "accuracy is high";
  claim.conditions = {{"accuracy", relation, 97.9, "%", 2, std::move(measured)}};
  return claim;
}

Verdict verdict_of(const Claim& claim) { return judge(claim).verdict; }

}  // namespace

TEST_CASE("claims: the mean over the seeds decides") {
  Claim claim = claim_with({{1, 97.8}, {2, 98.0}, {3, 98.1}});
  claim.required_seeds = 3;
  CHECK(verdict_of(claim) == Verdict::kHolds);
  claim.conditions[0].measured[3] = 97.8;
  CHECK(verdict_of(claim) == Verdict::kFails);
  CHECK(judge(claim).reason == "not accuracy ≥ 97.90 %");
}

TEST_CASE("claims: the bound itself meets ≥ and ≤ but not > and <") {
  CHECK(verdict_of(claim_with({{1, 97.9}}, Relation::kAtLeast)) == Verdict::kHolds);
  CHECK(verdict_of(claim_with({{1, 97.9}}, Relation::kAtMost)) == Verdict::kHolds);
  CHECK(verdict_of(claim_with({{1, 97.9}}, Relation::kAbove)) == Verdict::kFails);
  CHECK(verdict_of(claim_with({{1, 97.9}}, Relation::kBelow)) == Verdict::kFails);
  CHECK(verdict_of(claim_with({{1, 97.8}}, Relation::kBelow)) == Verdict::kHolds);
  CHECK(verdict_of(claim_with({{1, 98.0}}, Relation::kAbove)) == Verdict::kHolds);
}

TEST_CASE("claims: NaN never holds") {
  for (Relation relation : {Relation::kAtLeast, Relation::kAtMost, Relation::kAbove, Relation::kBelow}) {
    CHECK(verdict_of(claim_with({{1, std::nan("")}}, relation)) == Verdict::kFails);
  }
}

TEST_CASE("claims: too few seeds are not judged, whatever the figures") {
  Claim claim = claim_with({{1, 99.0}, {2, 99.0}});
  claim.required_seeds = 3;
  CHECK(verdict_of(claim) == Verdict::kNotJudged);
  CHECK(judge(claim).reason == "needs 3 seeds, has 2");
  claim.conditions[0].measured = {{1, 10.0}, {2, 10.0}};
  CHECK(verdict_of(claim) == Verdict::kNotJudged);
}

TEST_CASE("claims: one condition with too few seeds is enough not to judge") {
  Claim claim = claim_with({{1, 99.0}, {2, 99.0}});
  claim.required_seeds = 2;
  claim.conditions.push_back({"density", Relation::kAtMost, 2.7, "%", 2, {{1, 2.0}}});
  CHECK(verdict_of(claim) == Verdict::kNotJudged);
  claim.conditions[1].measured = {};
  CHECK(judge(claim).reason == "density was not measured");
}

TEST_CASE("claims: nothing measured is not run; some arms missing is not judged") {
  Claim claim = claim_with({});
  CHECK(verdict_of(claim) == Verdict::kNotRun);
  claim.missing_arms = {"l1", "magnitude"};
  CHECK(verdict_of(claim) == Verdict::kNotRun);
  CHECK(judge(claim).reason == "needs l1, magnitude");
  claim.conditions[0].measured = {{1, 98.0}};
  CHECK(verdict_of(claim) == Verdict::kNotJudged);
}

TEST_CASE("claims: a run that is not comparable is not judged") {
  Claim claim = claim_with({{1, 98.0}});
  claim.not_comparable = "published for MNIST";
  CHECK(verdict_of(claim) == Verdict::kNotJudged);
  CHECK(judge(claim).reason == "published for MNIST");
}

TEST_CASE("claims: all conditions must hold") {
  Claim claim = claim_with({{1, 98.0}});
  claim.conditions.push_back({"density", Relation::kAtMost, 2.7, "%", 2, {{1, 2.8}}});
  CHECK(verdict_of(claim) == Verdict::kFails);
  CHECK(judge(claim).reason == "not density ≤ 2.70 %");
  claim.conditions[1].measured[1] = 2.6;
  CHECK(verdict_of(claim) == Verdict::kHolds);
}

TEST_CASE("claims: a claim without conditions or without seeds is an error") {
  Claim claim = claim_with({{1, 98.0}});
  claim.required_seeds = 0;
  CHECK_THROWS_AS(judge(claim), Error);
  claim.required_seeds = 1;
  claim.conditions.clear();
  CHECK_THROWS_AS(judge(claim), Error);
}

TEST_CASE("claims: mean, sample deviation and counts") {
  const SeedStatistics three = over_seeds({{1, 1.0}, {2, 2.0}, {3, 6.0}});
  CHECK(three.count == 3);
  CHECK(three.mean == 3.0);
  CHECK(three.deviation == doctest::Approx(std::sqrt(7.0)));
  CHECK(over_seeds({{5, 4.0}}).deviation == 0);
  CHECK(over_seeds({}).count == 0);
  const VerdictCounts counts = count_verdicts({claim_with({{1, 98}}), claim_with({{1, 97}}), claim_with({})});
  CHECK(counts.holds == 1);
  CHECK(counts.fails == 1);
  CHECK(counts.not_judged == 0);
  CHECK(counts.not_run == 1);
}

TEST_CASE("claims: the table and the JSON state the figures") {
  Claim claim = claim_with({{1, 98.0}, {2, 98.1}});
  claim.published = "98.4 %";
  const std::string table = to_text(claims_table({claim}));
  CHECK(table.find("98.05 ± 0.07 %") != std::string::npos);
  CHECK(table.find("HOLDS") != std::string::npos);
  const Json json = claims_json({claim});
  const Json& condition = json.at(std::size_t{0}).at("conditions").at(std::size_t{0});
  CHECK(condition.at("measured") == Json::object({{"1", 98.0}, {"2", 98.1}}));
  CHECK(condition.at("mean").as_real() == doctest::Approx(98.05));
  CHECK(json.at(std::size_t{0}).at("verdict").as_string() == "HOLDS");
}
