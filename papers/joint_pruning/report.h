// The page and the tables of a run.
#pragma once

#include "papers/experiment/report.h"
#include "papers/experiment/results.h"
#include "papers/experiment/table.h"
#include "papers/joint_pruning/judgement.h"

namespace tenon::joint_pruning {

/// One row an arm, averaged over the seeds: accuracies, weights, activations, MACs in both ways.
experiment::Table arms_table(const Facts& facts);
/// Layer by layer: weights, MACs, densities in the dense network, in WP and in JP, MACs in both ways; first seed.
experiment::Table layers_table(const Facts& facts);
/// The published tables, and beside each figure what was measured here; the data set is named in the title.
experiment::Table published_table(const Facts& facts, const std::string& data_set);
/// Times at batch 1 and 128 and the kernels that were chosen.
experiment::Table latency_table(const std::vector<Latency>& latencies);
/// Curves of sensitivity, of rules, and of sampled thresholds, in percent.
experiment::Table curves_table(const Facts& facts);

experiment::Report make_report(const Facts& facts, const std::vector<Latency>& latencies,
                               const experiment::Results& results, experiment::RunFolder& folder,
                               const experiment::ImageProblem& problem);

/// Times and exactness as JSON, for results.json.
Json latency_json(const Latency& latency);

}  // namespace tenon::joint_pruning
