// The searches that the predictor is compared with: random search, and regularised evolution (Real et al., 2019).
#pragma once

#include <array>
#include <memory>

#include "papers/neural_predictor/cell_space.h"
#include "papers/neural_predictor/ledger.h"

namespace tenon::neural_predictor {

/// An architecture as evolution changes it. Of a cell: its 21 edge bits and 5 operations before pruning. Of other
/// spaces: a choice a place.
struct Genotype {
  uint32_t edges = 0;
  std::array<uint8_t, 8> choices{};
};

class SearchSpace {
 public:
  virtual ~SearchSpace() = default;
  virtual Genotype draw(Generator& generator) const = 0;
  /// A valid neighbour: invalid ones cost nothing and are drawn again.
  virtual Genotype mutate(const Genotype& parent, Generator& generator) const = 0;
  /// The row of the table.
  virtual int64_t row(const Genotype& genotype) const = 0;
};

/// NAS-Bench-101. Draws by rejection: 21 edges at one half, 5 uniform operations, pruned, until valid; which is not
/// uniform over the cells. A mutation flips each edge of the unpruned parent with probability 1/7 and exchanges each
/// operation for another with probability 1/5. The cells must outlive it.
std::unique_ptr<SearchSpace> cell_search_space(const CellSpace& cells);

/// Tuples of `places` choices below `options`, rows in the order of `row_of_tuple`, which numbers them as digits, the
/// first place the most significant. A mutation exchanges one choice for another.
std::unique_ptr<SearchSpace> tuple_search_space(int places, int options, std::vector<int64_t> row_of_tuple);

/// Each pays `trainings` times.
void random_search_uniform(Ledger& ledger, int64_t trainings, Generator& generator);
void random_search(Ledger& ledger, const SearchSpace& space, int64_t trainings, Generator& generator);

struct EvolutionOptions {
  int64_t population = 100, tournament = 10;
};
/// A random population; then the best of a tournament without replacement is mutated, trained and appended, and the
/// oldest dies.
void evolve(Ledger& ledger, const SearchSpace& space, const EvolutionOptions& options, int64_t trainings,
            Generator& generator);

}  // namespace tenon::neural_predictor
