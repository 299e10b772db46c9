// Packed bytes, for the tests and the fuzz targets of data/.
#pragma once

#include <zlib.h>

#include <string>
#include <string_view>

#include "core/error.h"

namespace tenon::test {

/// Packs with zlib; `window_bits` as deflateInit2 takes them.
inline std::string pack(std::string_view bytes, int window_bits) {
  z_stream stream{};
  TENON_CHECK(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK, "zlib");
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  TENON_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}
inline std::string gzip(std::string_view bytes) { return pack(bytes, 15 + 16); }
inline std::string zlib(std::string_view bytes) { return pack(bytes, 15); }
inline std::string raw_deflate(std::string_view bytes) { return pack(bytes, -15); }

}  // namespace tenon::test
