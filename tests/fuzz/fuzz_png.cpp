// Fuzz target: PNG pictures. The mutator repairs the chunks' CRC-32 and packs IDAT anew half the time, or
// hardly a mutation would get past them.
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "data/image.h"
#include "tests/fuzz/fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file = fuzz::text(data, size);
  if (!file.starts_with("\x89PNG")) return 0;
  fuzz::attempt(size,
                [&] { return static_cast<size_t>(read_image(ByteSource::memory("fuzz", file)).numel()); });
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

uint32_t big32(const uint8_t* at) {
  return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | uint32_t{at[3]};
}
void put_big32(uint8_t* at, uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

// Mutates the unpacked rows of an IDAT chunk of `length` bytes in place, if they can be unpacked and fit
// again.
void mutate_rows(uint8_t* chunk, uint32_t length) {
  std::string rows(1 << 16, '\0');
  uLongf unpacked = rows.size();
  if (uncompress(reinterpret_cast<Bytef*>(rows.data()), &unpacked, chunk, length) != Z_OK) return;
  LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(rows.data()), unpacked, unpacked);
  std::string packed(compressBound(unpacked), '\0');
  uLongf size = packed.size();
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()),
            unpacked, 9);
  if (size == length) std::memcpy(chunk, packed.data(), size);
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned int seed) {
  const bool rows_only = seed % 2 == 0;
  if (!rows_only) size = LLVMFuzzerMutate(data, size, max_size);
  for (size_t at = 8; at + 12 <= size;) {
    const uint32_t length = big32(data + at);
    if (length > size - at - 12) break;
    if (rows_only && std::memcmp(data + at + 4, "IDAT", 4) == 0) mutate_rows(data + at + 8, length);
    put_big32(data + at + 8 + length, static_cast<uint32_t>(crc32(0, data + at + 4, length + 4)));
    at += 12 + length;
  }
  return size;
}
