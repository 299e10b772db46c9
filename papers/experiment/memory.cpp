#include "papers/experiment/memory.h"

#include <algorithm>
#include <map>
#include <utility>

namespace tenon::experiment {
namespace {

constexpr size_t kLargest = 12;

double bytes_of(const Tensor& t) {
  return static_cast<double>(t.numel()) * static_cast<double>(size_of(t.dtype()));
}

// Bytes by what they were made for, largest first; gradients by their parameter.
std::vector<std::pair<std::string, size_t>> by_maker(MemoryTrace::Peak peak, const Module& net) {
  std::map<const void*, std::string> gradients;
  for (const NamedVariable& p : net.named_parameters())
    if (p.variable.grad().defined()) gradients[p.variable.grad().value().raw()] = "gradient of " + p.name;
  for (LiveBlock& block : peak.blocks) {
    const auto gradient = gradients.find(block.at);
    if (gradient != gradients.end()) block.made_for = gradient->second;
    if (block.made_for.empty()) block.made_for = "the step itself";
  }
  return peak.by_maker();
}

}  // namespace

Table memory_table(const MemoryTrace::Peak& peak, const Module& net, const Optimizer& optimizer) {
  Table table;
  table.header = {"what", "KiB", "%"};
  table.align = {Align::kLeft, Align::kRight, Align::kRight};
  const auto add = [&](const std::string& what, double bytes) {
    const double share = peak.bytes > 0 ? 100 * bytes / static_cast<double>(peak.bytes) : 0;
    table.rows.push_back({what, format_number(bytes / 1024, 1), format_number(share, 1)});
  };
  double parameters = 0, state = 0;
  for (const Variable& p : net.parameters()) parameters += bytes_of(p.value());
  for (const auto& [name, tensor] : optimizer.state()) state += bytes_of(tensor);
  add("peak", static_cast<double>(peak.bytes));
  add("parameters", parameters);
  add("optimiser state", state);
  add("older: data, buffers", std::max(0.0, static_cast<double>(peak.older_bytes) - parameters - state));
  const auto makers = by_maker(peak, net);
  double rest = 0;
  for (size_t i = 0; i < makers.size(); ++i) {
    if (i < kLargest) {
      add(makers[i].first, static_cast<double>(makers[i].second));
    } else {
      rest += static_cast<double>(makers[i].second);
    }
  }
  if (rest > 0) add(concat(makers.size() - kLargest, " others"), rest);
  return table;
}

}  // namespace tenon::experiment
