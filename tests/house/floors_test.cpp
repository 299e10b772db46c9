// The floors of the house: an include goes down, never up, and never sideways into a neighbour's inside. No
// circle.
//
//   papers/<paper> -> papers/experiment -> nn -> autograd | data -> core, core/ops -> core/cpu | cuda
//
// The kernels are the ground floor. They stand on the few headers of core/ that know no Tensor (dtype, loop,
// math, parallel, ...); the second test case follows every chain of includes to see that no Tensor is at its
// end.
#include <doctest/doctest.h>

#include <cctype>
#include <filesystem>
#include <map>
#include <set>

#include "tests/house/source_tree.h"

using namespace tenon::house;

namespace {

struct Room {
  const char* prefix;                    // files whose path begins so; the first match in the table counts
  std::vector<std::string> may_include;  // prefixes of files, besides those of the room itself
};

const std::vector<Room>& rooms() {
  static const std::vector<std::string> everything = {""};
  static const std::vector<Room> table = {
      {"tests/", everything},
      {"bench/", everything},
      {"examples/", {"nn/", "data/", "autograd/", "core/"}},
      {"papers/experiment/", {"nn/", "data/", "autograd/", "core/"}},
      {"papers/", {"papers/experiment/", "nn/", "data/", "autograd/", "core/"}},
      // Checkpoints are safetensors: of data/, nn/ knows the file format and nothing else.
      {"nn/", {"autograd/", "core/", "data/safetensors.h", "data/named_tensors.h"}},
      {"autograd/", {"core/"}},
      {"data/", {"core/"}},
      {"core/ops/", {"core/", "core/cpu/", "cuda/kernels/", "cuda/runtime/"}},
      // Kernels: plain pointers in, numbers out. `core/` here is narrowed by the next test case.
      {"core/cpu/", {"core/"}},
      // Tensor's copies are ops, and its memory may be a device's.
      {"core/", {"core/ops/", "cuda/runtime/device_runtime.h"}},
      // A CUDA kernel shares the contract of its CPU twin (structs of arguments), and names its ops in the
      // list.
      {"cuda/kernels/",
       {"core/", "core/cpu/", "cuda/runtime/", "cuda/library/", "core/ops/contract.h", "core/ops/list.inc"}},
      // NVIDIA's libraries, behind the contracts of our kernels; and their twins on emulated memory.
      {"cuda/library/", {"core/", "core/cpu/", "cuda/runtime/", "cuda/emulation/"}},
      // The emulation stands in for the runtime's launches, and is built on its memory.
      {"cuda/runtime/", {"core/", "cuda/emulation/"}},
      {"cuda/emulation/", {"core/", "cuda/runtime/"}},
      // A program of its own, that reads what nvcc says.
      {"cuda/report/", {}},
  };
  return table;
}

const Room* room_of(const std::string& path) {
  for (const Room& room : rooms())
    if (starts_with(path, room.prefix)) return &room;
  return nullptr;
}

// The folder of a paper, "papers/trp/", or "" for a file that belongs to none.
std::string paper_of(const std::string& path) {
  if (!starts_with(path, "papers/") || starts_with(path, "papers/experiment/")) return "";
  return path.substr(0, path.find('/', 7) + 1);
}

bool may_include(const std::string& from, const std::string& to) {
  if (!paper_of(to).empty())
    return paper_of(from) == paper_of(to) || starts_with(from, "tests/") || starts_with(from, "bench/");
  const Room* room = room_of(from);
  const Room* target = room_of(to);
  if (room == target) return true;
  for (const std::string& prefix : room->may_include) {
    if (!starts_with(to, prefix)) continue;
    // "core/" means the room itself; its inner rooms are named on their own, and only core/ops is open to
    // those above.
    if (prefix == "core/" && starts_with(to, "core/cpu/")) continue;
    if (prefix == "core/" && starts_with(to, "core/ops/") && starts_with(from, "core/cpu/")) continue;
    if (prefix == "core/" && starts_with(to, "core/ops/") && starts_with(from, "cuda/")) continue;
    return true;
  }
  return false;
}

// Files of the tree that a file includes, directly.
const std::map<std::string, std::vector<std::string>>& graph() {
  static const std::map<std::string, std::vector<std::string>> edges = [] {
    std::map<std::string, std::vector<std::string>> found;
    for (const std::string& path : sources())
      for (const Include& include : includes_of(path))
        if (std::filesystem::exists(include.target)) found[path].push_back(include.target);
    return found;
  }();
  return edges;
}

// A chain of includes from `path` to a file that `wanted` accepts, written "a -> b -> c"; "" if there is
// none.
template <class Wanted>
std::string chain_to(const std::string& path, Wanted wanted, std::set<std::string>& seen) {
  auto found = graph().find(path);
  if (found == graph().end()) return "";
  for (const std::string& target : found->second) {
    if (wanted(target)) return path + " -> " + target;
    if (!seen.insert(target).second) continue;
    std::string rest = chain_to(target, wanted, seen);
    if (!rest.empty()) return path + " -> " + rest;
  }
  return "";
}

}  // namespace

TEST_CASE("house: includes go down") {
  CHECK(sources().size() > 100);
  for (const std::string& path : sources()) {
    const Room* room = room_of(path);
    CHECK_MESSAGE(room != nullptr, path, " stands on no floor");
    for (const Include& include : includes_of(path)) {
      if (!include.quoted || starts_with(include.target, "doctest/")) continue;
      CHECK_MESSAGE(std::filesystem::exists(include.target), path, ":", include.line, " includes \"",
                    include.target, "\", which is not a path from the root of the repository");
      CHECK_MESSAGE(may_include(path, include.target), path, ":", include.line, " includes ", include.target,
                    ", which is not below it");
    }
  }
}

TEST_CASE("house: kernels know no Tensor, not even through another header") {
  for (const std::string& path : sources()) {
    if (!starts_with(path, "core/cpu/") && !starts_with(path, "cuda/")) continue;
    std::set<std::string> seen;
    std::string chain = chain_to(
        path,
        [](const std::string& target) { return target == "core/tensor.h" || target == "core/storage.h"; },
        seen);
    CHECK_MESSAGE(chain.empty(), chain);
  }
}

TEST_CASE("house: autograd and data do not know each other, core knows neither, no header includes itself") {
  for (const std::string& path : sources()) {
    std::set<std::string> seen;
    std::string circle = chain_to(
        path, [&](const std::string& target) { return target == path; }, seen);
    CHECK_MESSAGE(circle.empty(), circle);
    auto forbid = [&](const char* from, const char* to) {
      if (!starts_with(path, from)) return;
      std::set<std::string> visited;
      std::string chain = chain_to(
          path, [&](const std::string& t) { return starts_with(t, to); }, visited);
      CHECK_MESSAGE(chain.empty(), chain);
    };
    forbid("autograd/", "data/");
    forbid("data/", "autograd/");
    forbid("data/", "nn/");
    forbid("core/", "autograd/");
  }
}

TEST_CASE("house: a paper's name appears under papers/ only") {
  std::vector<std::string> papers;
  for (const auto& entry : std::filesystem::directory_iterator("papers"))
    if (entry.is_directory() && entry.path().filename() != "experiment")
      papers.push_back(entry.path().filename());
  for (const std::string& path : sources()) {
    if (starts_with(path, "papers/") || starts_with(path, "tests/") || starts_with(path, "bench/")) continue;
    std::string code = without_comments(read_file(path));  // comments cite papers as sources
    for (char& c : code) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    for (const std::string& paper : papers)
      CHECK_MESSAGE(match_first(code, "\\b" + paper + "\\b").empty(), path, " names the paper ", paper);
  }
}

namespace {

struct Heavy {
  const char* header;                // a header that is slow to include, or that drags a library in
  std::vector<std::string> allowed;  // the files, or folders, that may
};

}  // namespace

TEST_CASE("house: heavy headers stand in the one file that needs them") {
  const std::vector<Heavy> table = {
      {"nlohmann/", {"core/json.cpp"}},
      {"CLI/", {"papers/experiment/options.cpp"}},
      {"Eigen/", {"tests/", "bench/"}},
      {"hwy/", {"core/cpu/", "bench/ladder/"}},
      {"cblas.h", {"core/cpu/blas.cpp", "bench/"}},
      {"omp.h", {"core/parallel.cpp"}},
      {"oneapi/", {"bench/peer_onednn.cpp"}},
      {"libxsmm", {"bench/peer_libxsmm.cpp"}},
      {"boost/", {"cuda/emulation/fiber.h"}},
      {"cuda_runtime", {"cuda/runtime/"}},
      {"cublas", {"cuda/library/cublas.cpp"}},
      {"cudnn", {"cuda/library/cudnn.cpp"}},
      {"png.h", {"data/", "papers/experiment/", "tests/"}},
      {"jpeglib.h", {"data/", "tests/"}},
      {"zlib.h", {"data/", "tests/"}},
      {"doctest/", {"tests/"}},
  };
  for (const std::string& path : sources()) {
    for (const Include& include : includes_of(path))
      for (const Heavy& heavy : table) {
        if (!starts_with(include.target, heavy.header)) continue;
        bool allowed = false;
        for (const std::string& prefix : heavy.allowed) allowed = allowed || starts_with(path, prefix);
        CHECK_MESSAGE(allowed, path, ":", include.line, " includes ", include.target);
        bool slow = starts_with(heavy.header, "nlohmann") || starts_with(heavy.header, "CLI") ||
                    starts_with(heavy.header, "Eigen");
        CHECK_MESSAGE((!slow || path.ends_with(".cpp")), path, ":", include.line, ": a header includes ",
                      include.target);
      }
    if (path != "tests/main.cpp" && path != "tests/house/floors_test.cpp")
      CHECK_MESSAGE(read_file(path).find("DOCTEST_CONFIG_IMPLEMENT") == std::string::npos, path,
                    " has a main of doctest; the one is in tests/main.cpp");
  }
}
