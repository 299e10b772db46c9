// The command line that all experiments share, with room for a paper's own options.
//
// Nothing here prints or exits: main prints the message and returns the status.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace tenon::experiment {

/// How large an experiment is: a check under a minute, the reduced default under an hour, or the paper's own.
enum class Scale { kSmoke, kScaled, kPaper };

/// "smoke", "scaled" or "paper".
const char* scale_name(Scale scale);

/// What an experiment tells the parser about itself.
struct ExperimentSpec {
  std::string name;                       ///< the program and its folder under runs/, e.g. "deephoyer"
  std::string description;                ///< a paragraph that opens --help
  std::vector<std::string> datasets;      ///< names that --data accepts; the first is the default
  std::vector<std::string> arms;          ///< every arm, in the order in which they run
  std::vector<std::string> default_arms;  ///< the arms without --arms; empty: all
};

/// The parsed command line.
struct Options {
  std::string data;              ///< --data: one of ExperimentSpec::datasets
  std::string device = "cpu";    ///< --device: "cpu" or "cuda"
  std::int64_t seed = 1;         ///< --seed: the first seed, >= 0
  std::int64_t seeds = 1;        ///< --seeds: how many; they are seed, seed + 1, ...
  std::int64_t threads = 0;      ///< --threads: 0 takes every core
  Scale scale = Scale::kScaled;  ///< --scale
  std::filesystem::path
      out;              ///< --out: the run folder; default runs/<name>/<data>-<scale>[-<device>]-seed<seed>
  bool resume = false;  ///< --resume: go on with the run in `out`, if there is one
  bool memory = false;  ///< --memory: print who holds the memory at the peak of a training step
  std::vector<std::string> arms;  ///< --arms: a comma-separated list or "all", in the order of the spec

  /// {seed, seed + 1, ..., seed + seeds - 1}
  std::vector<std::int64_t> seed_list() const;
  bool has_arm(std::string_view arm) const;
};

/// The options that decide what numbers come out: data, device, seed, scale. (Threads do not, by design; more
/// seeds or arms add to a run without changing what it already has.) The start of a run's config.json.
Json identity_json(const Options& options);

/// Either options, or what main is to print and to return.
struct ParseOutcome {
  std::optional<Options> options;
  std::string message;  ///< help text (exit_status 0) or an error that names the option (exit_status 2)
  int exit_status = 0;
};

/// Parses the shared options and those added by the paper.
///
/// @code
///   double lambda = 2e-4;
///   OptionParser parser(spec);
///   parser.add("lambda", "strength of the regulariser", lambda);
///   const ParseOutcome outcome = parser.parse(argc, argv);
///   if (!outcome.options) {
///     (outcome.exit_status == 0 ? std::cout : std::cerr) << outcome.message;
///     return outcome.exit_status;
///   }
/// @endcode
class OptionParser {
 public:
  explicit OptionParser(ExperimentSpec spec);
  ~OptionParser();
  OptionParser(const OptionParser&) = delete;
  OptionParser& operator=(const OptionParser&) = delete;

  // Adds the option --<name>, whose default is what `target` holds; `target` must outlive parse(). --help
  // shows the default. Numbers below 0 are refused. Throws Error if the name is taken.
  void add(std::string_view name, std::string_view help, std::int64_t& target);
  void add(std::string_view name, std::string_view help, double& target);
  void add(std::string_view name, std::string_view help, std::string& target);
  void add(std::string_view name, std::string_view help, std::filesystem::path& target);
  void add(std::string_view name, std::string_view help, std::vector<double>& target);  ///< comma-separated
  void add_flag(std::string_view name, std::string_view help, bool& target);
  void add_choice(std::string_view name, std::string_view help, std::string& target,
                  const std::vector<std::string>& choices);

  ParseOutcome parse(int argc, const char* const* argv);
  /// The program's, as its spec gives it.
  const std::string& name() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace tenon::experiment
