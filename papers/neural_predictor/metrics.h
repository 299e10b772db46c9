// How good predictions are.
#pragma once

#include <span>
#include <vector>

namespace tenon::neural_predictor {

/// Mean squared error over the places where truth >= floor; NaN if there are none.
double mean_squared_error(std::span<const double> truth, std::span<const double> predicted, double floor);

/// Kendall's tau-b, ties counted out, in O(n log n) (Knight, 1966). NaN if either side is constant.
double kendall_tau(std::span<const double> a, std::span<const double> b);

/// The correlation of ranks, ties sharing theirs. NaN if either side is constant.
double spearman(std::span<const double> a, std::span<const double> b);

/// The share of the `count` highest predictions whose truth is among the highest `part` (0 to 1) of all.
double precision_at(std::span<const double> truth, std::span<const double> predicted, size_t count,
                    double part);

/// The middle of the values, the mean of the two middle ones of an even number. Throws Error if there are none.
double median(std::vector<double> values);

}  // namespace tenon::neural_predictor
