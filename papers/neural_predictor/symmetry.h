// What a prediction must not depend on, and what it must.
#pragma once

#include <span>

#include "papers/neural_predictor/graphs.h"
#include "papers/neural_predictor/predictor.h"

namespace tenon::neural_predictor {

/// Largest changes of the predicted accuracies, relative to them, where nothing else is said.
struct Symmetry {
  double permuted = 0;  ///< vertices in another order
  double padded = 0;    ///< two more vertices of padding
  double linked = 0;    ///< one sparse matrix instead of dense ones
  double reversed = 0;  ///< all edges the other way: the median change
};

/// Of graphs[rows[i]], under random permutations. Throws Error on no rows.
Symmetry symmetry_of(GraphModule& net, const LabelledGraphs& graphs, std::span<const int64_t> rows,
                     Generator& generator);

}  // namespace tenon::neural_predictor
