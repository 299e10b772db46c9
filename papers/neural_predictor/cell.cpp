#include "papers/neural_predictor/cell.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "core/error.h"
#include "papers/neural_predictor/md5.h"

namespace tenon::neural_predictor {
namespace {

// -1 input, -2 output, else the operation.
int label(const Cell& cell, int v) {
  if (v == 0) return -1;
  if (v == cell.vertices - 1) return -2;
  return static_cast<int>(cell.operation(v));
}

bool linked(const Cell& cell, int from, int to) { return from < to && cell.has_edge(from, to); }

int degree(const Cell& cell, int v, bool out) {
  int count = 0;
  for (int u = 0; u < cell.vertices; ++u) count += out ? linked(cell, v, u) : linked(cell, u, v);
  return count;
}

// Calls refine(v, its in-neighbours, its out-neighbours) for every vertex, as often as there are vertices.
template <class Value, class Refine>
void refine_all(const Cell& cell, std::array<Value, kMaxVertices>& values, Refine&& refine) {
  for (int round = 0; round < cell.vertices; ++round) {
    const std::array<Value, kMaxVertices> before = values;
    for (int v = 0; v < cell.vertices; ++v) {
      std::array<Value, kMaxVertices> in, out;
      int ins = 0, outs = 0;
      for (int u = 0; u < cell.vertices; ++u) {
        if (linked(cell, u, v)) in[static_cast<size_t>(ins++)] = before[static_cast<size_t>(u)];
        if (linked(cell, v, u)) out[static_cast<size_t>(outs++)] = before[static_cast<size_t>(u)];
      }
      values[static_cast<size_t>(v)] = refine(before[static_cast<size_t>(v)], in, ins, out, outs);
    }
  }
}

using Digest = std::array<char, 32>;
using Digests = std::array<Digest, kMaxVertices>;

char* append(char* to, const Digest& digest) { return std::copy(digest.begin(), digest.end(), to); }

// By insertion: of seven, std::sort makes g++ warn about its code for longer lists.
void sort_first(Digests& digests, int count) {
  for (int i = 1; i < count; ++i)
    for (auto at = static_cast<size_t>(i); at > 0 && digests[at] < digests[at - 1]; --at)
      std::swap(digests[at], digests[at - 1]);
}

char* append_sorted(char* to, Digests& digests, int count) {
  sort_first(digests, count);
  for (int i = 0; i < count; ++i) to = append(to, digests[static_cast<size_t>(i)]);
  return to;
}

uint64_t mixed(uint64_t x) {  // the finisher of MurmurHash3: each bit of x decides on all others
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccd;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53;
  return x ^ (x >> 33);
}

// What follows the vertex on its way to the output, or lies before it on its way from the input.
std::array<bool, kMaxVertices> reachable(const Cell& cell, bool from_input) {
  std::array<bool, kMaxVertices> seen{};
  const int last = cell.vertices - 1;
  seen[static_cast<size_t>(from_input ? 0 : last)] = true;
  for (int i = 1; i <= last; ++i) {
    const int v = from_input ? i : last - i;
    for (int u = 0; u <= last; ++u)
      if (seen[static_cast<size_t>(u)] && (from_input ? linked(cell, u, v) : linked(cell, v, u)))
        seen[static_cast<size_t>(v)] = true;
  }
  return seen;
}

}  // namespace

Cell make_cell(int vertices, const std::vector<std::pair<int, int>>& edges,
               const std::vector<Operation>& operations) {
  TENON_CHECK(vertices >= 2 && vertices <= kMaxVertices, "make_cell: expects 2 to ", kMaxVertices,
              " vertices, got ", vertices);
  TENON_CHECK(operations.size() == static_cast<size_t>(vertices - 2), "make_cell: expects ", vertices - 2,
              " operations, got ", operations.size());
  Cell cell{vertices, 0, {}};
  for (const auto& [x, y] : edges) {
    TENON_CHECK(0 <= x && x < y && y < vertices, "make_cell: expects edges x -> y with 0 <= x < y < ",
                vertices, ", got ", x, " -> ", y);
    cell.edges |= 1U << edge_bit(x, y);
  }
  std::copy(operations.begin(), operations.end(), cell.operations.begin());
  return cell;
}

std::optional<Cell> prune(const Cell& cell) {
  const auto from_input = reachable(cell, true), to_output = reachable(cell, false);
  std::array<int, kMaxVertices> kept{};
  int count = 0;
  for (int v = 0; v < cell.vertices; ++v)
    if (from_input[static_cast<size_t>(v)] && to_output[static_cast<size_t>(v)])
      kept[static_cast<size_t>(count++)] = v;
  if (!from_input[static_cast<size_t>(cell.vertices - 1)]) return std::nullopt;
  Cell out{count, 0, {}};
  for (int y = 1; y < count; ++y) {
    const int from = kept[static_cast<size_t>(y)];
    if (y < count - 1) out.operations[static_cast<size_t>(y - 1)] = cell.operation(from);
    for (int x = 0; x < y; ++x)
      if (cell.has_edge(kept[static_cast<size_t>(x)], from)) out.edges |= 1U << edge_bit(x, y);
  }
  if (std::popcount(out.edges) > kMaxEdges) return std::nullopt;
  return out;
}

std::string canonical_hash(const Cell& cell) {
  Digests digests;
  for (int v = 0; v < cell.vertices; ++v)
    digests[static_cast<size_t>(v)] =
        md5_hex(concat("(", degree(cell, v, true), ", ", degree(cell, v, false), ", ", label(cell, v), ")"));
  refine_all(cell, digests, [](const Digest& own, Digests& in, int ins, Digests& out, int outs) {
    char text[(kMaxVertices + 1) * sizeof(Digest) + 2];
    char* end = append_sorted(text, in, ins);
    *end++ = '|';
    end = append_sorted(end, out, outs);
    *end++ = '|';
    end = append(end, own);
    return md5_hex({text, static_cast<size_t>(end - text)});
  });
  sort_first(digests, cell.vertices);
  std::string list = "[";
  for (int v = 0; v < cell.vertices; ++v) {
    const Digest& digest = digests[static_cast<size_t>(v)];
    list += concat(v == 0 ? "'" : ", '", std::string_view(digest.data(), digest.size()), "'");
  }
  const Digest name = md5_hex(list + "]");
  return {name.begin(), name.end()};
}

uint64_t fingerprint(const Cell& cell) {
  using Values = std::array<uint64_t, kMaxVertices>;
  // Sums take the place of sorting: they do not know an order either.
  const auto sum = [](const Values& values, int count, uint64_t salt) {
    uint64_t total = 0;
    for (int i = 0; i < count; ++i) total += mixed(values[static_cast<size_t>(i)] + salt);
    return total;
  };
  Values values{};
  for (int v = 0; v < cell.vertices; ++v)
    values[static_cast<size_t>(v)] = mixed(
        static_cast<uint64_t>(label(cell, v) + 3 + 8 * degree(cell, v, true) + 64 * degree(cell, v, false)));
  refine_all(cell, values, [&](uint64_t own, const Values& in, int ins, const Values& out, int outs) {
    return mixed(3 * own + mixed(5 * sum(in, ins, 1)) + mixed(7 * sum(out, outs, 2)));
  });
  return mixed(sum(values, cell.vertices, 3));
}

std::array<int64_t, kMaxVertices> vertex_channels(const Cell& cell, int64_t in, int64_t out) {
  const int last = cell.vertices - 1;
  std::array<int64_t, kMaxVertices> channels{};
  channels[0] = in;
  channels[static_cast<size_t>(last)] = out;
  int64_t feeding = 0;
  for (int v = 1; v < last; ++v) feeding += cell.has_edge(v, last);
  int64_t left_over = feeding == 0 ? 0 : out % feeding;
  for (int v = 1; v < last; ++v)
    if (cell.has_edge(v, last)) channels[static_cast<size_t>(v)] = out / feeding + (left_over-- > 0 ? 1 : 0);
  for (int v = last - 1; v >= 1; --v) {
    if (cell.has_edge(v, last)) continue;
    for (int u = v + 1; u < last; ++u)
      if (cell.has_edge(v, u))
        channels[static_cast<size_t>(v)] =
            std::max(channels[static_cast<size_t>(v)], channels[static_cast<size_t>(u)]);
  }
  return channels;
}

int64_t parameter_count(const Cell& cell, const Backbone& backbone) {
  // A convolution and its batch norm.
  const auto convolution = [](int64_t kernel, int64_t in, int64_t out) {
    return kernel * kernel * in * out + 2 * out;
  };
  const auto cell_parameters = [&](int64_t in, int64_t out) {
    const auto channels = vertex_channels(cell, in, out);
    int64_t total = 0;
    for (int v = 1; v < cell.vertices; ++v) {
      const int64_t own = channels[static_cast<size_t>(v)];
      if (cell.has_edge(0, v))
        total += convolution(1, in, own);  // the input comes through a projection of its own
      if (v == cell.vertices - 1) continue;
      if (cell.operation(v) == Operation::conv3x3) total += convolution(3, own, own);
      if (cell.operation(v) == Operation::conv1x1) total += convolution(1, own, own);
    }
    return total;
  };
  int64_t channels = backbone.stem, total = convolution(3, backbone.colours, channels);
  for (int64_t stack = 0; stack < backbone.stacks; ++stack) {
    const int64_t out = stack == 0 ? channels : 2 * channels;
    total += cell_parameters(channels, out) + (backbone.cells - 1) * cell_parameters(out, out);
    channels = out;
  }
  return total + channels * backbone.classes + backbone.classes;
}

}  // namespace tenon::neural_predictor
