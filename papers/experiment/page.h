// The frame that all our HTML pages share: head, style sheet, badges. No script, nothing loaded from
// elsewhere.
#pragma once

#include <string>
#include <string_view>

#include "papers/experiment/claims.h"

namespace tenon::experiment {

/// A complete HTML page around `body` (trusted markup); `title` is escaped.
std::string html_page(std::string_view title, std::string_view body);

/// A coloured label with a sign of its own: ✓ HOLDS, ✗ FAILS, ? NOT JUDGED, – NOT RUN.
std::string verdict_badge(Verdict verdict);

/// Such labels for counts, those that are zero left out: "✓ 5 hold", "✗ 1 fails".
std::string verdict_summary(const VerdictCounts& counts);

}  // namespace tenon::experiment
