// PNG: our own walk over the chunks, which finds every lie about sizes and names its byte, then libpng for
// the pixels. Source: Portable Network Graphics (PNG) Specification, 2nd edition, W3C 2003.
#include <png.h>
#include <zlib.h>

#include <cstring>

#include "core/error.h"
#include "data/image_codecs.h"
#include "data/reader.h"

namespace tenon::detail {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";

struct Header {
  uint64_t width = 0, height = 0;
  uint64_t bits_per_pixel = 0;
  bool interlaced = false;
};

Header read_header(FileReader& in, const std::string& file) {
  Header header;
  header.width = in.big<uint32_t>("PNG width");
  header.height = in.big<uint32_t>("PNG height");
  const int depth = in.big<uint8_t>("PNG bit depth"), colour = in.big<uint8_t>("PNG colour type");
  const int compression = in.big<uint8_t>("PNG compression"), filter = in.big<uint8_t>("PNG filter");
  const int interlace = in.big<uint8_t>("PNG interlace");
  // Samples per pixel by colour type (table 11.1): grey, -, RGB, palette, grey + alpha, -, RGB + alpha.
  constexpr int kSamples[] = {1, 0, 3, 1, 2, 0, 4};
  const bool known_depth = depth == 1 || depth == 2 || depth == 4 || depth == 8 || depth == 16;
  if (colour > 6 || kSamples[colour] == 0 || !known_depth || compression != 0 || filter != 0 || interlace > 1)
    in.refuse("expected a PNG header, got bit depth ", depth, ", colour type ", colour, ", compression ",
              compression, ", filter ", filter, ", interlace ", interlace);
  check_image_size(file, header.width, header.height);
  header.bits_per_pixel = static_cast<uint64_t>(depth * kSamples[colour]);
  header.interlaced = interlace == 1;
  return header;
}

// Bytes of the unpacked picture: a filter byte and the pixels of each row; with Adam7, of seven smaller
// pictures.
uint64_t unpacked_bytes(const Header& header) {
  const auto picture = [&](uint64_t width, uint64_t height) {
    return width > 0 ? height * (1 + (width * header.bits_per_pixel + 7) / 8) : 0;
  };
  if (!header.interlaced) return picture(header.width, header.height);
  // First column and row of each pass, and its steps (section 8.2).
  constexpr uint64_t kPasses[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                      {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  uint64_t bytes = 0;
  for (const auto& [x, y, step_x, step_y] : kPasses)
    bytes += picture((header.width + step_x - 1 - x) / step_x, (header.height + step_y - 1 - y) / step_y);
  return bytes;
}

// Walks over all chunks; throws unless they are whole, sound, and hold the picture that the header declares.
void check_chunks(const std::string& file, std::string_view bytes) {
  const ByteSource source = ByteSource::memory(file, bytes);
  FileReader in = FileReader::window(source, 0, bytes.size());
  if (in.read_string(kSignature.size(), "PNG signature") != kSignature)
    in.refuse("expected a PNG signature before this byte");
  Header header;
  std::string packed, type;
  while (type != "IEND") {
    const uint64_t length = in.big<uint32_t>("length of a PNG chunk");
    const uint64_t begin = in.offset();
    type = in.read_string(4, "type of a PNG chunk");
    if ((begin == kSignature.size() + 4) != (type == "IHDR"))
      in.refuse("expected IHDR as the first chunk only, got ", type);
    in.require(length, 1, "PNG chunk");
    const auto* chunk = reinterpret_cast<const Bytef*>(bytes.data()) + begin;
    if (type == "IHDR") {
      if (length != 13) in.refuse("expected an IHDR chunk of 13 bytes, got ", length);
      header = read_header(in, file);
    } else {
      const std::string content = in.read_string(length, "PNG chunk");
      if (type == "IDAT") packed += content;
    }
    const auto crc = in.big<uint32_t>("CRC-32 of a PNG chunk");
    if (crc != crc32_z(0, chunk, length + 4))
      in.refuse("chunk ", type, " before this byte has a wrong CRC-32");
  }
  in.expect_end();
  const uint64_t unpacked =
      FileReader::deflated(ByteSource::memory(file + " (IDAT)", std::string_view(packed)), 0, packed.size(),
                           Packing::zlib)
          .remaining();
  if (unpacked != unpacked_bytes(header))
    in.refuse("expected IDAT chunks that unpack to ", unpacked_bytes(header), " bytes (", header.width, " x ",
              header.height, ", ", header.bits_per_pixel, " bits a pixel), got ", unpacked);
}

// libpng's state. Its errors jump out of it into the function below that called it; those hold nothing that
// has a destructor.
struct Decoder {
  std::string_view bytes;
  png_structp png = nullptr;
  png_infop info = nullptr;
  char message[160] = "";

  explicit Decoder(std::string_view input) : bytes(input) {
    png = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info = png ? png_create_info_struct(png) : nullptr;
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }

  [[noreturn]] static void on_error(png_structp png, png_const_charp text) {
    auto* self = static_cast<Decoder*>(png_get_error_ptr(png));
    std::strncpy(self->message, text, sizeof self->message - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}  // about chunks that we do not use
  static void on_read(png_structp png, png_bytep out, size_t count) {
    auto* self = static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > self->bytes.size()) png_error(png, "expected more bytes");
    std::memcpy(out, self->bytes.data(), count);
    self->bytes.remove_prefix(count);
  }
};

bool start(Decoder& decoder) {
  png_structp png = decoder.png;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_read_fn(png, &decoder, Decoder::on_read);
  png_set_chunk_malloc_max(png, 1 << 20);  // text and profiles, which we do not use
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
  png_read_info(png, decoder.info);
  png_set_scale_16(png);
  png_set_strip_alpha(png);
  if (png_get_color_type(png, decoder.info) == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (png_get_bit_depth(png, decoder.info) < 8) png_set_expand_gray_1_2_4_to_8(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, decoder.info);
  return true;
}

bool read_rows(Decoder& decoder, png_bytep* rows) {
  if (setjmp(png_jmpbuf(decoder.png))) return false;
  png_read_image(decoder.png, rows);
  png_read_end(decoder.png, nullptr);
  return true;
}

}  // namespace

Pixels decode_png(const std::string& file, std::string_view bytes) {
  check_chunks(file, bytes);
  Decoder decoder(bytes);
  TENON_CHECK(decoder.info, file, ": libpng cannot start");
  TENON_CHECK(start(decoder), file, ": broken PNG: ", static_cast<const char*>(decoder.message));
  Pixels pixels;
  pixels.height = png_get_image_height(decoder.png, decoder.info);
  pixels.width = png_get_image_width(decoder.png, decoder.info);
  pixels.channels = png_get_channels(decoder.png, decoder.info);
  const size_t row_bytes = png_get_rowbytes(decoder.png, decoder.info);
  TENON_CHECK((pixels.channels == 1 || pixels.channels == 3) &&
                  row_bytes == static_cast<size_t>(pixels.width * pixels.channels),
              file, ": expected a PNG of 1 or 3 channels, got ", pixels.channels);
  pixels.bytes.resize(static_cast<size_t>(pixels.height) * row_bytes);
  std::vector<png_bytep> rows(static_cast<size_t>(pixels.height));
  for (size_t y = 0; y < rows.size(); ++y) rows[y] = pixels.bytes.data() + y * row_bytes;
  TENON_CHECK(read_rows(decoder, rows.data()), file,
              ": broken PNG: ", static_cast<const char*>(decoder.message));
  return pixels;
}

}  // namespace tenon::detail
