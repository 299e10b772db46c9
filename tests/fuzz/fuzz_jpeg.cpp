// Fuzz target: JPEG pictures (whatever begins like one).
#include "data/image.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  if (!file.starts_with("\xff\xd8")) return 0;
  fuzz::attempt(size,
                [&] { return static_cast<size_t>(read_image(ByteSource::memory("fuzz", file)).numel()); });
  return 0;
}
