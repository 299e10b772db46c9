// Tables of text: alignment, wrapping, code points.
#include "papers/experiment/table.h"

#include <cmath>

#include "core/error.h"
#include "doctest/doctest.h"

using namespace tenon;
using namespace tenon::experiment;

TEST_CASE("table: columns are aligned, counted by code points") {
  const Table table = {
      "Title", {"method", "λ"}, {{"HS", "2e-4"}, {"größer", "1"}}, {Align::kLeft, Align::kRight}};
  CHECK(to_text(table) ==
        "Title\n"
        "method     λ\n"
        "──────  ────\n"
        "HS      2e-4\n"
        "größer     1\n");
}

TEST_CASE("table: the widest left-aligned column is wrapped, right-aligned ones are not") {
  Table table;
  table.header = {"statement", "n"};
  table.align = {Align::kLeft, Align::kRight};
  table.rows = {{"one two three four five six seven", "12345"}, {"first\nsecond"}};
  CHECK(to_text(table, 25) ==
        "statement               n\n"
        "──────────────────  ─────\n"
        "one two three four  12345\n"
        "five six seven\n"
        "first\n"
        "second\n");
}

TEST_CASE("table: a row longer than the header is refused") {
  const Table table = {"T", {"a"}, {{"1", "2"}}, {}};
  CHECK_THROWS_WITH_AS(to_text(table), "table \"T\": a row has 2 cells, the header 1", Error);
}

TEST_CASE("table: numbers") {
  CHECK(format_number(98.404, 2) == "98.40");
  CHECK(format_number(3, 0) == "3");
  CHECK(format_number(std::nan(""), 2) == "–");
}
