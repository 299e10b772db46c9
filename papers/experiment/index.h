// The index page over all runs: one row a run, with its verdicts and a link to its report.
#pragma once

#include <filesystem>
#include <string>

namespace tenon::experiment {

/// Reads every <runs>/<paper>/<name>/results.json and makes the page. A run that is not finished (no
/// results.json) or cannot be read gets a row that says so. Links are relative to `runs`. An absent or empty
/// folder gives a page that says there are no runs yet.
std::string runs_index_html(const std::filesystem::path& runs);

/// Writes <runs>/index.html, whole or not at all, and returns its path. Creates `runs` if it is absent.
/// @throws Error.
std::filesystem::path write_runs_index(const std::filesystem::path& runs);

}  // namespace tenon::experiment
