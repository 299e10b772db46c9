// IDX: header 00 00 <type> <rank>, then `rank` big-endian uint32 extents, then the elements, big-endian,
// row-major.
#include "data/idx.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace tenon {
namespace {

struct IdxType {
  uint8_t code;
  DType dtype;
};
constexpr IdxType kTypes[] = {{0x08, uint8}, {0x0C, int32}, {0x0D, float32}, {0x0E, float64}};

// Turns each element between the file's order of bytes and the machine's.
static_assert(std::endian::native == std::endian::little);
void reverse_elements(char* bytes, int64_t count, size_t item_bytes) {
  if (item_bytes == 1) return;
  for (int64_t i = 0; i < count; ++i, bytes += item_bytes) std::reverse(bytes, bytes + item_bytes);
}

void append_big(std::string& out, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

}  // namespace

Tensor read_idx(const std::string& path) {
  FileReader in(path);
  return read_idx(in);
}

Tensor read_idx(FileReader& in) {
  const auto magic = in.big<uint32_t>("IDX magic number");
  const uint32_t code = (magic >> 8) & 255;
  const uint32_t rank = magic & 255;
  const auto* type =
      std::find_if(std::begin(kTypes), std::end(kTypes), [&](IdxType t) { return t.code == code; });
  if (magic >> 16 != 0)
    in.refuse("expected an IDX file, which begins with two zero bytes, got ", magic >> 16);
  if (type == std::end(kTypes))
    in.refuse("expected IDX type 8 (uint8), 12 (int32), 13 (float32) or 14 (float64), got ", code);
  if (rank < 1 || rank > kMaxRank) in.refuse("expected an IDX file of 1 to ", kMaxRank, " axes, got ", rank);

  Shape shape;
  for (uint32_t i = 0; i < rank; ++i) shape.push_back(in.big<uint32_t>("extent of an IDX axis"));
  Tensor tensor = in.read_tensor(shape, type->dtype, "IDX elements");
  in.expect_end();
  reverse_elements(static_cast<char*>(tensor.raw()), tensor.numel(), size_of(type->dtype));
  return tensor;
}

std::string encode_idx(const Tensor& tensor) {
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [&](IdxType t) { return t.dtype == tensor.dtype(); });
  TENON_CHECK(type != std::end(kTypes), "encode_idx: expects uint8, int32, float32 or float64, got ",
              tensor.dtype());
  TENON_CHECK(tensor.rank() >= 1, "encode_idx: expects 1 to ", kMaxRank, " axes, got ", tensor.shape());
  std::string out;
  append_big(out, static_cast<uint32_t>(type->code) << 8 | static_cast<uint32_t>(tensor.rank()));
  for (int64_t extent : tensor.shape()) {
    TENON_CHECK(extent <= std::numeric_limits<uint32_t>::max(), "encode_idx: an extent of ", tensor.shape(),
                " does not fit 32 bits");
    append_big(out, static_cast<uint32_t>(extent));
  }
  const size_t header = out.size();
  const Tensor elements = tensor.contiguous();
  const size_t item_bytes = size_of(tensor.dtype());
  out.append(static_cast<const char*>(elements.raw()), static_cast<size_t>(tensor.numel()) * item_bytes);
  reverse_elements(out.data() + header, tensor.numel(), item_bytes);
  return out;
}

}  // namespace tenon
