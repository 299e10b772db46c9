// Is a run that is killed again and again, and resumed, the same run?
#pragma once

#include <filesystem>
#include <functional>
#include <ostream>
#include <string>

#include "papers/experiment/run_folder.h"

namespace tenon::test {

/// Runs or goes on with a paper's arms in a folder, on so many threads.
using RunIn = std::function<void(const std::filesystem::path& folder, int threads)>;

/// A RunIn: opens the run in `folder`, or begins it, and lets `train` run its arms on so many threads. What is printed of their
/// progress is dropped.
void train_in(const std::filesystem::path& folder, int threads,
              const std::function<void(experiment::RunFolder& run, std::ostream& progress)>& train);

/// Compares a whole run with one whose process is killed with SIGKILL about ten times (TENON_TEST_KILLS), each time at a
/// random moment just before or just after one of its files or lines of the log came to stand, and which is resumed each
/// time: these moments lie between all states that a folder can be left in. The logs, and all `files` files that the arms
/// left but the checkpoints, must be the same bytes. `victim` names a test case, skipped otherwise, that is started as the
/// process to be killed and calls be_killed.
void check_killed_run(const std::string& victim, int files, const RunIn& run);
/// What the victim does: the run, in the folder that the test above named; nothing if it was not started by one.
void be_killed(const RunIn& run);

}  // namespace tenon::test
