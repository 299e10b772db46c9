#include "data/folders.h"

#include <cstdlib>

namespace tenon {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value ? value : "";
}

}  // namespace

std::vector<fs::path> data_folders(const std::string& folder) {
  std::vector<fs::path> found;
  const std::string data = environment("TENON_DATA"), cache = environment("TENON_CACHE"),
                    home = environment("HOME");
  if (!data.empty()) found.push_back(fs::path(data) / folder);
  if (!cache.empty()) {
    found.push_back(fs::path(cache) / folder);
  } else if (!home.empty()) {
    found.push_back(fs::path(home) / ".cache" / "tenon" / folder);
  }
  return found;
}

std::optional<std::string> find_file(const fs::path& folder, const std::string& file) {
  for (const char* ending : {"", ".gz"}) {
    const fs::path path = folder / (file + ending);
    std::error_code ignored;
    if (fs::exists(path, ignored)) return path.string();
  }
  return std::nullopt;
}

}  // namespace tenon
