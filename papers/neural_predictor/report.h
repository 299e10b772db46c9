// The page and the tables of a run.
#pragma once

#include "papers/experiment/report.h"
#include "papers/experiment/results.h"
#include "papers/neural_predictor/judgement.h"

namespace tenon::neural_predictor {

/// One row an arm and seed: the pick after N + 100 trainings (a baseline: after 272), what it was chosen by, errors
/// and ranks of the predictions.
experiment::Table methods_table(const Facts& facts);
/// The curves in numbers.
experiment::Table curves_table(const Facts& facts);
/// Published figures with where they come from, and beside each what was measured.
experiment::Table published_table(const Facts& facts);

experiment::Report make_report(const Facts& facts, const Problems& problems,
                               const experiment::Results& results);

}  // namespace tenon::neural_predictor
