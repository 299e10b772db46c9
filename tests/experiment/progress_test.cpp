// Progress: the estimate on a clock of the test's own, and the two ways of printing.
#include "papers/experiment/progress.h"

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "doctest/doctest.h"

using namespace tenon;
using namespace tenon::experiment;

namespace {

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("progress: time left at a constant rate, lines at intervals when there is no terminal") {
  double now = 1000;
  std::ostringstream out;
  Progress progress(out, "train", 100,
                    {.terminal = false, .interval = 10, .already_done = 0, .clock = [&] { return now; }});
  for (int done = 1; done <= 50; ++done) {
    now += 2;
    progress.update(done, "loss 0.5");
  }
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 10);
  CHECK_FALSE(contains(text, "\r"));
  CHECK(contains(text, "train  46 %  46/100  0.5/s  elapsed 1 min 32 s  left 1 min 48 s  loss 0.5\n"));
  out.str("");
  progress.finish("accuracy 98");
  CHECK(out.str() == "train  done in 1 min 40 s  accuracy 98\n");
}

TEST_CASE("progress: the estimate follows a change of speed") {
  double now = 0;
  std::ostringstream out;
  Progress progress(out, "train", 1000,
                    {.terminal = false, .interval = 0, .already_done = 0, .clock = [&] { return now; }});
  for (int done = 1; done <= 100; ++done) {
    now += 1;
    progress.update(done);
  }
  for (int done = 101; done <= 160; ++done) {
    now += 10;  // ten times as slow
    out.str("");
    progress.update(done);
  }
  CHECK(contains(out.str(), "left 2 h 19 min"));  // 840 units of 10 s, and a trace of the old rate
}

TEST_CASE("progress: what was done before a resume tells nothing about the rate") {
  double now = 0;
  std::ostringstream out;
  Progress progress(out, "train", 100,
                    {.terminal = false, .interval = 0, .already_done = 90, .clock = [&] { return now; }});
  progress.update(90);
  CHECK_FALSE(contains(out.str(), "left"));
  now = 4;
  progress.update(92);
  CHECK(contains(out.str(), "92/100  0.5/s  elapsed 4 s  left 16 s"));
}

TEST_CASE("progress: on a terminal one line is rewritten and covered") {
  double now = 0;
  std::ostringstream out;
  {
    Progress progress(out, "t", 10,
                      {.terminal = true, .interval = 10, .already_done = 0, .clock = [&] { return now; }});
    now = 1;
    progress.update(1, "a long status");
    now = 1.05;
    progress.update(2, "not shown: too soon");
    now = 2;
    progress.update(3);
  }
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\r') == 2);
  CHECK_FALSE(contains(text, "too soon"));
  CHECK(text.ends_with(" \n"));  // the shorter line covers the longer; the line is ended when the bar goes
}

TEST_CASE("progress: durations and totals") {
  CHECK(format_duration(0.4) == "0 s");
  CHECK(format_duration(59.6) == "1 min 00 s");
  CHECK(format_duration(187) == "3 min 07 s");
  CHECK(format_duration(3720) == "1 h 02 min");
  std::ostringstream out;
  CHECK_THROWS_AS(Progress(out, "t", -1, {}), Error);
  Progress nothing(out, "t", 0, {});
  nothing.update(0);
  CHECK(contains(out.str(), "100 %"));
}
