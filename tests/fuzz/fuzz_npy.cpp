// Fuzz target: .npy, plain and gzip.
#include "data/npy.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  const size_t unpacked = fuzz::unpacked_bytes(file);
  fuzz::attempt(
      size,
      [&] {
        FileReader in(ByteSource::memory("fuzz", file));
        read_npy(in);
        return unpacked;
      },
      unpacked);
  return 0;
}
