// Where data sets are looked for.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace tenon {

/// The folders that may hold a set, in the order in which they are asked: $TENON_DATA/<folder>, then
/// <cache>/<folder>, the cache being $TENON_CACHE or ~/.cache/tenon.
std::vector<std::filesystem::path> data_folders(const std::string& folder);

/// The path of `file` in `folder`, plain or with the ending .gz, or nothing.
std::optional<std::string> find_file(const std::filesystem::path& folder, const std::string& file);

}  // namespace tenon
