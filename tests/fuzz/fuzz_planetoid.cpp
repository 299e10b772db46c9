// Fuzz target: the four files of a citation network, in one input, with zero bytes between them.
#include <algorithm>

#include "data/planetoid.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest = fuzz::text(data, size), files[4];
  for (std::string_view& file : files) {
    file = rest.substr(0, rest.find('\0'));
    rest = rest.substr(std::min(rest.size(), file.size() + 1));
  }
  // A number takes two bytes of text at least, and some 24 of memory while its list is checked.
  size_t unpacked = 0;
  for (std::string_view file : files) unpacked += 4 * std::max(file.size(), fuzz::unpacked_bytes(file));
  fuzz::attempt(
      size,
      [&] {
        FileReader features(ByteSource::memory("fuzz", files[0])),
            labels(ByteSource::memory("fuzz", files[1])), edges(ByteSource::memory("fuzz", files[2])),
            split(ByteSource::memory("fuzz", files[3]));
        read_planetoid(features, labels, edges, split);
        return unpacked;
      },
      unpacked);
  return 0;
}
