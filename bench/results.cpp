#include "bench/results.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

#include "core/atomic_file.h"
#include "core/parallel.h"
#include "cuda/runtime/device_runtime.h"

namespace tenon::bench {
namespace {

constexpr double kFarBeyondCaches = 1 << 28;
constexpr double kH100Flops = 67e12, kH100Bytes = 3.35e12;

[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...) {
  char text[512];
  va_list values;
  va_start(values, pattern);
  std::vsnprintf(text, sizeof text, pattern, values);
  va_end(values);
  return text;
}

// What the case is bound by says which rate is worth telling.
std::string rate(const Result& r, double seconds, const Machine& machine) {
  const bool arithmetic = r.flops / machine.flops_per_second() >= 0.999 * r.floor_seconds;
  return arithmetic ? format("%.1f GFLOP/s", r.flops / seconds * 1e-9)
                    : format("%.1f GB/s", r.bytes / seconds * 1e-9);
}

}  // namespace

Results::Results(Machine& machine, std::string json_path, std::string markdown_path)
    : machine_(machine), json_path_(std::move(json_path)), markdown_path_(std::move(markdown_path)) {
  const bool card = machine.device().is_cuda();
  const double flops = machine.flops_per_second(), bytes = machine.bytes_per_second(kFarBeyondCaches);
  const std::string name = card ? cuda::device_name() : format("%d thread(s)", num_threads());
  const std::string ceilings = format("%s: %.1f GFLOP/s of float32 multiply-adds, %.1f GB/s of memory",
                                      name.c_str(), flops * 1e-9, bytes * 1e-9);
  std::printf("%s\n%-40s %-14s %12s %18s %9s %9s %8s\n", ceilings.c_str(), "case", "contestant", "us", "rate",
              "% floor", "vs Tenon", "spread");
  json_["machine"] = name;
  json_["flops_per_second"] = flops;
  json_["bytes_per_second"] = bytes;
  markdown_ = "Measured ceilings. " + ceilings +
              ".\n\n| case | contestant | us | rate | of the floor | time / Tenon's |\n" +
              "|---|---|---|---|---|---|\n";
}

void Results::add(const Result& r) {
  if (!r.refusal.empty()) {
    std::printf("%-40s did not run: %s\n", r.name.c_str(), r.refusal.c_str());
    markdown_ += format("| %s | | did not run: %s | | | |\n", r.name.c_str(), r.refusal.c_str());
    Json row = Json::object();
    row["case"] = r.name;
    row["refusal"] = r.refusal;
    rows_.push_back(row);
    ++refused_;
  }
  for (const Timing& t : r.timings) {
    if (!t.refusal.empty()) {
      std::printf("%-40s %-14s did not run: %s\n", r.name.c_str(), t.contestant.c_str(), t.refusal.c_str());
      markdown_ += format("| %s | %s | did not run | | | |\n", r.name.c_str(), t.contestant.c_str());
      continue;
    }
    // The floor is that of float32 arithmetic; TF32 has another.
    const bool comparable = !t.contestant.ends_with("tf32");
    const std::string of_floor =
        comparable && t.seconds > 0 ? format("%.1f%%", 100 * r.floor_seconds / t.seconds) : "-";
    const double ratio = t.seconds / r.timings[0].seconds;
    const std::string speed = rate(r, t.seconds, machine_);
    std::printf("%-40s %-14s %12.2f %18s %9s %8.2fx %7.1f%%\n", r.name.c_str(), t.contestant.c_str(),
                t.seconds * 1e6, speed.c_str(), of_floor.c_str(), ratio, 100 * t.spread);
    markdown_ += format("| %s | %s | %.2f | %s | %s | %.2f |\n", r.name.c_str(), t.contestant.c_str(),
                        t.seconds * 1e6, speed.c_str(), of_floor.c_str(), ratio);
    Json row = Json::object();
    row["case"] = r.name;
    row["contestant"] = t.contestant;
    row["seconds"] = t.seconds;
    row["flops"] = r.flops;
    row["bytes"] = r.bytes;
    row["floor_seconds"] = r.floor_seconds;
    row["ratio_to_tenon"] = ratio;
    row["spread"] = t.spread;
    rows_.push_back(row);
  }
  std::fflush(stdout);
  write();
}

void Results::add_not_run(const std::string& name) {
  std::printf("%-40s not run: time is over\n", name.c_str());
  markdown_ += format("| %s | | not run: time was over | | | |\n", name.c_str());
  write();
}

void Results::write() {
  if (!markdown_path_.empty()) write_file_atomically(markdown_path_, markdown_);
  if (json_path_.empty()) return;
  json_["results"] = rows_;
  write_file_atomically(json_path_, json_.dump(2) + "\n");
}

std::string counts_table(const std::vector<Case>& cases) {
  std::string out = "| case | MFLOP | MB | bound | floor, us |\n|---|---|---|---|---|\n";
  for (const Case& c : cases) {
    const double arithmetic = c.flops / kH100Flops, memory = c.bytes / kH100Bytes;
    if (c.flops == 0 && c.bytes == 0) continue;
    out += format("| %s | %.2f | %.2f | %s | %.2f |\n", c.name.c_str(), c.flops * 1e-6, c.bytes * 1e-6,
                  arithmetic > memory ? "arithmetic" : "memory", 1e6 * std::max(arithmetic, memory));
  }
  return out;
}

}  // namespace tenon::bench
