// Fuzz target: .npz archives, stored and deflated. Deflate packs at most 1032 to 1, the bound for an archive
// that is refused after some of its members were read.
#include "data/npy.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  fuzz::attempt(
      size,
      [&] {
        size_t bytes = 0;
        for (const auto& [name, tensor] : read_npz(ByteSource::memory("fuzz", file)))
          bytes += static_cast<size_t>(tensor.numel()) * size_of(tensor.dtype());
        return bytes;
      },
      1032 * size);
  return 0;
}
