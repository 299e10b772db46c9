// Trains the graph convolutional network on citation networks, ten times each, and prints the accuracy on the test
// papers beside the published one.
//
//   gcn [--seeds N] [cora] [citeseer]
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include "core/error.h"
#include "examples/gcn_training.h"
#include "examples/number_option.h"

using namespace tenon;

namespace {

// Kipf and Welling, 2017, table 2.
double published(const std::string& name) { return name == "cora" ? 81.5 : 70.3; }

void run(const std::string& name, int64_t seeds) {
  const CitationNetwork network = load_citation_network(name);
  double sum = 0, squares = 0;
  for (int64_t seed = 1; seed <= seeds; ++seed) {
    const GcnOutcome outcome = train_gcn(network, GcnRecipe(), static_cast<uint64_t>(seed));
    std::printf("%-8s  seed %2ld  %3ld epochs  validation %5.1f %%  test %5.1f %%\n", name.c_str(),
                static_cast<long>(seed), static_cast<long>(outcome.epochs), outcome.validation_accuracy,
                outcome.test_accuracy);
    std::fflush(stdout);
    sum += outcome.test_accuracy, squares += outcome.test_accuracy * outcome.test_accuracy;
  }
  const double n = static_cast<double>(seeds), mean = sum / n;
  const double deviation = seeds > 1 ? std::sqrt(std::max(0.0, (squares - n * mean * mean) / (n - 1))) : 0;
  std::printf(
      "%-8s  test accuracy %.2f +- %.2f %% (mean and standard deviation of %ld seeds; published: %.1f %%)\n",
      name.c_str(), mean, deviation, static_cast<long>(seeds), published(name));
}

}  // namespace

int main(int argc, char** argv) {
  int64_t seeds = 10;
  std::vector<std::string> networks;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--seeds") != 0) {
      networks.emplace_back(argv[i]);
      continue;
    }
    if (!read_number("gcn", argc, argv, i, 1, seeds)) return 2;
  }
  if (networks.empty()) networks = citation_network_names();
  try {
    for (const std::string& name : networks) run(name, seeds);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  return 0;
}
