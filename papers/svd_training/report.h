// The page and the tables of a run.
#pragma once

#include <string>
#include <vector>

#include "papers/experiment/report.h"
#include "papers/experiment/results.h"
#include "papers/experiment/table.h"
#include "papers/svd_training/facts.h"

namespace tenon::svd_training {

/// One row a point and seed: strengths, ranks, sizes, accuracies stage by stage, errors of the factors, times.
experiment::Table points_table(const Plan& plan, const Facts& facts);
/// One row an arm before pruning: accuracy, ranks, orthogonality, spectrum, spread of gradients.
experiment::Table arms_table(const Plan& plan, const Facts& facts);
/// Accuracy lost by pruning alone at every energy, with the old statistics of batch norm and with new ones.
experiment::Table curve_table(const Facts& facts);
/// Milliseconds of a training step by path, and what penalties and factor algebra take.
experiment::Table steps_table(const Facts& facts);
/// Published figures with where they come from.
experiment::Table published_table();

/// The epochs of all pairs as comma-separated values: arm, seed, epoch, stage, learning rate, cross-entropy, both weighted
/// penalties, ranks at 90, 99 and 99.9 % energy, accuracy.
std::string epochs_csv(const Study& study, const std::vector<Json>& log);

/// The five panels of training, histograms of |s|, curves of pruning, fronts, tables and claims.
experiment::Report make_report(const Plan& plan, const Facts& facts, const experiment::Results& results);

}  // namespace tenon::svd_training
