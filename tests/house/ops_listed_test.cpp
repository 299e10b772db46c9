// Every op that a header declares is in core/ops/list.inc, so that none escapes the link contract and the
// catalogue; and what the list promises is declared.
#include <doctest/doctest.h>

#include <map>
#include <set>
#include <string>

#include "core/ops/contract.h"
#include "tests/house/source_tree.h"

using namespace tenon::house;

namespace {

struct Function {
  std::string header;
  std::string result;
};

// Functions declared at namespace level, which clang-format puts at column 0, by name.
std::multimap<std::string, Function> functions_in(const std::string& folder) {
  const std::string pattern = R"(^(?:inline )?([A-Za-z_][\w:<>, ]*[\w>])[ &*]+(\w+)\((?!\)\(\*))";
  std::multimap<std::string, Function> found;
  for (const std::string& header : files_under({folder}, {".h"}))
    for (const std::string& line : lines_of(without_comments(read_file(header)))) {
      const auto match = match_first(line, pattern);
      if (!match.empty()) found.insert({match[2], {header, match[1]}});
    }
  return found;
}

// Does a function of this result type compute on tensors? Questions about shapes and plain numbers are not
// ops.
bool is_op_result(const std::string& type) {
  static const std::set<std::string> plain = {"bool",    "int",        "int64_t",     "uint64_t",
                                              "size_t",  "const char", "std::string", "Shape",
                                              "Strides", "Dims",       "DType",       "Device"};
  return plain.count(type) == 0;
}

// Functions of core/ops that are no ops of the list, each with the reason.
const std::map<std::string, std::string>& not_ops() {
  static const std::map<std::string, std::string> table = {
      {"binary_into", "the building block of the binary ops, into existing memory"},
      {"unary_into", "the building block of the unary ops, into existing memory"},
      {"copy_into", "the building block of Tensor's copies"},
      {"count_into", "the building block of Tensor::arange"},
      {"fill_into", "the building block of Tensor::fill_"},
      {"global_avg_pool", "mean over the spatial axes"},
      {"sum_to", "sum over the broadcast axes: made of sum and reshape"},
      {"polar", "made of matmul"},
      {"truncated", "the first triples of an svd: slices"},
  };
  return table;
}

// Headers of core/ops that declare no ops but what ops are made with.
bool declares_ops(const std::string& header) {
  return header != "core/ops/contract.h" && header != "core/ops/dispatch.h" &&
         header != "core/ops/iteration.h" && header != "core/ops/image.h" &&
         header != "core/ops/index_arguments.h" && header != "core/ops/sparse_arguments.h";
}

std::map<std::string, tenon::contract::OpInfo> listed() {
  std::map<std::string, tenon::contract::OpInfo> ops;
  int count = 0;
  const tenon::contract::OpInfo* info = tenon::contract::ops(count);
  for (int i = 0; i < count; ++i) {
    CHECK_MESSAGE(ops.count(info[i].name) == 0, info[i].name, " is in core/ops/list.inc twice");
    ops[info[i].name] = info[i];
  }
  return ops;
}

}  // namespace

TEST_CASE("house: every op declared in core/ops is in core/ops/list.inc") {
  const auto ops = listed();
  const auto declared = functions_in("core/ops");
  CHECK(declared.size() > 60);
  for (const auto& item : declared) {
    const std::string& name =
        item.first;  // no structured bindings: clang 14 cannot use them within CHECK_MESSAGE
    const Function& function = item.second;
    if (!declares_ops(function.header) || !is_op_result(function.result) || not_ops().count(name)) continue;
    CHECK_MESSAGE(
        ops.count(name) == 1, function.header, " declares ", name,
        ", which is not in core/ops/list.inc (nor among the functions that are no ops, with the reason, in "
        "tests/house/ops_listed_test.cpp)");
  }
  for (const auto& item : not_ops()) {
    const std::string &name = item.first, &reason = item.second;
    CHECK_MESSAGE(declared.count(name) > 0, name, " is excused from the list but declared nowhere");
    CHECK_MESSAGE(ops.count(name) == 0, name, " is in the list and excused from it");
    CHECK(!reason.empty());
  }
}

TEST_CASE("house: what core/ops/list.inc names is declared") {
  const auto in_core = functions_in("core/ops");
  const auto in_autograd = functions_in("autograd/ops");
  const std::string tensor = without_comments(read_file("core/tensor.h"));
  for (const auto& item : listed()) {
    const std::string& name = item.first;
    const tenon::contract::OpInfo& info = item.second;
    // Views are methods of Tensor.
    bool method = !match_first(tensor, "Tensor " + name + "\\(").empty();
    CHECK_MESSAGE((in_core.count(name) > 0 || method), name,
                  " is declared neither in core/ops/*.h nor in core/tensor.h");
    if (info.differentiable != tenon::contract::Differentiable::no)
      CHECK_MESSAGE(in_autograd.count(name) > 0, name,
                    " has no declaration on Variables in autograd/ops/*.h");
    const bool twice = info.differentiable == tenon::contract::Differentiable::twice;
    const bool reason = !std::string(info.reason).empty();
    CHECK_MESSAGE((twice || reason), name, " is not differentiable twice and gives no reason");
    CHECK_MESSAGE(!(twice && reason), name, " is differentiable twice and needs no reason");
  }
}
