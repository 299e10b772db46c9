// A line that says how far a long computation is, and how long it will still take.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace tenon::experiment {

/// True if the file descriptor (1: stdout, 2: stderr) is a terminal.
bool is_terminal(int descriptor);

/// "42 s", "3 min 07 s", "1 h 02 min".
std::string format_duration(double seconds);

/// Prints `label  37 %  111/300  2.1/s  elapsed 53 s  left 1 min 30 s  loss 0.123` to a stream. On a terminal
/// one line is rewritten (at most ten times a second); otherwise a new line is printed at most every
/// `interval` seconds.
///
/// The time left follows the recent rate: an average over about the last minute, so that a change of speed
/// shows.
class Progress {
 public:
  struct Settings {
    bool terminal = false;  ///< rewrite one line
    double interval = 10;   ///< seconds between lines when this is no terminal
    std::int64_t already_done =
        0;  ///< units done before this process started (a resumed run); no rate is drawn from them
    std::function<double()> clock;  ///< seconds; a steady clock unless a test gives its own
  };

  /// @throws Error if `total` < 0.
  Progress(std::ostream& out, std::string label, std::int64_t total, Settings settings);
  /// Ends an unfinished line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` units of the total are done; `status` is appended to the line.
  void update(std::int64_t done, std::string_view status = {});
  /// Prints a last line with the time taken.
  void finish(std::string_view status = {});

 private:
  std::string line(double now, std::string_view status) const;
  void print(const std::string& text, bool last);

  std::ostream& out_;
  std::string label_;
  std::int64_t total_;
  Settings settings_;
  double start_;
  double last_print_;
  double last_update_;
  std::int64_t done_;
  double rate_ = 0;        // units a second, recent
  std::size_t shown_ = 0;  // width of the line on the terminal
  bool open_line_ = false;
};

}  // namespace tenon::experiment
