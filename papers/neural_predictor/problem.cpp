#include "papers/neural_predictor/problem.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/error.h"

namespace tenon::neural_predictor {
namespace {

Problem nasbench101() {
  Nasbench101 table = load_nasbench101();
  auto cells = std::make_unique<const CellSpace>();
  TENON_CHECK(cells->size() == static_cast<int64_t>(table.accuracy.size()),
              "NAS-Bench-101: expected a cell a row, ", table.accuracy.size(), ", found ", cells->size());
  Problem problem{.name = "NAS-Bench-101",
                  .description = concat("NAS-Bench-101, ", cells->size(),
                                        " cells, mean test accuracy of 3 runs on CIFAR-10"),
                  .graphs = graphs_of(cells->cells()),
                  .cells = nullptr,
                  .space = cell_search_space(*cells),
                  .validation = table.accuracy,
                  .test = table.accuracy,
                  .targets = {},
                  .wrong_parameters = 0};
  for (int64_t row = 0; row < cells->size(); ++row)
    problem.wrong_parameters +=
        std::llround(1e6 * table.parameters[static_cast<size_t>(row)]) != parameter_count(cells->cell(row));
  std::partial_sort(table.accuracy.begin(), table.accuracy.begin() + 2, table.accuracy.end(),
                    std::greater<>());
  problem.targets = {94.22, table.accuracy[1]};
  problem.cells = std::move(cells);
  return problem;
}

// The rows of tuples, numbered as digits; every tuple must be there once.
template <class Tuples>
std::unique_ptr<const SearchSpace> tuple_space(const Tuples& tuples, int options) {
  const auto places = tuples.front().size();
  std::vector<int64_t> rows(static_cast<size_t>(std::llround(std::pow(options, static_cast<double>(places)))),
                            -1);
  for (size_t row = 0; row < tuples.size(); ++row) {
    size_t number = 0;
    for (uint8_t choice : tuples[row]) number = number * static_cast<size_t>(options) + choice;
    rows.at(number) = static_cast<int64_t>(row);
  }
  TENON_CHECK(std::find(rows.begin(), rows.end(), -1) == rows.end(),
              "neural_predictor: a member of the space has no row");
  return tuple_search_space(static_cast<int>(places), options, std::move(rows));
}

// Signal is the first run; what is reported is the mean of the other two.
Problem macro() {
  const NasbenchMacro table = load_nasbench_macro();
  Problem problem{.name = "NAS-Bench-Macro",
                  .description = concat("NAS-Bench-Macro, ", table.choices.size(),
                                        " chains, run 1 for choosing, the mean "
                                        "of runs 2 and 3 for reporting"),
                  .graphs = graphs_of(table),
                  .cells = nullptr,
                  .space = tuple_space(table.choices, 3),
                  .validation = {},
                  .test = {},
                  .targets = {},
                  .wrong_parameters = 0};
  for (const auto& runs : table.test) {
    problem.validation.push_back(runs[0]);
    problem.test.push_back((runs[1] + runs[2]) / 2);
  }
  return problem;
}

Problem nasbench201() {
  Nasbench201 table = load_nasbench201(Nasbench201Set::cifar10);
  return {.name = "NAS-Bench-201",
          .description = concat("NAS-Bench-201, ", table.operations.size(),
                                " cells, validation accuracy after 12 epochs "
                                "for choosing, test accuracy after 200 for reporting, CIFAR-10"),
          .graphs = graphs_of(table),
          .cells = nullptr,
          .space = tuple_space(table.operations, static_cast<int>(kNasbench201Operations.size())),
          .validation = std::move(table.validation12),
          .test = std::move(table.test200),
          .targets = {},
          .wrong_parameters = 0};
}

}  // namespace

double Problem::oracle() const {
  return test[static_cast<size_t>(std::max_element(validation.begin(), validation.end()) -
                                  validation.begin())];
}

double Problem::best() const { return *std::max_element(test.begin(), test.end()); }

Problem load_problem(Benchmark benchmark) {
  switch (benchmark) {
    case Benchmark::nasbench101:
      return nasbench101();
    case Benchmark::macro:
      return macro();
    case Benchmark::nasbench201:
      return nasbench201();
  }
  fail("neural_predictor: no such benchmark");
}

Problems load_problems(const std::vector<std::string>& arms) {
  Problems problems;
  for (const std::string& arm : arms) {
    const Benchmark benchmark = recipe_of(arm).benchmark;
    if (problems.find(benchmark) == problems.end()) problems.emplace(benchmark, load_problem(benchmark));
  }
  return problems;
}

}  // namespace tenon::neural_predictor
