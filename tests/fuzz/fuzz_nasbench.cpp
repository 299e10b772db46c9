// Fuzz target: the tables of trained architectures. The first byte chooses the format; the two files of NAS-Bench-201
// stand in one input, with a zero byte between them.
#include <algorithm>

#include "data/nasbench.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::text(data + 1, size - 1);
  const size_t unpacked = std::max(size, fuzz::unpacked_bytes(text));
  fuzz::attempt(
      size,
      [&]() -> size_t {
        if (data[0] == 'p') {
          FileReader in(ByteSource::memory("fuzz", text));
          read_nasbench101_column(in);
        } else if (data[0] == 'c') {
          const size_t first = std::min(text.find('\0'), text.size());
          FileReader twelve(ByteSource::memory("fuzz", text.substr(0, first)));
          FileReader full(ByteSource::memory("fuzz", text.substr(std::min(first + 1, text.size()))));
          read_nasbench201(twelve, full, Nasbench201Set::cifar10);
        } else {
          read_nasbench_macro(text, "fuzz");
        }
        return unpacked;
      },
      unpacked);
  return 0;
}
