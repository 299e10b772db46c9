// Tables of trained architectures, the small public copies:
//
//   NAS-Bench-101 (Ying et al., 2019): all 423,624 cells in ascending order of their hashes. Two gzipped pickles of
//     pandas, each with a column of row numbers and columns of float64: nasbench101_accuracies.pkl.gz (mean test
//     accuracy of three runs of 108 epochs on CIFAR-10), nasbench101_params.pkl.gz (millions of parameters, two times).
//   NAS-Bench-201 (Dong and Yang, 2020): 15,625 cells. nasbench201_12epochs.csv (what a cell is made of, validation
//     and test accuracy after 12 epochs), nasbench201_{cifar10,cifar100,ImageNet16-120}.csv (test accuracy after 200).
//   NAS-Bench-Macro (Su et al., 2021): 6,561 chains of 8 blocks. nasbench_macro_cifar10.json (three test accuracies).
//
// Accuracies are in percent. Readers throw Error naming file, place and expectation for anything but a whole,
// well-formed file. Files are looked for in $TENON_DATA/nasbench, then in <cache>/nasbench (data/folders.h).
#pragma once

#include <array>
#include <string>
#include <vector>

#include "data/reader.h"

namespace tenon {

/// The first column of reals in a pickle of NAS-Bench-101, as long as the column of row numbers before it, which
/// must count from 0. Only the two arrays are read, from where they lie: no pickle is executed.
std::vector<double> read_nasbench101_column(FileReader& in);

/// Row i is the cell with the i-th hash.
struct Nasbench101 {
  std::vector<double> accuracy;    ///< mean test accuracy, %
  std::vector<double> parameters;  ///< millions
  std::string source;              ///< the folder
};
/// Throws Error also if there are not 423,624 rows, or an accuracy lies outside [0, 100].
Nasbench101 load_nasbench101();

enum class Nasbench201Set { cifar10, cifar100, imagenet16 };
constexpr int kNasbench201Edges = 6;
/// The operations on the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3 of a cell, by their place in this list.
constexpr std::array<const char*, 5> kNasbench201Operations = {"none", "skip_connect", "nor_conv_1x1",
                                                               "nor_conv_3x3", "avg_pool_3x3"};

/// Row i is the architecture that the benchmark gives the number i.
struct Nasbench201 {
  std::vector<std::array<uint8_t, kNasbench201Edges>> operations;
  std::vector<double> validation12;  ///< validation accuracy after 12 epochs, %
  std::vector<double> test200;       ///< test accuracy after 200 epochs, %
  std::string source;
};
/// The two tables that make it up: "arch,cellstr,cifar10-test,cifar10-val,..." and "index,accuracy".
Nasbench201 read_nasbench201(FileReader& twelve_epochs, FileReader& full, Nasbench201Set set);
Nasbench201 load_nasbench201(Nasbench201Set set);

constexpr int kNasbenchMacroBlocks = 8;
struct NasbenchMacro {
  std::vector<std::array<uint8_t, kNasbenchMacroBlocks>>
      choices;                              ///< 0, 1, 2 for each block, in ascending order
  std::vector<std::array<double, 3>> test;  ///< of three runs, %
  std::string source;
};
NasbenchMacro read_nasbench_macro(std::string_view json, const std::string& name);
NasbenchMacro load_nasbench_macro();

}  // namespace tenon
