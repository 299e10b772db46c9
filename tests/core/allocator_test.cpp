// The allocator: what it counts, what it keeps, and its limit.
#include "core/allocator.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/error.h"
#include "core/tensor.h"

using namespace tenon;

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kCaches = false;  // a sanitizer build keeps nothing
#else
constexpr bool kCaches = true;
#endif

constexpr size_t kMegabyte = size_t{1} << 20;

struct Block {
  explicit Block(size_t n) : bytes(n), data(allocate(Device::cpu(), n)) {}
  ~Block() { deallocate(Device::cpu(), data, bytes); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  size_t bytes;
  void* data;
};

// What this test program prints and returns when it runs one of its test cases under TENON_MEMORY_LIMIT=`limit`.
std::pair<std::string, int> run_child(const std::string& limit, const std::string& test_case) {
  std::array<char, 4096> path{};
  REQUIRE(readlink("/proc/self/exe", path.data(), path.size() - 1) > 0);
  std::string command =
      "TENON_MEMORY_LIMIT='" + limit + "' '" + path.data() + "' -tc='" + test_case + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string output;
  for (size_t n; (n = std::fread(path.data(), 1, path.size(), pipe)) > 0;) output.append(path.data(), n);
  return {output, pclose(pipe)};
}

}  // namespace

TEST_CASE("allocator: blocks are aligned, writable to the last byte, and do not overlap") {
  for (size_t bytes : {1, 63, 64, 65, 1000, 1024, 1025, 100000, 12345678}) {
    Block a(bytes), b(bytes);
    for (const Block* block : {&a, &b}) CHECK(reinterpret_cast<uintptr_t>(block->data) % 64 == 0);
    std::memset(a.data, 1, bytes);
    std::memset(b.data, 2, bytes);
    CHECK(static_cast<char*>(a.data)[bytes - 1] == 1);
    CHECK(static_cast<char*>(a.data)[0] == 1);
  }
}

TEST_CASE("allocator: counts current, peak and cached bytes; a freed block is used again") {
  const size_t before = memory_stats().current_bytes;
  reset_peak_memory();
  CHECK(memory_stats().peak_bytes == before);
  void* first = nullptr;
  {
    Block a(3 * kMegabyte);
    first = a.data;
    const size_t held = memory_stats().current_bytes - before;
    CHECK(held >= 3 * kMegabyte);
    CHECK(held <= 3 * kMegabyte * 9 / 8);  // a size class loses at most an eighth
    { Block b(2 * kMegabyte); }
    CHECK(memory_stats().current_bytes - before == held);
    CHECK(memory_stats().peak_bytes - before >= held + 2 * kMegabyte);
  }
  CHECK(memory_stats().current_bytes == before);
  if (!kCaches) {
    CHECK(memory_stats().cached_bytes == 0);
    return;
  }
  const uint64_t calls = memory_stats().system_calls;
  for (int i = 0; i < 10; ++i) {
    Block again(3 * kMegabyte - 100);  // of the same class
    CHECK(again.data == first);
  }
  CHECK(memory_stats().system_calls == calls);
  release_cached_memory(Device::cpu());
  CHECK(memory_stats().cached_bytes == 0);
  Block fresh(3 * kMegabyte);
  CHECK(memory_stats().system_calls == calls + 1);
}

TEST_CASE("allocator: past the limit an OutOfMemory names request and limit, and the process lives on") {
  release_cached_memory(Device::cpu());
  const size_t limit = memory_stats().current_bytes + 8 * kMegabyte;
  set_memory_limit(Device::cpu(), limit);
  std::string message;
  try {
    Tensor::zeros({1000, 1000, 1000});
  } catch (const OutOfMemory& error) {
    message = error.what();
  }
  CHECK(message.find("4000000000 bytes on cpu") != std::string::npos);
  CHECK(message.find("limit " + std::to_string(limit)) != std::string::npos);
  {
    // Cached blocks make room before anything is refused.
    { Block a(5 * kMegabyte); }
    Block b(6 * kMegabyte);
    CHECK_THROWS_AS(Block{4 * kMegabyte}, OutOfMemory);
    CHECK_NOTHROW(Block{kMegabyte});
  }
  CHECK_NOTHROW(Tensor::zeros({1000, 1000}));
  set_memory_limit(Device::cpu(), 0);
  CHECK_NOTHROW(Block{16 * kMegabyte});
}

TEST_CASE("allocator: more than the machine has is refused too") {
  CHECK_THROWS_AS(Tensor::empty({int64_t{1} << 45}), OutOfMemory);
  CHECK(Tensor::zeros({3}).numel() == 3);
}

TEST_CASE("allocator in a child: four megabytes") { CHECK(Tensor::zeros({1 << 20}).numel() == 1 << 20); }

TEST_CASE("allocator: TENON_MEMORY_LIMIT is obeyed, and refused when malformed") {
  const std::string child = "allocator in a child*";
  for (const char* limit : {"64M", "1G", "100000k", "67108864"}) {
    const auto child_run = run_child(limit, child);
    INFO(limit, ": ", child_run.first);
    CHECK(child_run.second == 0);
  }
  const auto limited = run_child("1M", child);
  INFO(limited.first);
  CHECK(limited.second != 0);
  CHECK(limited.first.find("exceed the limit") != std::string::npos);
  CHECK(limited.first.find("limit 1048576") != std::string::npos);
  for (const char* limit : {"", "12Q", "lots", "-5", " -5", "+5", "5MB", "5KM", "1.5G", "M",
                            "99999999999999999999", "99999999999999G"}) {
    const auto refused = run_child(limit, child);
    INFO("'", limit, "': ", refused.first);
    CHECK(refused.second != 0);
    CHECK(refused.first.find("TENON_MEMORY_LIMIT: expects a number of bytes") != std::string::npos);
    CHECK(refused.first.find(std::string("got '") + limit + "'") != std::string::npos);
  }
}
