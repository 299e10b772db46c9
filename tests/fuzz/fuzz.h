// What the fuzz targets share. A target hands libFuzzer's bytes to one reader; the reader may throw Error and
// nothing else, and may take no more tensor memory than 4 times what the file really holds, and a constant.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "core/allocator.h"
#include "core/error.h"
#include "data/reader.h"

namespace tenon::fuzz {

/// Calls `read`, which returns the bytes that the file held unpacked (or 0 if that is not more than the
/// input).
template <class Read>
void attempt(size_t input_bytes, Read&& read, size_t honest_if_refused = 0) {
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  size_t honest = input_bytes;
  try {
    honest = std::max<size_t>(honest, read());
  } catch (const Error&) {
    honest = std::max(honest, honest_if_refused);
  }
  const size_t peak = memory_stats().peak_bytes - before;
  if (peak > 4 * honest + 4096) {
    std::fprintf(stderr, "fuzz: %zu bytes of tensors for a file of %zu bytes that holds %zu\n", peak,
                 input_bytes, honest);
    std::abort();
  }
}

inline std::string_view text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Unpacked bytes of a file that may be gzip; 0 if it is damaged.
inline size_t unpacked_bytes(std::string_view file) {
  try {
    return FileReader(ByteSource::memory("fuzz", file)).remaining();
  } catch (const Error&) {
    return 0;
  }
}

}  // namespace tenon::fuzz
