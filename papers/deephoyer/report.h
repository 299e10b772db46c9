// The page and the tables of a run.
#pragma once

#include <vector>

#include "papers/deephoyer/judgement.h"
#include "papers/experiment/report.h"
#include "papers/experiment/results.h"
#include "papers/experiment/table.h"

namespace tenon::deephoyer {

/// One row a point, averaged over the seeds: strength, cut, accuracies, non-zeros, structure, MACs, times.
experiment::Table points_table(const Facts& facts, Family family);
/// Published figures with where they come from, and beside each the measured point that compares: of the same method and
/// network, the one of best validation accuracy among those not larger than twice the published size, else the smallest.
/// The measured data set is named in its column.
experiment::Table published_table(const Facts& facts, const std::string& data_set);

/// The LeNets: curves from the run's log, histograms of log10 |w| before and after the cut, sparsity a layer, fronts, the toy path,
/// tables and claims. The large family: curves, the front of accuracy and MACs, channels layer by layer, tables and claims.
experiment::Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results,
                               Family family);

}  // namespace tenon::deephoyer
