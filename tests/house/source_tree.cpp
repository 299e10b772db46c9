#include "tests/house/source_tree.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

namespace tenon::house {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    FAIL("cannot read ", path, " in ", fs::current_path().string(),
         ": run the tests from the root of the repository");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> files_under(const std::vector<std::string>& folders,
                                     const std::vector<std::string>& extensions) {
  std::vector<std::string> files;
  for (const std::string& folder : folders) {
    if (!fs::is_directory(folder))
      FAIL("no folder ", folder, " in ", fs::current_path().string(),
           ": run the tests from the root of the repository");
    for (const auto& entry : fs::recursive_directory_iterator(folder))
      if (entry.is_regular_file() &&
          std::find(extensions.begin(), extensions.end(), entry.path().extension()) != extensions.end())
        files.push_back(entry.path().generic_string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

const std::vector<std::string>& sources() {
  static const std::vector<std::string> all =
      files_under({"core", "autograd", "data", "nn", "cuda", "papers", "examples", "tests", "bench"},
                  {".h", ".cpp", ".cu", ".cuh", ".inc"});
  return all;
}

std::string without_comments(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "//") == 0) {
      i = std::min(text.find('\n', i), text.size());
    } else if (text.compare(i, 2, "/*") == 0) {
      i = std::min(text.find("*/", i + 2), text.size() - 2) + 2;
    } else {
      out += text[i++];
    }
  }
  return out;
}

namespace {

const std::regex& compiled(const std::string& pattern) {
  static std::map<std::string, std::regex> cache;
  auto [entry, fresh] = cache.try_emplace(pattern);
  if (fresh) entry->second = std::regex(pattern, std::regex::ECMAScript | std::regex::optimize);
  return entry->second;
}

std::vector<std::string> groups_of(const std::smatch& found) { return {found.begin(), found.end()}; }

}  // namespace

std::vector<std::string> match_whole(const std::string& text, const std::string& pattern) {
  std::smatch found;
  return std::regex_match(text, found, compiled(pattern)) ? groups_of(found) : std::vector<std::string>();
}

std::vector<std::string> match_first(const std::string& text, const std::string& pattern) {
  std::smatch found;
  return std::regex_search(text, found, compiled(pattern)) ? groups_of(found) : std::vector<std::string>();
}

std::vector<std::string> match_all(const std::string& text, const std::string& pattern) {
  std::vector<std::string> all;
  for (std::sregex_iterator it(text.begin(), text.end(), compiled(pattern)), end; it != end; ++it)
    all.push_back((*it)[1]);
  return all;
}

std::vector<Include> includes_of(const std::string& path) {
  std::vector<Include> includes;
  int number = 0;
  for (const std::string& line : lines_of(read_file(path))) {
    ++number;
    if (line.find("include") == std::string::npos) continue;
    const auto found = match_first(line, R"(^\s*#\s*include\s*([<"])([^">]+)[">])");
    if (!found.empty()) includes.push_back({number, found[2], found[1] == "\""});
  }
  return includes;
}

bool starts_with(const std::string& path, const std::string& prefix) {
  return path.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace tenon::house
