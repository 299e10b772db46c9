// The page and the tables of a run.
#pragma once

#include "papers/autogrow/judgement.h"
#include "papers/experiment/report.h"
#include "papers/experiment/results.h"
#include "papers/experiment/table.h"

namespace tenon::autogrow {

/// One row a pair: what was found, what it cost, and how accurate it is.
experiment::Table arms_table(const Plan& plan, const Facts& facts);
/// The published tables, and what was measured of the like, first seed.
experiment::Table published_table(const Plan& plan, const Facts& facts);

/// The page; its curves come from the run's log.
experiment::Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results);

}  // namespace tenon::autogrow
