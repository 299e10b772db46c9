// A cell of NAS-Bench-101 (Ying et al., 2019): an acyclic graph of at most 7 vertices and 9 edges. Vertex 0 is the
// input and the last one the output; those between carry an operation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tenon::neural_predictor {

constexpr int kMaxVertices = 7, kMaxEdges = 9;
constexpr int kEdgeBits = kMaxVertices * (kMaxVertices - 1) / 2, kMaxInner = kMaxVertices - 2;

/// The numbers that the benchmark gives to its operations; each is followed by batch norm and ReLU but the pool.
enum class Operation : uint8_t { conv3x3 = 0, conv1x1 = 1, max_pool3x3 = 2 };
constexpr int kOperations = 3;

/// The bit that stands for the edge x -> y, x < y, of any graph whose vertices are in topological order.
constexpr int edge_bit(int x, int y) { return x + y * (y - 1) / 2; }

struct Cell {
  int vertices = 2;
  uint32_t edges = 1;                             ///< by edge_bit
  std::array<Operation, kMaxInner> operations{};  ///< of the vertices 1 to vertices - 2; the rest is unused

  bool has_edge(int x, int y) const { return (edges >> edge_bit(x, y) & 1) != 0; }
  Operation operation(int vertex) const { return operations[static_cast<size_t>(vertex - 1)]; }
  bool operator==(const Cell& other) const = default;
};

/// A cell of these edges, for tests and tables. Throws Error on more than 7 vertices, or an edge that is none of
/// the graph's.
Cell make_cell(int vertices, const std::vector<std::pair<int, int>>& edges,
               const std::vector<Operation>& operations);

/// The cell without the vertices that lie on no path from input to output; nothing if there is no such path, or
/// if more than 9 edges are left.
std::optional<Cell> prune(const Cell& cell);

/// The name that the benchmark gives to a cell, equal for isomorphic ones: MD5 of the sorted MD5s of its vertices,
/// each of which took in those of its neighbours as many times as there are vertices.
std::string canonical_hash(const Cell& cell);

/// 64 bits that are found as canonical_hash is, by a faster mixing than MD5: to look cells up and to tell them
/// apart. (All cells of the space differ in them; CellSpace checks it.)
uint64_t fingerprint(const Cell& cell);

/// The network that a cell is put into: a stem, then stacks of cells; the channels double from stack to stack.
struct Backbone {
  int64_t stem = 128, stacks = 3, cells = 3, classes = 10, colours = 3;
};

/// Channels of each vertex of a cell: the output's are shared out among the vertices that feed it, the first ones
/// taking what is left over; any other inner vertex has as many as the widest that it feeds. Entry 0 is `in`, the
/// last is `out`.
std::array<int64_t, kMaxVertices> vertex_channels(const Cell& cell, int64_t in, int64_t out);

/// Trainable numbers of the network made of the cell: convolutions without bias, batch norm's scale and shift, the
/// classifier with its bias.
int64_t parameter_count(const Cell& cell, const Backbone& backbone = {});

}  // namespace tenon::neural_predictor
