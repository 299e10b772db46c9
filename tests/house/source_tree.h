// The source tree as the tests of the house read it. The tests run from the root of the repository, where
// `make test` runs them; from elsewhere every one of them fails with a message that says so.
#pragma once

#include <string>
#include <vector>

namespace tenon::house {

/// Content of a file, given relative to the root of the repository. Fails the test case if it cannot be read.
std::string read_file(const std::string& path);
std::vector<std::string> lines_of(const std::string& text);

/// Paths (relative, sorted) of the files under `folders` whose extension is one of `extensions` (".h",
/// ".cpp", ...).
std::vector<std::string> files_under(const std::vector<std::string>& folders,
                                     const std::vector<std::string>& extensions);

/// The C++ sources of every room: core, autograd, data, nn, cuda, papers, tests, bench.
const std::vector<std::string>& sources();

/// Text with // comments and /* comments */ removed (strings are not looked into).
std::string without_comments(const std::string& text);

/// What a regular expression (ECMAScript) finds: the text of the match, then of its groups; nothing if there is none.
/// They stand here because <regex> costs ten seconds in every file that includes it.
std::vector<std::string> match_whole(const std::string& text, const std::string& pattern);
std::vector<std::string> match_first(const std::string& text, const std::string& pattern);
/// The first group of every match.
std::vector<std::string> match_all(const std::string& text, const std::string& pattern);

/// One #include.
struct Include {
  int line;
  std::string target;
  bool quoted;  ///< "target" rather than <target>
};
std::vector<Include> includes_of(const std::string& path);

/// Does `path` begin with `prefix`?
bool starts_with(const std::string& path, const std::string& prefix);

}  // namespace tenon::house
