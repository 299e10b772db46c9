// Fuzz target: CIFAR-10 and CIFAR-100 batches, plain and gzip.
#include "data/cifar.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  const size_t unpacked = fuzz::unpacked_bytes(file);
  for (CifarKind kind : {CifarKind::cifar10, CifarKind::cifar100_fine}) {
    fuzz::attempt(
        size,
        [&] {
          FileReader in(ByteSource::memory("fuzz", file));
          read_cifar(in, kind);
          return unpacked;
        },
        unpacked);
  }
  return 0;
}
