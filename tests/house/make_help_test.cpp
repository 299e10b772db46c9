// `make help` lists what users ask for: a line `#: target | time | what it does` stands before each such
// target.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <sstream>

#include "tests/house/source_tree.h"

using namespace tenon::house;

namespace {

const std::vector<std::string>& makefiles() {
  static const std::vector<std::string> files = [] {
    std::vector<std::string> found = files_under({"make"}, {".mk"});
    found.push_back("Makefile");
    return found;
  }();
  return files;
}

// What .PHONY declares, by name; names made of variables (papers' targets) are left out.
std::set<std::string> phony_targets() {
  std::set<std::string> targets;
  for (const std::string& file : makefiles())
    for (const std::string& line : lines_of(read_file(file))) {
      if (!starts_with(line, ".PHONY:")) continue;
      std::istringstream words(line.substr(7));
      for (std::string word; words >> word;)
        if (word.find_first_of("$()%:") == std::string::npos) targets.insert(word);
    }
  return targets;
}

struct Entry {
  std::string file, time, text;
};

std::map<std::string, Entry> help_entries() {
  std::map<std::string, Entry> entries;
  for (const std::string& file : makefiles())
    for (const std::string& line : lines_of(read_file(file))) {
      if (!starts_with(line, "#:")) continue;
      const auto match = match_whole(line, R"(#: ([\w-]+) \| ([^|]*\S) \| (.*\S))");
      const bool well_formed = !match.empty();
      CHECK_MESSAGE(well_formed, file, ": expected '#: target | time | what it does', got '", line, "'");
      if (!well_formed) continue;
      CHECK_MESSAGE(entries.count(match[1]) == 0, match[1], " has two entries");
      entries[match[1]] = {file, match[2], match[3]};
    }
  return entries;
}

// Phony targets that other rules use and nobody types.
const std::set<std::string> kInner = {"installed",           "run-tests",      "gpu-programs",
                                      "gpu-bench-libraries", "run-cuda-tests", "run-cuda-counters",
                                      "run-bench-guard",     "data-packages"};

}  // namespace

TEST_CASE("house: make help lists every target") {
  const auto entries = help_entries();
  const auto targets = phony_targets();
  CHECK(targets.size() > 15);
  for (const std::string& target : targets) {
    const bool listed = entries.count(target) == 1;
    CHECK_MESSAGE((listed != (kInner.count(target) == 1)), target, " is phony: it needs a line '#: ", target,
                  " | time | what it does', or a place among the inner targets of "
                  "tests/house/make_help_test.cpp, not both");
  }
  for (const std::string& main : files_under({"papers"}, {".cpp"})) {
    const auto match = match_whole(main, R"(papers/[^/]+/(\w+)_main\.cpp)");
    if (match.empty() || match[1] == "report_index") continue;
    CHECK_MESSAGE(entries.count(match[1]) == 1, main, " makes the target ", match[1],
                  ", which has no help line");
  }
}

TEST_CASE("house: make help lists nothing that is not there, and prints every entry") {
  const auto targets = phony_targets();
  const std::string recipe = read_file("make/targets.mk");
  for (const auto& item : help_entries()) {
    const std::string& target =
        item.first;  // no structured binding: clang 14 cannot use one within CHECK_MESSAGE
    const Entry& entry = item.second;
    const bool paper = [&] {
      for (const std::string& main : files_under({"papers"}, {".cpp"}))
        if (main.ends_with("/" + target + "_main.cpp")) return true;
      return false;
    }();
    CHECK_MESSAGE((targets.count(target) == 1 || paper), entry.file, " explains ", target,
                  ", which is no phony target");
    // The recipe of `help` reads the files it names.
    CHECK_MESSAGE(recipe.find(" " + entry.file) != std::string::npos, "`make help` does not read ",
                  entry.file);
  }
}
