// The documents say what the source says. A code block under a line `<!-- excerpt: path#marker -->` must
// equal the lines of that file between `// [marker]` and `// [/marker]` (common indentation removed); a file,
// a make target or a marker that a document names must exist.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "tests/house/source_tree.h"

using namespace tenon::house;

namespace {

std::vector<std::string> documents() {
  std::vector<std::string> found = files_under({"docs"}, {".md"});
  for (const char* path : {"README.md", "ARCHITECTURE.md"})
    if (std::filesystem::exists(path)) found.emplace_back(path);
  return found;
}

bool is_marker(const std::string& line) {
  return line.find('[') != std::string::npos &&
         !match_whole(line, R"(\s*(//|#) \[/?[a-z][a-z0-9-]*\])").empty();
}

std::string trimmed(const std::string& line) {
  const size_t first = line.find_first_not_of(' ');
  return first == std::string::npos ? "" : line.substr(first);
}

std::string joined(std::vector<std::string> lines) {
  size_t indent = std::string::npos;
  for (const std::string& line : lines)
    if (!trimmed(line).empty()) indent = std::min(indent, line.find_first_not_of(' '));
  std::string text;
  for (const std::string& line : lines) text += (line.size() > indent ? line.substr(indent) : "") + "\n";
  return text;
}

// The lines of `path` between `[marker]` and `[/marker]`; other markers among them are left out.
std::string marked_text(const std::string& path, const std::string& marker) {
  std::vector<std::string> lines;
  int opened = 0, closed = 0;
  for (const std::string& line : lines_of(read_file(path))) {
    const bool is_mark = is_marker(line);
    if (is_mark && line.ends_with(" [" + marker + "]")) ++opened;
    if (is_mark && line.ends_with(" [/" + marker + "]")) ++closed;
    if (opened > closed && !is_mark) lines.push_back(line);
  }
  CHECK_MESSAGE((opened == 1 && closed == 1), path, " has ", opened, " [", marker, "] and ", closed, " [/",
                marker, "]; expected one of each");
  return joined(lines);
}

struct Excerpt {
  std::string document, path, marker, text;
};

std::vector<Excerpt> excerpts() {
  std::vector<Excerpt> found;
  for (const std::string& document : documents()) {
    const std::vector<std::string> lines = lines_of(read_file(document));
    for (size_t i = 0; i < lines.size(); ++i) {
      const auto match = match_whole(lines[i], R"(<!-- excerpt: (\S+)#(\S+) -->)");
      if (match.empty()) {
        CHECK_MESSAGE(lines[i].find("<!-- excerpt") == std::string::npos, document, ":", i + 1,
                      ": not understood: ", lines[i]);
        continue;
      }
      Excerpt excerpt{document, match[1], match[2], ""};
      const bool block = i + 1 < lines.size() && starts_with(lines[i + 1], "```");
      CHECK_MESSAGE(block, document, ":", i + 2, ": a code block should follow ", lines[i]);
      std::vector<std::string> code;
      for (size_t k = i + 2; block && k < lines.size() && lines[k] != "```"; ++k) code.push_back(lines[k]);
      excerpt.text = joined(code);
      found.push_back(excerpt);
    }
  }
  return found;
}

// Files that a document creates as it goes, under `<!-- file: path -->`: a chapter's example.
std::set<std::string> created_by_documents() {
  std::set<std::string> paths;
  for (const std::string& document : documents())
    for (const std::string& line : lines_of(read_file(document))) {
      const auto match = match_whole(line, R"(<!-- file: (\S+) -->)");
      if (!match.empty()) paths.insert(match[1]);
    }
  return paths;
}

// `code` spans outside of code blocks.
std::vector<std::string> code_spans(const std::string& document) {
  std::vector<std::string> spans;
  bool in_block = false;
  for (const std::string& line : lines_of(read_file(document))) {
    if (starts_with(line, "```")) in_block = !in_block;
    if (in_block) continue;
    for (const std::string& span : match_all(line, "`([^`]+)`")) spans.push_back(span);
  }
  return spans;
}

}  // namespace

TEST_CASE("house: excerpts in documents equal the source") {
  const std::vector<Excerpt> all = excerpts();
  CHECK(all.size() >= 10);
  for (const Excerpt& excerpt : all) {
    const std::string source = marked_text(excerpt.path, excerpt.marker);
    CHECK_MESSAGE(excerpt.text == source, excerpt.document, ": the excerpt ", excerpt.path, "#",
                  excerpt.marker, " differs from the source. The source has:\n", source);
  }
}

TEST_CASE("house: every marker in the source is used by a document") {
  std::set<std::string> used;
  for (const Excerpt& excerpt : excerpts()) used.insert(excerpt.path + "#" + excerpt.marker);
  std::vector<std::string> files = sources();
  for (const std::string& path : files_under({"make", "docs"}, {".mk", ".h"})) files.push_back(path);
  for (const std::string& path : files)
    for (const std::string& line : lines_of(read_file(path))) {
      if (!is_marker(line) || line.find("[/") != std::string::npos) continue;
      const std::string marker = line.substr(line.find('[') + 1, line.find(']') - line.find('[') - 1);
      CHECK_MESSAGE(used.count(path + "#" + marker) == 1, path, ": no document shows [", marker, "]");
    }
}

TEST_CASE("house: files and make targets that documents name exist") {
  const std::string path =
      R"(Makefile|[A-Z]+\.md|(core|autograd|data|nn|cuda|papers|examples|tests|bench|docs|make|\.ci)(/[\w.-]+)+/?)";
  std::string makefiles;
  for (const std::string& file : files_under({"make"}, {".mk"})) makefiles += read_file(file);
  const std::set<std::string> created = created_by_documents();
  for (const std::string& document : documents())
    for (const std::string& span : code_spans(document)) {
      if (!match_whole(span, path).empty())
        CHECK_MESSAGE((std::filesystem::exists(span) || created.count(span) == 1), document, " names ", span,
                      ", which does not exist");
      const auto match = match_whole(span, R"(make ([a-z][a-z-]*)\b.*)");
      if (!match.empty())
        CHECK_MESSAGE(makefiles.find("#: " + match[1] + " |") != std::string::npos, document, " names `",
                      span, "`, which `make help` does not list");
    }
}
