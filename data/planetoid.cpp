#include "data/planetoid.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <string_view>

#include "data/folders.h"

namespace tenon {
namespace {

using Integers = std::vector<int64_t>;

constexpr uint64_t kMostBytes = uint64_t{1} << 28;  // of one file
constexpr int64_t kNoClass = -1;
constexpr int64_t kMost = std::numeric_limits<int32_t>::max() - 1;

// A text file, line by line and word by word. A line ends in a newline, the last one too; words stand one space
// apart.
class Text {
 public:
  explicit Text(FileReader& in) : name_(in.name()) {
    if (in.remaining() > kMostBytes)
      in.refuse("expected at most ", kMostBytes, " bytes of text, got ", in.remaining());
    bytes_ = in.read_string(in.remaining(), "text");
  }

  // Bytes that are left: no line and no word is shorter than one.
  int64_t remaining() const { return static_cast<int64_t>(bytes_.size() - at_); }

  bool at_line_end() const { return at_ < bytes_.size() && bytes_[at_] == '\n'; }

  void end_line(const char* what) {
    if (!at_line_end()) refuse("expected the end of ", what);
    ++at_, ++line_;
    fresh_ = true;
  }

  void end() const {
    if (at_ < bytes_.size()) refuse("expected the end of the file, ", remaining(), " more bytes follow");
  }

  void word(std::string_view expected) {
    begin_word();
    if (std::string_view(bytes_).substr(at_, expected.size()) != expected)
      refuse("expected '", expected, "'");
    at_ += expected.size();
    end_word();
  }

  int64_t number(const char* what, int64_t low, int64_t high) {
    begin_word();
    const size_t begin = at_;
    const bool negative = at_ < bytes_.size() && bytes_[at_] == '-';
    if (negative) ++at_;
    const size_t digits = at_;
    int64_t value = 0;
    for (; at_ < bytes_.size() && bytes_[at_] >= '0' && bytes_[at_] <= '9'; ++at_)
      if (value <= kMost) value = 10 * value + (bytes_[at_] - '0');
    const bool written = at_ > digits;
    end_word();
    if (negative) value = -value;
    if (!written || value < low || value > high) {
      const std::string got = bytes_.substr(begin, std::min<size_t>(at_ - begin, 20));
      at_ = begin;
      refuse("expected ", what, ", a number in [", low, ", ", high, "], got '", got, "'");
    }
    return value;
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(name_, ": at byte ", at_, ", line ", line_, ": ", parts...);
  }

 private:
  void begin_word() {
    if (!fresh_) {
      if (at_ >= bytes_.size() || bytes_[at_] != ' ') refuse("expected a space and another word");
      ++at_;
    }
    fresh_ = false;
  }
  void end_word() const {
    if (at_ >= bytes_.size()) refuse("the file ends within a line");
    if (bytes_[at_] != ' ' && bytes_[at_] != '\n') refuse("expected a space or a line's end behind a word");
  }

  std::string name_, bytes_;
  size_t at_ = 0;
  int64_t line_ = 1;
  bool fresh_ = true;  // at a line's first word
};

CsrMatrix read_features(Text& in) {
  const int64_t papers = in.number("the number of papers", 0, kMost);
  const int64_t words = in.number("the number of words", 0, kMost);
  const int64_t entries = in.number("the number of entries", 0, kMost);
  in.end_line("the counts");
  if (papers > in.remaining() || entries > in.remaining())
    in.refuse("expected ", papers, " lines and ", entries, " numbers, ", in.remaining(), " bytes are left");
  Integers offsets{0}, indices;
  offsets.reserve(static_cast<size_t>(papers) + 1), indices.reserve(static_cast<size_t>(entries));
  for (int64_t i = 0; i < papers; ++i) {
    for (int64_t before = -1; !in.at_line_end();)
      indices.push_back(before = in.number("a word, above the one before", before + 1, words - 1));
    in.end_line("a paper");
    offsets.push_back(static_cast<int64_t>(indices.size()));
  }
  if (offsets.back() != entries) in.refuse("expected ", entries, " entries, got ", offsets.back());
  in.end();
  return {SparsePattern(papers, words, Tensor::from(offsets), Tensor::from(indices)),
          Tensor::ones({entries})};
}

Tensor read_labels(Text& in, int64_t papers, int64_t& classes) {
  Integers labels;
  for (int64_t i = 0; i < papers; ++i) {
    labels.push_back(in.number("a class", kNoClass, papers - 1));
    in.end_line("a label");
  }
  in.end();
  std::vector<bool> seen(static_cast<size_t>(papers), false);
  for (int64_t label : labels)
    if (label != kNoClass) seen[static_cast<size_t>(label)] = true;
  classes = std::count(seen.begin(), seen.end(), true);
  const auto missing = std::find(seen.begin(), seen.begin() + classes, false);
  if (missing != seen.begin() + classes)
    in.refuse("expected a paper of each class, there is none of class ", missing - seen.begin());
  return Tensor::from(labels);
}

Tensor read_edges(Text& in, int64_t papers) {
  in.number("the number of papers as in the features", papers, papers);
  const int64_t count = in.number("the number of edges", 0, kMost);
  in.end_line("the counts");
  if (count > in.remaining() / 4)  // "0 1" and a newline
    in.refuse("expected ", count, " lines of two numbers, ", in.remaining(), " bytes are left");
  Tensor edges = Tensor::empty({2, count}, int64);
  int64_t *from = edges.data<int64_t>(), *to = from + count, before = 0, before_to = 0;
  for (int64_t i = 0; i < count; ++i) {
    from[i] = in.number("a paper, not below the one before", before, papers - 1);
    const int64_t low = from[i] == before ? std::max(before_to, from[i]) : from[i];
    to[i] = in.number("a paper above the first one and the edge before", low + 1, papers - 1);
    in.end_line("an edge");
    before = from[i], before_to = to[i];
  }
  in.end();
  return edges;
}

Tensor read_part(Text& in, const char* word, const Tensor& labels, std::vector<bool>& taken) {
  Integers papers;
  in.word(word);
  while (!in.at_line_end()) {
    papers.push_back(in.number("a paper", 0, static_cast<int64_t>(taken.size()) - 1));
    const auto place = static_cast<size_t>(papers.back());
    if (taken[place]) in.refuse("paper ", papers.back(), " stands in the split twice");
    if (labels.data<int64_t>()[papers.back()] == kNoClass)
      in.refuse("paper ", papers.back(), " stands in the split and has no class");
    taken[place] = true;
  }
  in.end_line("a part");
  return Tensor::from(papers);
}

struct Known {
  const char* name;
  int64_t papers, words, entries, edges, classes;
};
constexpr Known kNetworks[] = {{"cora", 2708, 1433, 49216, 5278, 7},
                               {"citeseer", 3327, 3703, 105165, 4552, 6}};

}  // namespace

CitationNetwork read_planetoid(FileReader& features, FileReader& labels, FileReader& edges,
                               FileReader& split) {
  Text words(features), classes(labels), citations(edges), parts(split);
  CitationNetwork network;
  network.features = read_features(words);
  network.labels = read_labels(classes, network.papers(), network.classes);
  network.edges = read_edges(citations, network.papers());
  std::vector<bool> taken(static_cast<size_t>(network.papers()), false);
  network.train = read_part(parts, "train", network.labels, taken);
  network.validation = read_part(parts, "val", network.labels, taken);
  network.test = read_part(parts, "test", network.labels, taken);
  parts.end();
  return network;
}

CitationNetwork read_planetoid(const std::string& folder) {
  const std::filesystem::path path(folder);
  auto reader = [&](const char* file) {
    const auto found = find_file(path, file);
    TENON_CHECK(found, "read_planetoid: expected ", (path / file).string(),
                " or the same with .gz, there is neither");
    return FileReader(*found);
  };
  FileReader features = reader("features.txt"), labels = reader("labels.txt"), edges = reader("edges.txt"),
             split = reader("split.txt");
  CitationNetwork network = read_planetoid(features, labels, edges, split);
  network.source = folder;
  return network;
}

const std::vector<std::string>& citation_network_names() {
  static const std::vector<std::string> names = {kNetworks[0].name, kNetworks[1].name};
  return names;
}

CitationNetwork load_citation_network(const std::string& name) {
  for (const Known& known : kNetworks) {
    if (name != known.name) continue;
    std::string tried;
    for (const std::filesystem::path& place : data_folders("planetoid/" + name)) {
      if (!find_file(place, "features.txt")) {
        tried += (tried.empty() ? "" : ", ") + place.string();
        continue;
      }
      CitationNetwork network = read_planetoid(place.string());
      network.name = name;
      TENON_CHECK(network.papers() == known.papers && network.words() == known.words &&
                      network.features.pattern.entries() == known.entries &&
                      network.edges.size(1) == known.edges && network.classes == known.classes,
                  "load_citation_network: ", place.string(), " is not the published ", name, ": expected ",
                  known.papers, " papers, ", known.words, " words, ", known.entries, " entries, ",
                  known.edges, " edges, ", known.classes, " classes, got ", network.papers(), ", ",
                  network.words(), ", ", network.features.pattern.entries(), ", ", network.edges.size(1),
                  ", ", network.classes);
      return network;
    }
    fail("load_citation_network: ", name, " is not on this machine: expected features.txt in one of ",
         tried.empty() ? "$TENON_DATA/planetoid" : tried);
  }
  fail("load_citation_network: expected cora or citeseer, got '", name, "'");
}

}  // namespace tenon
