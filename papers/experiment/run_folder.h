// The folder of one run, and how it survives a crash.
//
//   config.json                      what decides the numbers; a resumed run must agree with it
//   log.jsonl                        one JSON object a line; after a resume the same as an unbroken run's
//   arms/<arm>/seed-<seed>/          one trained configuration: its checkpoints, and result.json once finished
//   results.json, report.html        the outcome
//
// A run is a list of (arm, seed) pairs, done one after another. A finished pair has a result.json and is not
// done again; an unfinished one goes on from its checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace tenon::experiment {

class RunFolder;

/// One (arm, seed) pair of a run. A light handle; the RunFolder must outlive it.
///
/// @code
///   ArmRun arm = run.arm("hs", seed);
///   if (arm.finished()) continue;
///   std::int64_t epoch = load_checkpoint_if_any(arm.folder() / "checkpoint.safetensors");   // or 0
///   arm.rewind_log(epoch);
///   while (epoch < epochs) {
///     ++epoch;
///     ... train ...
///     arm.log(Json::object({{"epoch", epoch}, {"loss", loss}}));   // first the line,
///     save_checkpoint(...);                                        // then the checkpoint that counts on it
///   }
///   arm.finish(result);
/// @endcode
class ArmRun {
 public:
  const std::string& name() const { return name_; }
  std::int64_t seed() const { return seed_; }
  /// Where the pair keeps its files; exists.
  const std::filesystem::path& folder() const { return folder_; }

  bool finished() const;
  /// What finish() was given. @throws Error if the pair is not finished.
  Json result() const;

  /// Drops the lines of this pair after `epoch` from the run's log, and a last line that a crash cut short:
  /// to be called before the first log(), with the epoch of the checkpoint that was loaded, or 0.
  void rewind_log(std::int64_t epoch);
  /// Appends a line: arm and seed, then the members of `line`, which must have an integer "epoch" counted
  /// through all stages of the pair. The line is on disk on return. (Keep times out of it: the log of a
  /// resumed run equals an unbroken one's.) @throws Error.
  void log(const Json& line);
  /// Marks the pair as finished and keeps its result. @throws Error.
  void finish(const Json& result);
  /// The result of a finished pair; else what `work` returns, which finishes it.
  Json once(const std::function<Json()>& work);

 private:
  friend class RunFolder;
  ArmRun(RunFolder& run, std::string name, std::int64_t seed);

  RunFolder* run_;
  std::string name_;
  std::int64_t seed_;
  std::filesystem::path folder_;
};

/// The folder of a run. Two processes cannot have it open at once.
class RunFolder {
 public:
  /// Creates `folder` and its config.json. A folder that already holds a run is taken up only if `resume` is
  /// set and the config there equals `config`.
  /// @throws Error if the folder holds a run and `resume` is not set, if another process works in it, if the
  ///   configs differ (naming each differing key and both values), or if it cannot be written.
  RunFolder(std::filesystem::path folder, const Json& config, bool resume);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// True if the folder held a run before.
  bool resumed() const { return resumed_; }

  /// The pair of `name` and `seed`. @throws Error if `name` has other characters than letters, digits, '.',
  /// '-', '_'.
  ArmRun arm(std::string_view name, std::int64_t seed);
  /// Every line of the log. @throws Error if a line is not JSON.
  std::vector<Json> read_log() const;
  /// Writes results.json, whole or not at all. @throws Error.
  void write_results(const Json& results);

 private:
  friend class ArmRun;
  void append_log_line(const Json& line);
  void rewind_log(std::string_view arm, std::int64_t seed, std::int64_t epoch);

  std::filesystem::path path_;
  bool resumed_ = false;
  int lock_ = -1;  // descriptor of the locked folder
  int log_ = -1;   // descriptor of log.jsonl, open for appending
};

/// The differences between two configs, one a line: `optimizer.rate: 0.001 there, 0.01 here`. Empty if equal;
/// the order of keys does not count.
std::string config_differences(const Json& there, const Json& here);

}  // namespace tenon::experiment
