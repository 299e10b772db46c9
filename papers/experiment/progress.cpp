#include "papers/experiment/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "core/error.h"

namespace tenon::experiment {

namespace {

constexpr double kMemory = 60;  // seconds over which the rate is averaged
constexpr double kTerminalInterval = 0.1;

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string format_rate(double rate) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, rate >= 100 ? "%.0f/s" : rate >= 0.1 ? "%.1f/s" : "%.2g/s", rate);
  return buffer;
}

}  // namespace

bool is_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

std::string format_duration(double seconds) {
  const auto total = static_cast<long long>(std::llround(std::clamp(seconds, 0.0, 1e12)));
  char buffer[48];
  if (total < 60) {
    std::snprintf(buffer, sizeof buffer, "%lld s", total);
  } else if (total < 3600) {
    std::snprintf(buffer, sizeof buffer, "%lld min %02lld s", total / 60, total % 60);
  } else {
    std::snprintf(buffer, sizeof buffer, "%lld h %02lld min", total / 3600, total / 60 % 60);
  }
  return buffer;
}

Progress::Progress(std::ostream& out, std::string label, std::int64_t total, Settings settings)
    : out_(out), label_(std::move(label)), total_(total), settings_(std::move(settings)) {
  TENON_CHECK(total >= 0, "progress: a total >= 0 expected, got ", total);
  if (!settings_.clock) settings_.clock = steady_seconds;
  start_ = last_update_ = settings_.clock();
  last_print_ = -1e300;
  done_ = settings_.already_done;
}

Progress::~Progress() {
  if (open_line_) out_ << '\n';
}

void Progress::update(std::int64_t done, std::string_view status) {
  const double now = settings_.clock();
  const double seconds = now - last_update_;
  if (done > done_ && seconds > 0) {
    const double latest = static_cast<double>(done - done_) / seconds;
    // Exponential average with memory kMemory, but never longer than what was seen: the first figures count
    // fully.
    const double weight = 1 - std::exp(-seconds / std::min(kMemory, std::max(seconds, now - start_)));
    rate_ = rate_ == 0 ? latest : rate_ + weight * (latest - rate_);
    done_ = done;
    last_update_ = now;
  }
  if (now - last_print_ < (settings_.terminal ? kTerminalInterval : settings_.interval)) return;
  last_print_ = now;
  print(line(now, status), false);
}

void Progress::finish(std::string_view status) {
  std::string text = concat(label_, "  done in ", format_duration(settings_.clock() - start_));
  if (!status.empty()) text += concat("  ", status);
  print(text, true);
}

std::string Progress::line(double now, std::string_view status) const {
  const double part = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1;
  std::string text = concat(label_, "  ", static_cast<int>(100 * part), " %  ", done_, "/", total_);
  if (rate_ > 0) text += "  " + format_rate(rate_);
  text += "  elapsed " + format_duration(now - start_);
  if (rate_ > 0) {
    // Time since the last finished unit counts as work on the next one.
    const double left = static_cast<double>(total_ - done_) / rate_ - (now - last_update_);
    text += "  left " + format_duration(std::max(0.0, left));
  }
  if (!status.empty()) text += concat("  ", status);
  return text;
}

void Progress::print(const std::string& text, bool last) {
  if (!settings_.terminal) {
    out_ << text << '\n' << std::flush;
    return;
  }
  const std::size_t cover = shown_ > text.size() ? shown_ - text.size() : 0;
  out_ << '\r' << text << std::string(cover, ' ');
  if (last) out_ << '\n';
  out_ << std::flush;
  shown_ = last ? 0 : text.size();
  open_line_ = !last;
}

}  // namespace tenon::experiment
