// Ends a failing run with the names of its failed cases and the command that repeats them with the same numbers: what failed
// is then in the last lines, whatever messages followed it.
#include <doctest/doctest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "tests/seed.h"

namespace tenon {
namespace {

class FailedCases : public doctest::IReporter {
 public:
  explicit FailedCases(const doctest::ContextOptions& options) : out_(*options.cout) {}

  void test_case_start(const doctest::TestCaseData& data) override { current_ = &data; }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    if (!stats.testCaseSuccess) failed_.push_back(current_);
  }
  void test_run_end(const doctest::TestRunStats&) override {
    for (const doctest::TestCaseData* data : failed_)
      out_ << "failed: " << data->m_file.c_str() << ":" << data->m_line << ": " << data->m_name
           << "\n  again: TENON_TEST_SEED=" << test_seed() << " make test TEST=\"" << pattern(data->m_name)
           << "\"\n";
  }

  // doctest takes a comma in a pattern for the start of the next one.
  static std::string pattern(std::string name) {
    std::replace(name.begin(), name.end(), ',', '?');
    return name;
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

 private:
  std::ostream& out_;
  const doctest::TestCaseData* current_ = nullptr;
  std::vector<const doctest::TestCaseData*> failed_;
};

REGISTER_LISTENER("failed-cases", 1, FailedCases);

}  // namespace
}  // namespace tenon
