// The page, the tables and the figures of a run.
#pragma once

#include "papers/experiment/report.h"
#include "papers/experiment/results.h"
#include "papers/experiment/table.h"
#include "papers/trp/judgement.h"

namespace tenon::trp {

/// One row a point, averaged over the seeds: accuracies, ranks, weights, multiply-accumulates, times.
experiment::Table points_table(const Plan& plan, const Facts& facts);
/// One row a TRP arm: rises of the ranks, Theorem 2's quotient against its bound, and the share of the cuts in training.
experiment::Table ranks_table(const Facts& facts);
/// Published figures with where they come from, and beside each the measured arm that compares.
experiment::Table published_table(const Plan& plan, const Facts& facts);

/// Accuracy against speed-up, evolution of ranks beside the control, spectra, curves from the log, tables and claims.
experiment::Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results);

/// spectra.csv (Figure 2: normalised energies of the last layer, and the ranks of all, at every cut) and fronts.csv (Figure
/// 3: speed-up and accuracy of every point), into the run's folder.
void write_figures(const Plan& plan, const Facts& facts);

}  // namespace tenon::trp
