// The claims of a paper by their names.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "papers/experiment/claims.h"

namespace tenon::test {

/// Throws Error if there is none of that name.
inline experiment::Judgement judgement_of(const std::vector<experiment::Claim>& claims,
                                          const std::string& id) {
  for (const experiment::Claim& claim : claims)
    if (claim.id == id) return experiment::judge(claim);
  fail("no claim ", id);
}
inline experiment::Verdict verdict_of(const std::vector<experiment::Claim>& claims, const std::string& id) {
  return judgement_of(claims, id).verdict;
}

}  // namespace tenon::test
