#include "papers/neural_predictor/search.h"

#include <deque>
#include <utility>

#include "core/error.h"

namespace tenon::neural_predictor {
namespace {

// One of the others of `count` options.
uint8_t other_choice(uint8_t choice, int count, Generator& generator) {
  const uint32_t step = 1 + generator.next_below(static_cast<uint32_t>(count - 1));
  return static_cast<uint8_t>((choice + step) % static_cast<uint32_t>(count));
}

class Cells : public SearchSpace {
 public:
  explicit Cells(const CellSpace& cells) : cells_(cells) {}

  Genotype draw(Generator& generator) const override {
    Genotype genotype;
    do {
      genotype.edges = generator.next() >> (32 - kEdgeBits);
      for (int v = 0; v < kMaxInner; ++v)
        genotype.choices[static_cast<size_t>(v)] = static_cast<uint8_t>(generator.next_below(kOperations));
    } while (!pruned(genotype));
    return genotype;
  }

  Genotype mutate(const Genotype& parent, Generator& generator) const override {
    for (;;) {
      Genotype child = parent;
      for (int bit = 0; bit < kEdgeBits; ++bit)
        if (generator.next_uniform() < 1.0 / kMaxVertices) child.edges ^= 1U << bit;
      for (int v = 0; v < kMaxInner; ++v) {
        uint8_t& choice = child.choices[static_cast<size_t>(v)];
        if (generator.next_uniform() < 1.0 / kMaxInner) choice = other_choice(choice, kOperations, generator);
      }
      if (pruned(child)) return child;
    }
  }

  int64_t row(const Genotype& genotype) const override {
    const std::optional<Cell> cell = pruned(genotype);
    TENON_CHECK(cell, "search: the genotype has no valid cell");
    return cells_.row_of(*cell).value();
  }

 private:
  static std::optional<Cell> pruned(const Genotype& genotype) {
    Cell cell{kMaxVertices, genotype.edges, {}};
    for (size_t v = 0; v < kMaxInner; ++v) cell.operations[v] = static_cast<Operation>(genotype.choices[v]);
    return prune(cell);
  }

  const CellSpace& cells_;
};

class Tuples : public SearchSpace {
 public:
  Tuples(int places, int options, std::vector<int64_t> row_of_tuple)
      : places_(places), options_(options), row_of_tuple_(std::move(row_of_tuple)) {}

  Genotype draw(Generator& generator) const override {
    Genotype genotype;
    for (int i = 0; i < places_; ++i)
      genotype.choices[static_cast<size_t>(i)] =
          static_cast<uint8_t>(generator.next_below(static_cast<uint32_t>(options_)));
    return genotype;
  }

  Genotype mutate(const Genotype& parent, Generator& generator) const override {
    Genotype child = parent;
    uint8_t& choice = child.choices[generator.next_below(static_cast<uint32_t>(places_))];
    choice = other_choice(choice, options_, generator);
    return child;
  }

  int64_t row(const Genotype& genotype) const override {
    size_t number = 0;
    for (int i = 0; i < places_; ++i)
      number = number * static_cast<size_t>(options_) + genotype.choices[static_cast<size_t>(i)];
    return row_of_tuple_.at(number);
  }

 private:
  int places_, options_;
  std::vector<int64_t> row_of_tuple_;
};

}  // namespace

std::unique_ptr<SearchSpace> cell_search_space(const CellSpace& cells) {
  return std::make_unique<Cells>(cells);
}

std::unique_ptr<SearchSpace> tuple_search_space(int places, int options, std::vector<int64_t> row_of_tuple) {
  return std::make_unique<Tuples>(places, options, std::move(row_of_tuple));
}

void random_search_uniform(Ledger& ledger, int64_t trainings, Generator& generator) {
  for (int64_t i = 0; i < trainings; ++i)
    ledger.pay(generator.next_below(static_cast<uint32_t>(ledger.members())));
}

void random_search(Ledger& ledger, const SearchSpace& space, int64_t trainings, Generator& generator) {
  for (int64_t i = 0; i < trainings; ++i) ledger.pay(space.row(space.draw(generator)));
}

void evolve(Ledger& ledger, const SearchSpace& space, const EvolutionOptions& options, int64_t trainings,
            Generator& generator) {
  TENON_CHECK(options.tournament >= 1 && options.tournament <= options.population,
              "evolve: expects a tournament of 1 to ", options.population, ", got ", options.tournament);
  struct Individual {
    Genotype genotype;
    double fitness;
  };
  std::deque<Individual> population;  // the oldest first
  std::vector<size_t> places(static_cast<size_t>(options.population));
  for (size_t i = 0; i < places.size(); ++i) places[i] = i;
  for (int64_t i = 0; i < trainings; ++i) {
    if (i < options.population) {
      const Genotype genotype = space.draw(generator);
      population.push_back({genotype, ledger.pay(space.row(genotype))});
      continue;
    }
    // The first k places are those drawn so far.
    const auto drawn = [&](size_t k) -> const Individual& {
      std::swap(places[k], places[k + generator.next_below(static_cast<uint32_t>(places.size() - k))]);
      return population[places[k]];
    };
    const Individual* best = &drawn(0);
    for (size_t k = 1; k < static_cast<size_t>(options.tournament); ++k) {
      const Individual& other = drawn(k);
      if (other.fitness > best->fitness) best = &other;
    }
    const Genotype child = space.mutate(best->genotype, generator);
    population.push_back({child, ledger.pay(space.row(child))});
    population.pop_front();
  }
}

}  // namespace tenon::neural_predictor
