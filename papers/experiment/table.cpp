#include "papers/experiment/table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

#include "core/error.h"

namespace tenon::experiment {

namespace {

constexpr int kGap = 2;         // spaces between columns
constexpr int kNarrowest = 16;  // a column is not wrapped below this

// Code points: every byte but the continuation bytes of UTF-8.
int width_of(std::string_view text) {
  return static_cast<int>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// Lines of at most `width`, broken at spaces; a longer word stays whole.
std::vector<std::string> wrap_line(const std::string& text, int width) {
  std::vector<std::string> lines(1);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (width_of(line) + 1 + width_of(word) <= width) {
      line += " " + word;
    } else {
      lines.push_back(word);
    }
    begin = end + 1;
  }
  return lines;
}

std::vector<std::string> wrap(const std::string& text, int width) {
  std::vector<std::string> wrapped;
  for (const std::string& line : split_lines(text))
    std::ranges::copy(wrap_line(line, width), std::back_inserter(wrapped));
  return wrapped;
}

std::string padded(const std::string& text, int width, Align align) {
  const std::string space(static_cast<std::size_t>(std::max(0, width - width_of(text))), ' ');
  return align == Align::kLeft ? text + space : space + text;
}

Align align_of(const Table& table, std::size_t column) {
  return column < table.align.size() ? table.align[column] : Align::kLeft;
}

std::vector<int> natural_widths(const Table& table) {
  std::vector<int> widths;
  for (const std::string& name : table.header) widths.push_back(width_of(name));
  for (const auto& row : table.rows) {
    TENON_CHECK(row.size() <= widths.size(), "table \"", table.title, "\": a row has ", row.size(),
                " cells, the header ", widths.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      for (const std::string& line : split_lines(row[i])) widths[i] = std::max(widths[i], width_of(line));
    }
  }
  return widths;
}

// Narrows the widest left-aligned column, one step at a time, until the table fits.
void fit(const Table& table, std::vector<int>& widths, int width) {
  int total = kGap * (static_cast<int>(widths.size()) - 1);
  for (int w : widths) total += w;
  while (total > width) {
    int* widest = nullptr;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      if (align_of(table, i) == Align::kLeft && (widest == nullptr || widths[i] > *widest))
        widest = &widths[i];
    }
    if (widest == nullptr || *widest <= kNarrowest) return;
    --*widest;
    --total;
  }
}

void append_row(std::string& out, const Table& table, const std::vector<std::string>& row,
                const std::vector<int>& widths) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    cells.push_back(wrap(row[i], widths[i]));
    height = std::max(height, cells.back().size());
  }
  for (std::size_t y = 0; y < height; ++y) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line.append(kGap, ' ');
      line += padded(y < cells[i].size() ? cells[i][y] : "", widths[i], align_of(table, i));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
}

}  // namespace

std::string to_text(const Table& table, int width) {
  std::vector<int> widths = natural_widths(table);
  fit(table, widths, width);
  std::string out;
  if (!table.title.empty()) out += table.title + "\n";
  append_row(out, table, table.header, widths);
  std::string rule;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (i > 0) rule.append(kGap, ' ');
    for (int k = 0; k < widths[i]; ++k) rule += "─";
  }
  out += rule + "\n";
  for (const auto& row : table.rows) append_row(out, table, row, widths);
  return out;
}

std::string format_number(double value, int decimals) {
  if (std::isnan(value)) return "–";
  char buffer[400];  // the largest double has 309 digits before the point
  std::snprintf(buffer, sizeof buffer, "%.*f", std::clamp(decimals, 0, 17), value);
  return buffer;
}

}  // namespace tenon::experiment
