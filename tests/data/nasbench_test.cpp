// The tables of trained architectures: what is read, what is refused, and the real files where they are.
#include "data/nasbench.h"

#include <cstring>

#include "data/folders.h"
#include "tests/data/nasbench_files.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

std::vector<double> read_pickle(std::string_view bytes) {
  FileReader in(ByteSource::memory("t", bytes));
  return read_nasbench101_column(in);
}

Nasbench201 read_201(std::string_view twelve, std::string_view full) {
  FileReader a(ByteSource::memory("t", twelve)), b(ByteSource::memory("t", full));
  return read_nasbench201(a, b, Nasbench201Set::cifar10);
}

bool have_tables() {
  for (const auto& folder : data_folders("nasbench"))
    if (find_file(folder, "nasbench101_accuracies.pkl")) return true;
  MESSAGE("NOT TESTED: no nasbench101_accuracies.pkl.gz in $TENON_DATA/nasbench or the cache (make data)");
  return false;
}

}  // namespace

TEST_CASE("nasbench: a column of a pickle, plain and gzip") {
  const std::string pickle = nasbench101_pickle({0.5, 0.25, 1}, 1),
                    three_columns = nasbench101_pickle({3, 2, 1}, 3);
  CHECK(read_pickle(pickle) == std::vector<double>{0.5, 0.25, 1});
  CHECK(read_pickle(gzip(pickle)) == std::vector<double>{0.5, 0.25, 1});
  CHECK(read_pickle(three_columns) == std::vector<double>{3, 2, 1});
  check_strict([](std::string_view x) { read_pickle(x); }, pickle);
}

TEST_CASE("nasbench: pickles that are refused") {
  const std::string good = nasbench101_pickle({0.5, 0.25, 1}, 1);
  const auto changed = [&](size_t at, char byte) {
    std::string bad = good;
    bad[at] = byte;
    return refusal([](std::string_view x) { read_pickle(x); }, bad);
  };
  CHECK(contains(changed(0, 'x'), "expected a pickle, opcode 128, got 120"));
  CHECK(contains(changed(1, 5), "expected a pickle of protocol 4"));
  CHECK(contains(changed(2, 'x'), "expected a frame, opcode 149"));
  const size_t array = 2 + 9 + 3;  // behind the protocol and a frame of three bytes
  CHECK(contains(changed(array, 'x'), "expected the array of row numbers, opcode 66"));
  CHECK(contains(changed(array + 1, 25), "of 8 bytes a number, got 25 bytes"));
  CHECK(contains(changed(array + 4, '\x7f'), "the array of row numbers"));
  CHECK(contains(changed(array + 5 + 8, 7), "expected row number 1"));
  CHECK(contains(refusal([](std::string_view x) { read_pickle(x); }, nasbench101_pickle({}, 1)),
                 "expected columns of 0 reals"));
  CHECK(contains(refusal([](std::string_view x) { read_pickle(x); },
                         nasbench101_pickle({1, std::numeric_limits<double>::infinity()}, 1)),
                 "row 1: expected a finite number"));
}

TEST_CASE("nasbench: NAS-Bench-201's two tables") {
  const Nasbench201 table = read_201(kTwelveEpochs, kFull);
  CHECK(table.operations.size() == 2);
  CHECK(table.operations[0] == std::array<uint8_t, 6>{4, 2, 1, 2, 1, 1});
  CHECK(table.operations[1] == std::array<uint8_t, 6>{3, 0, 4, 1, 3, 1});
  CHECK(table.validation12 == std::vector<double>{63.25, 82.5});
  CHECK(table.test200 == std::vector<double>{85.5, 93.5});

  const auto refused = [](std::string twelve, const char* from, const char* to) {
    const size_t at = twelve.find(from);
    REQUIRE(at != std::string::npos);
    twelve.replace(at, std::strlen(from), to);
    return refusal([](std::string_view x) { read_201(x, kFull); }, twelve);
  };
  CHECK(contains(refused(kTwelveEpochs, "cifar10-val", "else"), "expected a column cifar10-val"));
  CHECK(contains(refused(kTwelveEpochs, "avg_pool_3x3~0|", "max_pool~0|"),
                 "no operation is called 'max_pool'"));
  CHECK(contains(refused(kTwelveEpochs, "~0|skip_connect~1", "~1|skip_connect~1"), "expected a cell"));
  CHECK(contains(refused(kTwelveEpochs, "~2|,", "~2||,"), "expected the end of the cell"));
  CHECK(contains(refused(kTwelveEpochs, "63.25", "163.25"),
                 "line 2: expected an accuracy in [0, 100] %, got 163.25"));
  CHECK(contains(refused(kTwelveEpochs, "63.25", "6x"), "expected a number, got '6x'"));
  CHECK(contains(refused(kTwelveEpochs, "63.25", "nan"), "expected a number"));
  CHECK(contains(refused(kTwelveEpochs, "63.25", "63,25"), "expected 8 fields, got 9"));
  CHECK(contains(refused(kTwelveEpochs, "\n1,", "\n2,"), "expected row 1"));
  const auto second = [](const char* text) {
    return refusal([](std::string_view x) { read_201(kTwelveEpochs, x); }, text);
  };
  CHECK(contains(second("index,accuracy\n0,85.5\n"), "expected 2 rows"));
  CHECK(contains(second("row,accuracy\n0,85.5\n1,93.5\n"), "expected the header"));
  CHECK(contains(second(""), "expected 2 fields, got 1"));
}

TEST_CASE("nasbench: chains") {
  const NasbenchMacro table = read_nasbench_macro(kMacro, "t");
  REQUIRE(table.choices.size() == 2);
  CHECK(table.choices[0] == std::array<uint8_t, 8>{0, 2, 0, 1, 2, 1, 0, 0});
  CHECK(table.test[1] == std::array<double, 3>{92.25, 92.5, 92});
  const ReadBytes read = [](std::string_view x) { read_nasbench_macro(x, "t"); };
  CHECK(contains(refusal(read, R"({"02012103": {"test_acc": [1, 2, 3]}})"), "expected a chain of 8 digits"));
  CHECK(
      contains(refusal(read, R"({"02012100": {"test_acc": [1, 2]}})"), "expected 3 test accuracies, got 2"));
  CHECK(contains(refusal(read, R"({"02012100": {"test_acc": [1, 2, 101]}})"),
                 "expected an accuracy in [0, 100]"));
  CHECK(contains(refusal(read, "[]"), ""));
}

TEST_CASE("nasbench: the published tables") {
  if (!have_tables()) return;
  const Nasbench101 table = load_nasbench101();
  CHECK(table.accuracy[0] == doctest::Approx(92.06063151359558).epsilon(1e-14));
  CHECK(table.parameters[0] == 8.55553);
  double sum = 0;
  int64_t high = 0, low = 0;
  for (double a : table.accuracy) {
    sum += a;
    high += a >= 91;
    low += a < 20;
  }
  CHECK(sum / 423624 == doctest::Approx(89.680).epsilon(1e-5));
  CHECK(high == 182304);
  CHECK(low == 646);
  const NasbenchMacro macro = load_nasbench_macro();
  CHECK(macro.choices.front() == std::array<uint8_t, 8>{});
  for (Nasbench201Set set : {Nasbench201Set::cifar10, Nasbench201Set::cifar100, Nasbench201Set::imagenet16})
    CHECK(load_nasbench201(set).test200.size() == 15625);
}
