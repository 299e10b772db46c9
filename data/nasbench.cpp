#include "data/nasbench.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/json.h"
#include "data/folders.h"

namespace tenon {
namespace {

constexpr int64_t kCells101 = 423624, kCells201 = 15625, kChains = 6561;
constexpr uint64_t kMostBytes = uint64_t{1} << 28;  // of one text

// A pickle of protocol 4 (PEP 3154) is a sequence of frames, short programs; large arrays of bytes stand between them.
constexpr uint8_t kProtocolOpcode = 0x80, kFrameOpcode = 0x95, kBytesOpcode = 0x42;

void expect_opcode(FileReader& in, uint8_t expected, const char* what) {
  const auto opcode = in.little<uint8_t>(what);
  if (opcode != expected) in.refuse("expected ", what, ", opcode ", int{expected}, ", got ", int{opcode});
}

void skip_frame(FileReader& in) {
  expect_opcode(in, kFrameOpcode, "a frame");
  const auto bytes = in.little<uint64_t>("the length of a frame");
  in.require(bytes, 1, "a frame");
  in.read_string(bytes, "a frame");
}

// Of numbers of 8 bytes, which follow.
uint64_t array_length(FileReader& in, const char* what) {
  expect_opcode(in, kBytesOpcode, what);
  const uint64_t bytes = in.little<uint32_t>(what);
  if (bytes % 8 != 0) in.refuse("expected ", what, " of 8 bytes a number, got ", bytes, " bytes");
  in.require(bytes / 8, 8, what);
  return bytes / 8;
}

void check_percent(double value, const std::string& name, size_t row) {
  TENON_CHECK(value >= 0 && value <= 100, name, ": row ", row, ": expected an accuracy in [0, 100] %, got ",
              value);
}

// A table of text: fields between commas, lines between newlines, the last one with or without.
class Csv {
 public:
  explicit Csv(FileReader& in) : name_(in.name()) {
    if (in.remaining() > kMostBytes)
      in.refuse("expected at most ", kMostBytes, " bytes of text, got ", in.remaining());
    text_ = in.read_string(in.remaining(), "text");
    rest_ = text_;
  }

  bool at_end() const { return rest_.empty(); }

  // The fields of the next line.
  const std::vector<std::string_view>& line(size_t fields) {
    ++line_;
    std::string_view line = rest_.substr(0, rest_.find('\n'));
    rest_ = rest_.substr(std::min(rest_.size(), line.size() + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    fields_.clear();
    for (bool more = true; more;) {
      const size_t comma = line.find(',');
      fields_.push_back(line.substr(0, comma));
      more = comma != std::string_view::npos;
      if (more) line.remove_prefix(comma + 1);
    }
    if (fields_.size() != fields) refuse("expected ", fields, " fields, got ", fields_.size());
    return fields_;
  }

  double number(std::string_view field) const {
    double value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(value))
      refuse("expected a number, got '", field.substr(0, 20), "'");
    return value;
  }
  double percent(std::string_view field) const {
    const double value = number(field);
    if (value < 0 || value > 100) refuse("expected an accuracy in [0, 100] %, got ", value);
    return value;
  }
  // Rows count from 0.
  void expect_row(std::string_view field, size_t row) const {
    if (number(field) != static_cast<double>(row))
      refuse("expected row ", row, ", got '", field.substr(0, 20), "'");
  }

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    fail(name_, ": line ", line_, ": ", parts...);
  }

 private:
  std::string name_, text_;
  std::string_view rest_;
  std::vector<std::string_view> fields_;
  int64_t line_ = 0;
};

size_t column_of(const std::vector<std::string_view>& header, std::string_view name, const Csv& csv) {
  const auto found = std::find(header.begin(), header.end(), name);
  if (found == header.end()) csv.refuse("expected a column ", name);
  return static_cast<size_t>(found - header.begin());
}

// "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|": for each vertex, an operation on the edge from each vertex before it.
std::array<uint8_t, kNasbench201Edges> cell_operations(std::string_view text, const Csv& csv) {
  std::array<uint8_t, kNasbench201Edges> operations{};
  const std::string_view whole = text;
  const auto skip = [&](std::string_view expected) {
    if (!text.starts_with(expected)) csv.refuse("expected a cell, got '", whole.substr(0, 80), "'");
    text.remove_prefix(expected.size());
  };
  size_t edge = 0;
  for (int to = 1; to <= 3; ++to) {
    skip(to == 1 ? "|" : "+|");
    for (int from = 0; from < to; ++from, ++edge) {
      const std::string_view name = text.substr(0, text.find('~'));
      const auto* found = std::find(kNasbench201Operations.begin(), kNasbench201Operations.end(), name);
      if (found == kNasbench201Operations.end())
        csv.refuse("no operation is called '", name.substr(0, 20), "'");
      operations[edge] = static_cast<uint8_t>(found - kNasbench201Operations.begin());
      skip(name);
      skip(concat("~", from, "|"));
    }
  }
  if (!text.empty()) csv.refuse("expected the end of the cell, got '", text.substr(0, 20), "'");
  return operations;
}

const char* set_name(Nasbench201Set set, bool in_twelve_epochs) {
  switch (set) {
    case Nasbench201Set::cifar10:
      return "cifar10";
    case Nasbench201Set::cifar100:
      return "cifar100";
    case Nasbench201Set::imagenet16:
      return in_twelve_epochs ? "imagenet" : "ImageNet16-120";
  }
  fail("nasbench201: no such data set");
}

// The folder that has the file.
std::filesystem::path folder_with(const std::string& file) {
  std::string tried;
  for (const std::filesystem::path& place : data_folders("nasbench")) {
    if (find_file(place, file)) return place;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail("nasbench: expected ", file, " in one of ", tried.empty() ? "$TENON_DATA/nasbench" : tried,
       "; `make data` fetches it");
}

FileReader open(const std::filesystem::path& folder, const std::string& file) {
  const auto path = find_file(folder, file);
  TENON_CHECK(path, "nasbench: expected ", (folder / file).string(), ", which is not there");
  return FileReader(*path);
}

}  // namespace

std::vector<double> read_nasbench101_column(FileReader& in) {
  expect_opcode(in, kProtocolOpcode, "a pickle");
  if (in.little<uint8_t>("the protocol") != 4) in.refuse("expected a pickle of protocol 4 before this byte");
  skip_frame(in);
  const uint64_t rows = array_length(in, "the array of row numbers");
  for (uint64_t row = 0; row < rows; ++row)
    if (in.little<uint64_t>("a row number") != row)
      in.refuse("expected row number ", row, " before this byte");
  skip_frame(in);
  const uint64_t numbers = array_length(in, "the array of reals");
  if (rows == 0 || numbers % rows != 0 || numbers == 0)
    in.refuse("expected columns of ", rows, " reals, got ", numbers, " reals");
  const Tensor column = in.read_tensor({static_cast<int64_t>(rows)}, float64, "a column of reals");
  in.read_string(8 * (numbers - rows), "the other columns");
  skip_frame(in);
  in.expect_end();
  std::vector<double> values = column.to_vector<double>();
  for (size_t row = 0; row < values.size(); ++row)
    TENON_CHECK(std::isfinite(values[row]), in.name(), ": row ", row, ": expected a finite number, got ",
                values[row]);
  return values;
}

Nasbench101 load_nasbench101() {
  const std::string file = "nasbench101_accuracies.pkl";
  const std::filesystem::path folder = folder_with(file);
  FileReader accuracies = open(folder, file), parameters = open(folder, "nasbench101_params.pkl");
  Nasbench101 table;
  table.source = folder.string();
  table.accuracy = read_nasbench101_column(accuracies);
  table.parameters = read_nasbench101_column(parameters);
  TENON_CHECK(table.accuracy.size() == kCells101 && table.parameters.size() == kCells101, table.source,
              ": expected the published ", kCells101, " rows, got ", table.accuracy.size(), " and ",
              table.parameters.size());
  for (size_t row = 0; row < table.accuracy.size(); ++row)
    check_percent(table.accuracy[row] *= 100, accuracies.name(), row);
  return table;
}

Nasbench201 read_nasbench201(FileReader& twelve_epochs, FileReader& full, Nasbench201Set set) {
  Nasbench201 table;
  constexpr size_t kFields = 8;
  Csv shorter(twelve_epochs);
  const std::vector<std::string_view> header = shorter.line(kFields);
  const size_t cell = column_of(header, "cellstr", shorter),
               validation = column_of(header, concat(set_name(set, true), "-val"), shorter);
  while (!shorter.at_end()) {
    const std::vector<std::string_view>& fields = shorter.line(kFields);
    shorter.expect_row(fields[0], table.operations.size());
    table.operations.push_back(cell_operations(fields[cell], shorter));
    table.validation12.push_back(shorter.percent(fields[validation]));
  }
  Csv longer(full);
  const std::vector<std::string_view> columns = longer.line(2);
  if (columns[0] != "index" || columns[1] != "accuracy")
    longer.refuse("expected the header 'index,accuracy'");
  while (!longer.at_end()) {
    const std::vector<std::string_view>& fields = longer.line(2);
    longer.expect_row(fields[0], table.test200.size());
    table.test200.push_back(longer.percent(fields[1]));
  }
  if (table.test200.size() != table.operations.size())
    longer.refuse("expected ", table.operations.size(), " rows as in ", twelve_epochs.name(), ", got ",
                  table.test200.size());
  return table;
}

Nasbench201 load_nasbench201(Nasbench201Set set) {
  const std::string file = "nasbench201_12epochs.csv";
  const std::filesystem::path folder = folder_with(file);
  FileReader twelve_epochs = open(folder, file),
             full = open(folder, concat("nasbench201_", set_name(set, false), ".csv"));
  Nasbench201 table = read_nasbench201(twelve_epochs, full, set);
  TENON_CHECK(table.operations.size() == kCells201, folder.string(), ": expected the published ", kCells201,
              " cells, got ", table.operations.size());
  table.source = folder.string();
  return table;
}

NasbenchMacro read_nasbench_macro(std::string_view text, const std::string& name) {
  struct Chain {
    std::array<uint8_t, kNasbenchMacroBlocks> choices;
    std::array<double, 3> test;
  };
  std::vector<Chain> chains;
  const Json json = Json::parse(text, name);
  for (const auto& [key, value] : json.members()) {
    Chain chain{};
    TENON_CHECK(key.size() == kNasbenchMacroBlocks && key.find_first_not_of("012") == std::string::npos, name,
                ": expected a chain of ", kNasbenchMacroBlocks, " digits 0, 1, 2, got '", key.substr(0, 20),
                "'");
    std::transform(key.begin(), key.end(), chain.choices.begin(),
                   [](char c) { return static_cast<uint8_t>(c - '0'); });
    const std::vector<Json>& runs = value.at("test_acc").items();
    TENON_CHECK(runs.size() == chain.test.size(), name, ": ", key, ": expected ", chain.test.size(),
                " test accuracies, got ", runs.size());
    for (size_t run = 0; run < runs.size(); ++run) {
      chain.test[run] = runs[run].as_real();
      check_percent(chain.test[run], name, chains.size());
    }
    chains.push_back(chain);
  }
  std::sort(chains.begin(), chains.end(),
            [](const Chain& a, const Chain& b) { return a.choices < b.choices; });
  NasbenchMacro table;
  table.source = name;
  for (const Chain& chain : chains) {
    table.choices.push_back(chain.choices);
    table.test.push_back(chain.test);
  }
  return table;
}

NasbenchMacro load_nasbench_macro() {
  const std::string file = "nasbench_macro_cifar10.json";
  const std::filesystem::path folder = folder_with(file);
  FileReader in = open(folder, file);
  if (in.remaining() > kMostBytes) in.refuse("expected at most ", kMostBytes, " bytes, got ", in.remaining());
  const std::string text = in.read_string(in.remaining(), "json");
  NasbenchMacro table = read_nasbench_macro(text, in.name());
  TENON_CHECK(table.choices.size() == kChains, in.name(), ": expected the published ", kChains,
              " chains, got ", table.choices.size());
  table.source = folder.string();
  return table;
}

}  // namespace tenon
