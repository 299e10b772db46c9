// A table of texts, for the terminal and for the report page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tenon::experiment {

enum class Align { kLeft, kRight };

struct Table {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  ///< a row may be shorter than the header, not longer
  std::vector<Align> align;                    ///< of each column; missing ones are kLeft
};

/// The table in aligned columns, for a terminal `width` columns wide: the widest left-aligned columns are
/// wrapped at spaces until it fits (or no further wrapping helps); a '\n' in a cell begins a new line of it.
/// UTF-8 is counted by code points. Ends with a newline. @throws Error if a row is longer than the header.
std::string to_text(const Table& table, int width = 110);

/// `value` with `decimals` digits after the point: "98.40"; "–" for NaN.
std::string format_number(double value, int decimals);

}  // namespace tenon::experiment
