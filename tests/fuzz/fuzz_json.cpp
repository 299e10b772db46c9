// Fuzz target: JSON texts; what was read is written and must read back equal.
#include "core/json.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  fuzz::attempt(size, [&] {
    const Json value = Json::parse(file, "fuzz");
    if (!(Json::parse(value.dump(), "fuzz again") == value)) std::abort();
    return size_t{0};
  });
  return 0;
}
