// Fuzz target: safetensors.
#include "data/safetensors.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  fuzz::attempt(size, [&] {
    read_safetensors(ByteSource::memory("fuzz", file));
    return size_t{0};
  });
  return 0;
}
