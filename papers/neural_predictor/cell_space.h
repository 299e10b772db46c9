// All cells of NAS-Bench-101, one of each class of isomorphic ones, in the order of the table.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "papers/neural_predictor/cell.h"

namespace tenon::neural_predictor {

class CellSpace {
 public:
  /// Finds the cells of at most `max_vertices` vertices. All 423,624 of them take some seconds.
  explicit CellSpace(int max_vertices = kMaxVertices);

  int64_t size() const { return static_cast<int64_t>(cells_.size()); }
  /// In ascending order of the canonical hash, which is the order of the rows of the published tables.
  const std::vector<Cell>& cells() const { return cells_; }
  const Cell& cell(int64_t row) const { return cells_[static_cast<size_t>(row)]; }
  const std::string& hash(int64_t row) const { return hashes_[static_cast<size_t>(row)]; }
  /// The row of a pruned cell, or of one that is isomorphic to it; nothing if the space has none.
  std::optional<int64_t> row_of(const Cell& cell) const;

 private:
  std::vector<Cell> cells_;
  std::vector<std::string> hashes_;
  std::unordered_map<uint64_t, int64_t> rows_;  // by fingerprint
};

}  // namespace tenon::neural_predictor
