#include "papers/neural_predictor/cell_space.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"

namespace tenon::neural_predictor {
namespace {

// In an acyclic graph every vertex lies on a path from input to output if every one but these has a vertex before
// it and one behind it.
bool is_whole(const Cell& cell) {
  for (int v = 0; v < cell.vertices; ++v) {
    bool in = v == 0, out = v == cell.vertices - 1;
    for (int u = 0; u < v; ++u) in = in || cell.has_edge(u, v);
    for (int u = v + 1; u < cell.vertices; ++u) out = out || cell.has_edge(v, u);
    if (!in || !out) return false;
  }
  return true;
}

// Calls visit(cell) for the cells of this many vertices, isomorphic ones again and again: matrices in the order of
// their bits, operations in the order of words. Which of isomorphic cells comes first decides which vertices take the
// channels that are left over, and so the published parameter counts.
template <class Visit>
void for_each_labelled(int vertices, Visit&& visit) {
  const uint32_t matrices = 1U << edge_bit(0, vertices);
  const auto inner = static_cast<size_t>(vertices - 2);
  for (uint32_t edges = 0; edges < matrices; ++edges) {
    Cell cell{vertices, edges, {}};
    if (std::popcount(edges) > kMaxEdges || !is_whole(cell)) continue;
    for (bool more = true; more;) {
      visit(cell);
      more = false;
      for (size_t digit = inner; digit > 0 && !more; --digit) {
        Operation& operation = cell.operations[digit - 1];
        more = operation != Operation::max_pool3x3;
        operation = more ? static_cast<Operation>(static_cast<int>(operation) + 1) : Operation::conv3x3;
      }
    }
  }
}

}  // namespace

CellSpace::CellSpace(int max_vertices) {
  TENON_CHECK(max_vertices >= 2 && max_vertices <= kMaxVertices, "CellSpace: expects 2 to ", kMaxVertices,
              " vertices, got ", max_vertices);
  std::vector<Cell> found;
  for (int vertices = 2; vertices <= max_vertices; ++vertices)
    for_each_labelled(vertices, [&](const Cell& cell) {
      if (rows_.emplace(fingerprint(cell), static_cast<int64_t>(found.size())).second) found.push_back(cell);
    });

  std::vector<std::string> names(found.size());
  constexpr int64_t kGrain = 64;
  parallel_for(static_cast<int64_t>(found.size()), kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      names[static_cast<size_t>(i)] = canonical_hash(found[static_cast<size_t>(i)]);
  });
  std::vector<size_t> order(found.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return names[a] < names[b]; });

  std::vector<int64_t> row_of_found(found.size());
  for (size_t row = 0; row < order.size(); ++row) {
    cells_.push_back(found[order[row]]);
    hashes_.push_back(std::move(names[order[row]]));
    row_of_found[order[row]] = static_cast<int64_t>(row);
    TENON_CHECK(row == 0 || hashes_[row - 1] != hashes_[row], "CellSpace: two fingerprints for the cell ",
                hashes_[row]);
  }
  for (auto& [unused, row] : rows_) row = row_of_found[static_cast<size_t>(row)];
}

std::optional<int64_t> CellSpace::row_of(const Cell& cell) const {
  const auto found = rows_.find(fingerprint(cell));
  if (found == rows_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tenon::neural_predictor
