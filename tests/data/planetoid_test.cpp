// The citation networks: what is read, what is refused, and the real files where they are.
#include "data/planetoid.h"

#include <cmath>

#include "core/atomic_file.h"
#include "core/ops/reduce.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

struct Files {
  std::string features = "4 6 5\n0 3\n\n5\n1 2\n", labels = "1\n0\n1\n2\n", edges = "4 3\n0 1\n0 3\n2 3\n",
              split = "train 0 2\nval 3\ntest 1\n";
};

CitationNetwork read_files(std::string_view features, std::string_view labels, std::string_view edges,
                           std::string_view split) {
  FileReader a(ByteSource::memory("t", features)), b(ByteSource::memory("t", labels)),
      c(ByteSource::memory("t", edges)), d(ByteSource::memory("t", split));
  return read_planetoid(a, b, c, d);
}

const Files kGolden;
const ReadBytes kFeatures = [](std::string_view x) {
  read_files(x, kGolden.labels, kGolden.edges, kGolden.split);
};
const ReadBytes kLabels = [](std::string_view x) {
  read_files(kGolden.features, x, kGolden.edges, kGolden.split);
};
const ReadBytes kEdges = [](std::string_view x) {
  read_files(kGolden.features, kGolden.labels, x, kGolden.split);
};
const ReadBytes kSplit = [](std::string_view x) {
  read_files(kGolden.features, kGolden.labels, kGolden.edges, x);
};

}  // namespace

TEST_CASE("planetoid: a small network") {
  const Files& f = kGolden;
  const CitationNetwork network = read_files(f.features, f.labels, f.edges, f.split);
  CHECK(network.papers() == 4);
  CHECK(network.words() == 6);
  CHECK(network.features.to_dense().to_vector<float>() ==
        std::vector<float>{1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0});
  CHECK(network.labels.to_vector<int64_t>() == std::vector<int64_t>{1, 0, 1, 2});
  CHECK(network.classes == 3);
  CHECK(network.edges.shape() == Shape{2, 3});
  CHECK(network.edges.to_vector<int64_t>() == std::vector<int64_t>{0, 0, 2, 1, 3, 3});
  CHECK(network.train.to_vector<int64_t>() == std::vector<int64_t>{0, 2});
  CHECK(network.validation.to_vector<int64_t>() == std::vector<int64_t>{3});
  CHECK(network.test.to_vector<int64_t>() == std::vector<int64_t>{1});
}

TEST_CASE("planetoid: every truncation and everything behind the end is refused, plain and gzip") {
  struct Attempt {
    const ReadBytes* read;
    const std::string* text;
  };
  for (const Attempt& attempt : {Attempt{&kFeatures, &kGolden.features}, Attempt{&kLabels, &kGolden.labels},
                                 Attempt{&kEdges, &kGolden.edges}, Attempt{&kSplit, &kGolden.split}}) {
    const ReadBytes& read = *attempt.read;
    const std::string& text = *attempt.text;
    CAPTURE(text);
    CHECK_NOTHROW(read(text));
    CHECK_NOTHROW(read(gzip(text)));
    for (size_t length = 0; length < text.size(); ++length)
      CHECK(contains(refusal(read, std::string(text, 0, length)), "t: "));
    for (const std::string& behind : {std::string(1, '\0'), std::string("\n"), text})
      CHECK(contains(refusal(read, text + behind), "t: "));
    CHECK(contains(refusal(read, gzip(text).substr(0, 12)), "t: "));
  }
}

TEST_CASE("planetoid: what is wrong is named, with its byte and line") {
  CHECK(refusal(kFeatures, "4 6 5\n0 3\n\n6\n1 2\n") ==
        "t: at byte 11, line 4: expected a word, above the one before, a number in [0, 5], got '6'");
  CHECK(contains(refusal(kFeatures, "4 6 5\n3 0\n\n5\n1 2\n"), "number in [4, 5], got '0'"));
  CHECK(contains(refusal(kFeatures, "4 6 6\n0 3\n\n5\n1 2\n"), "expected 6 entries, got 5"));
  CHECK(contains(refusal(kFeatures, "4 6 5\n0  3\n\n5\n1 2\n"), "got ''"));
  CHECK(contains(refusal(kFeatures, "4 6 5\n0 x\n\n5\n1 2\n"), "line's end behind a word"));
  CHECK(contains(refusal(kFeatures, "4 -6 5\n"),
                 "expected the number of words, a number in [0, 2147483646], got '-6'"));
  CHECK(contains(refusal(kFeatures, "4 99999999999999999999999 5\n"), "got '99999999999999999999'"));
  CHECK(contains(refusal(kLabels, "1\n0\n1\n3\n"), "none of class 2"));
  CHECK(contains(refusal(kLabels, "1\n0\n1\n4\n"), "a number in [-1, 3], got '4'"));
  CHECK(contains(refusal(kLabels, "1\n0\n-1\n2\n"), "paper 2 stands in the split and has no class"));
  CHECK(contains(refusal(kLabels, "1\n0\n-\n2\n"), "got '-'"));
  CHECK(contains(refusal(kEdges, "5 3\n0 1\n0 3\n2 3\n"), "as in the features, a number in [4, 4], got '5'"));
  CHECK(contains(refusal(kEdges, "4 3\n0 1\n0 1\n2 3\n"), "a number in [2, 3], got '1'"));
  CHECK(contains(refusal(kEdges, "4 3\n0 1\n2 3\n0 3\n"), "not below the one before, a number in [2, 3]"));
  CHECK(contains(refusal(kEdges, "4 3\n0 1\n0 3\n3 3\n"), "a number in [4, 3], got '3'"));
  CHECK(contains(refusal(kSplit, "train 0 2\ntest 3\nval 1\n"), "line 2: expected 'val'"));
  CHECK(contains(refusal(kSplit, "train 0 2\nval 2\ntest 1\n"), "paper 2 stands in the split twice"));
}

TEST_CASE("planetoid: forged counts cost no memory") {
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  CHECK(contains(refusal(kFeatures, "2000000000 6 5\n0 3\n\n5\n1 2\n"), "11 bytes are left"));
  CHECK(contains(refusal(kFeatures, "4 6 2000000000\n0 3\n\n5\n1 2\n"), "11 bytes are left"));
  CHECK(contains(refusal(kEdges, "4 2000000000\n0 1\n0 3\n2 3\n"), "12 bytes are left"));
  CHECK(memory_stats().peak_bytes - before <= 4096);
}

TEST_CASE("planetoid: Cora and CiteSeer, the real files") {
  CHECK_THROWS_WITH_AS(load_citation_network("pubmed"), doctest::Contains("cora or citeseer, got 'pubmed'"),
                       Error);
  for (const std::string& name : citation_network_names()) {
    CitationNetwork network;
    try {
      network = load_citation_network(name);
    } catch (const Error& error) {
      if (!contains(error.what(), "is not on this machine")) throw;
      MESSAGE("NOT TESTED, the data are missing: ", std::string(error.what()));
      continue;
    }
    // 20 papers of each class to train on, 500 to choose by, 1,000 to test on (Yang et al., 2016).
    CHECK(network.train.numel() == 20 * network.classes);
    std::vector<int> of_class(static_cast<size_t>(network.classes), 0);
    for (int64_t paper : network.train.to_vector<int64_t>())
      ++of_class[static_cast<size_t>(network.labels.data<int64_t>()[paper])];
    CHECK(of_class == std::vector<int>(static_cast<size_t>(network.classes), 20));
    CHECK(network.validation.numel() == 500);
    CHECK(network.test.numel() == 1000);
    CHECK(sum(network.features.values).item() == static_cast<double>(network.features.pattern.entries()));
  }
}
