// What the cases gave, as a table on the terminal, as JSON and as Markdown. Both files are written anew after each
// case, so that a run which is cut short leaves what it has.
#pragma once

#include <string>

#include "bench/harness.h"
#include "core/json.h"

namespace tenon::bench {

class Results {
 public:
  /// Prints the ceilings and the head of the table. A path "" writes no file.
  Results(Machine& machine, std::string json_path, std::string markdown_path);

  void add(const Result& result);
  /// Cases that were left out because time was over.
  void add_not_run(const std::string& name);
  /// Cases whose contestants threw.
  int refused() const { return refused_; }

 private:
  void write();

  Machine& machine_;
  std::string json_path_, markdown_path_;
  std::string markdown_;
  Json json_ = Json::object();
  Json rows_ = Json::array();
  int refused_ = 0;
};

/// The cases' counts as a Markdown table, with what bounds them and the floor on an H100 at its published rates
/// (3.35 TB/s, 67 TFLOP/s in float32). Nothing is run.
std::string counts_table(const std::vector<Case>& cases);

}  // namespace tenon::bench
