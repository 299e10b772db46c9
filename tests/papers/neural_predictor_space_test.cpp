// NAS-Bench-101's space: the hash to the letter, all classes of isomorphic cells, and parameter counts.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/pool.h"
#include "core/random.h"
#include "data/folders.h"
#include "data/nasbench.h"
#include "papers/neural_predictor/cell_network.h"
#include "papers/neural_predictor/cell_space.h"
#include "papers/neural_predictor/md5.h"

namespace tenon::neural_predictor {
namespace {

constexpr auto kConv3 = Operation::conv3x3, kConv1 = Operation::conv1x1, kPool = Operation::max_pool3x3;

std::string hex(std::string_view text) {
  const auto digest = md5_hex(text);
  return {digest.begin(), digest.end()};
}

const Cell kRow0 = make_cell(7, {{0, 1}, {0, 4}, {0, 5}, {1, 2}, {2, 3}, {2, 6}, {3, 5}, {4, 5}, {5, 6}},
                             {kConv3, kPool, kConv3, kConv3, kConv1});
const Cell kBest = make_cell(7, {{0, 1}, {0, 2}, {0, 5}, {0, 6}, {1, 5}, {2, 3}, {3, 4}, {4, 5}, {5, 6}},
                             {kConv1, kConv3, kPool, kConv3, kConv3});

// The same graph with other numbers for its inner vertices, in topological order still; nothing if the order
// would break.
std::optional<Cell> renumbered(const Cell& cell, const std::array<int, kMaxVertices>& place) {
  Cell out{cell.vertices, 0, {}};
  for (int y = 1; y < cell.vertices; ++y)
    for (int x = 0; x < y; ++x) {
      if (!cell.has_edge(x, y)) continue;
      const int from = place[static_cast<size_t>(x)], to = place[static_cast<size_t>(y)];
      if (from > to) return std::nullopt;
      out.edges |= 1U << edge_bit(from, to);
    }
  for (int v = 1; v < cell.vertices - 1; ++v)
    out.operations[static_cast<size_t>(place[static_cast<size_t>(v)] - 1)] = cell.operation(v);
  return out;
}

}  // namespace

TEST_CASE("neural predictor: MD5 of the texts of RFC 1321") {
  CHECK(hex("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(hex("abc") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(hex("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
  CHECK(hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
        "57edf4a22be3c955ac49da2e2107b67a");
  CHECK(hex(std::string(55, 'a')) == "ef1772b6dff9a122358552954ad0df65");  // the length just fits the block
  CHECK(hex(std::string(56, 'a')) == "3b0c8ac703f828b04c6c197006d17218");
  CHECK(hex(std::string(64, 'a')) == "014842d480b571495a4a0363793f7367");
}

TEST_CASE("neural predictor: hashes and parameters of known cells") {
  CHECK(canonical_hash(kRow0) == "00005c142e6f48ac74fdcf73e3439874");
  CHECK(parameter_count(kRow0) == 8555530);
  CHECK(canonical_hash(kBest) == "02e5a0247bbdcf2860b7e96f74961594");
  CHECK(parameter_count(kBest) == 32426634);
  CHECK(parameter_count(make_cell(2, {{0, 1}}, {})) == 882570);
  CHECK_THROWS_WITH_AS(make_cell(3, {{0, 3}}, {kPool}), doctest::Contains("got 0 -> 3"), Error);
}

TEST_CASE("neural predictor: an isomorphic cell has the same hash and the same fingerprint") {
  int compared = 0;
  std::array<int, kMaxVertices> place = {0, 1, 2, 3, 4, 5, 6};
  while (std::next_permutation(place.begin() + 1, place.end() - 1))
    for (const Cell& cell : {kRow0, kBest})
      if (const auto other = renumbered(cell, place)) {
        ++compared;
        CHECK(canonical_hash(*other) == canonical_hash(cell));
        CHECK(fingerprint(*other) == fingerprint(cell));
      }
  CHECK(compared > 5);
}

TEST_CASE("neural predictor: pruning keeps what lies between input and output") {
  // 1 leads nowhere, 3 comes from nowhere.
  const Cell loose = make_cell(5, {{0, 1}, {0, 2}, {2, 4}, {3, 4}}, {kConv3, kPool, kConv1});
  CHECK(prune(loose) == make_cell(3, {{0, 1}, {1, 2}}, {kPool}));
  CHECK(prune(kRow0) == kRow0);
  CHECK(prune(make_cell(3, {{0, 1}}, {kPool})) == std::nullopt);
  Cell full{7, (1U << kEdgeBits) - 1, {}};
  CHECK(prune(full) == std::nullopt);  // 21 edges
}

TEST_CASE(
    "neural predictor: channels are shared out, the first take what is left, others as wide as what they "
    "feed") {
  const Cell three = make_cell(5, {{0, 1}, {0, 2}, {0, 3}, {1, 4}, {2, 4}, {3, 4}}, {kConv3, kConv3, kConv3});
  CHECK(vertex_channels(three, 64, 128) == std::array<int64_t, 7>{64, 43, 43, 42, 128, 0, 0});
  const Cell narrow = make_cell(5, {{0, 1}, {1, 2}, {1, 3}, {2, 4}, {3, 4}}, {kConv3, kConv3, kConv3});
  CHECK(vertex_channels(narrow, 64, 127) == std::array<int64_t, 7>{64, 64, 64, 63, 127, 0, 0});
}

TEST_CASE("neural predictor: networks made of cells have the parameters that are counted, and give logits") {
  Generator random(1);
  CHECK(CellNetwork(kRow0, {}, random).parameter_count() == 8555530);
  const CellSpace space(4);
  CHECK(space.size() == 91);
  const Backbone small{
      .stem = 7, .stacks = 2, .cells = 2, .classes = 3, .colours = 2};  // 7: channels are left over
  for (const Cell& cell : space.cells()) {
    CellNetwork net(cell, small, random);
    CHECK(net.parameter_count() == parameter_count(cell, small));
    CHECK(net(Variable(random_normal({2, 2, 6, 6}, random))).shape() == Shape{2, 3});
  }
}

TEST_CASE("neural predictor: a cell adds, truncates, projects and concatenates") {
  Generator random(2);
  // 1 and 2 feed the output, 1 feeds 2 as well: of 5 channels 1 has three and 2 has two, so what 2 gets loses one.
  const Cell cell = make_cell(4, {{0, 1}, {1, 2}, {1, 3}, {2, 3}, {0, 3}}, {kConv1, kPool});
  CellBlock block(cell, 4, 5, random);
  block.eval();
  const Tensor x = random_normal({1, 4, 5, 5}, random);
  const Tensor y = block(Variable(x)).value();
  auto part = [&](const char* name, const Tensor& in) {
    return dynamic_cast<ConvNormRelu&>(block.at(name))(Variable(in)).value();
  };
  const Tensor first = part("operation1", part("projection1", x)), whole = part("projection3", x);
  CHECK(first.size(1) == 3);
  const Tensor second = max_pool(first.slice(1, 0, 2), {.kernel = {3}, .stride = {1}, .padding = {1}}).first;
  const Tensor expected = add(cat({first, second}, 1), whole);
  CHECK(y.to_vector<float>() == expected.to_vector<float>());
}

TEST_CASE("neural predictor: cells of up to five vertices, by their edges") {
  const CellSpace space(5);
  std::map<std::pair<int, int>, int> counts;
  for (const Cell& cell : space.cells()) ++counts[{cell.vertices, std::popcount(cell.edges)}];
  const std::map<std::pair<int, int>, int> published = {
      {{2, 1}, 1},  {{3, 2}, 3},   {{3, 3}, 3},   {{4, 3}, 9},   {{4, 4}, 33},  {{4, 5}, 33}, {{4, 6}, 9},
      {{5, 4}, 27}, {{5, 5}, 225}, {{5, 6}, 622}, {{5, 7}, 811}, {{5, 8}, 558}, {{5, 9}, 198}};
  CHECK(counts == published);
  for (int64_t row = 0; row < space.size(); ++row) {
    CHECK(space.row_of(space.cell(row)) == row);
    CHECK(space.hash(row) == canonical_hash(space.cell(row)));
    if (row > 0) CHECK(space.hash(row - 1) < space.hash(row));
  }
  CHECK(space.row_of(kRow0) == std::nullopt);
}

// The sanitizers turn the seconds that it takes to go through 1,293,208 labelled graphs and to name the 423,624 that differ into
// minutes. Their builds stop at six vertices: a twentieth of the graphs, through the same code. What needs every row of the
// table is looked at in the ordinary build alone.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kMostVertices = 6;
#else
constexpr int kMostVertices = kMaxVertices;
#endif

TEST_CASE("neural predictor: all 423,624 cells, and the parameters of each as the table has them") {
  bool found = false;
  for (const auto& folder : data_folders("nasbench"))
    found = found || find_file(folder, "nasbench101_accuracies.pkl");
  if (!found) {
    MESSAGE("NOT TESTED: no nasbench101_accuracies.pkl.gz in $TENON_DATA/nasbench or the cache (make data)");
    return;
  }
  const Nasbench101 table = load_nasbench101();
  CHECK(table.accuracy[4789] == doctest::Approx(94.3175752957662).epsilon(1e-14));
  const CellSpace space(kMostVertices);
  std::array<int, kMaxVertices + 1> counts{};
  for (const Cell& cell : space.cells()) ++counts[static_cast<size_t>(cell.vertices)];
  std::array<int, kMaxVertices + 1> published = {0, 0, 1, 6, 84, 2441, 62010, 359082};
  std::fill(published.begin() + kMostVertices + 1, published.end(), 0);
  CHECK(counts == published);
  if constexpr (kMostVertices < kMaxVertices) {
    MESSAGE("built with a sanitizer: cells of up to six vertices, and not the table's rows");
    return;
  }
  REQUIRE(space.size() == 423624);
  int64_t different = 0;
  for (int64_t row = 0; row < space.size(); ++row)
    different +=
        std::llround(1e6 * table.parameters[static_cast<size_t>(row)]) != parameter_count(space.cell(row));
  CHECK(different == 0);
  CHECK(space.cell(0) == kRow0);
  CHECK(space.cell(4789) == kBest);
  const auto accuracy = [&](const Cell& cell) {
    return table.accuracy[static_cast<size_t>(*space.row_of(cell))];
  };
  CHECK(*space.row_of(make_cell(2, {{0, 1}}, {})) == 6992);
  CHECK(accuracy(make_cell(2, {{0, 1}}, {})) == doctest::Approx(83.7707002957662));
  CHECK(accuracy(make_cell(3, {{0, 1}, {1, 2}}, {kConv3})) == doctest::Approx(93.046).epsilon(1e-5));
  CHECK(accuracy(make_cell(3, {{0, 1}, {1, 2}, {0, 2}}, {kConv1})) == doctest::Approx(83.717).epsilon(1e-5));
}

}  // namespace tenon::neural_predictor
