#include "tests/house/source_tree.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
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
      files_under({"core", "autograd", "data", "nn", "cuda", "papers", "tests", "bench"},
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

std::vector<Include> includes_of(const std::string& path) {
  static const std::regex pattern(R"(^\s*#\s*include\s*([<"])([^">]+)[">])");
  std::vector<Include> includes;
  int number = 0;
  for (const std::string& line : lines_of(read_file(path))) {
    ++number;
    std::smatch match;
    if (line.find("include") != std::string::npos && std::regex_search(line, match, pattern))
      includes.push_back({number, match[2], match[1] == "\""});
  }
  return includes;
}

bool starts_with(const std::string& path, const std::string& prefix) {
  return path.compare(0, prefix.size(), prefix) == 0;
}

}  // namespace tenon::house
