// JPEG through libjpeg-turbo: its warnings are errors here, and its errors jump no further than this file.
// Source: ITU-T T.81 (1992).
#include <csetjmp>
#include <cstdio>
// jpeglib.h needs cstdio before it.
#include <jpeglib.h>

#include "core/error.h"
#include "data/image_codecs.h"

namespace tenon::detail {
namespace {

constexpr int kMaxScans = 100;  // encoders write about ten; each scan costs a pass over the whole picture

// libjpeg's state. Its errors jump into the function below that called it; those hold nothing that has a
// destructor.
struct Decoder {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX] = "";

  Decoder() {
    jpeg.err = jpeg_std_error(&errors);
    errors.error_exit = [](j_common_ptr common) { self(common)->leave(); };
    errors.emit_message = [](j_common_ptr common, int level) {
      if (level < 0) self(common)->leave();  // a warning: the data are damaged
    };
    progress.progress_monitor = [](j_common_ptr common) {
      Decoder* decoder = self(common);
      if (decoder->jpeg.input_scan_number <= kMaxScans) return;
      std::snprintf(decoder->message, sizeof decoder->message, "more than %d scans", kMaxScans);
      std::longjmp(decoder->jump, 1);
    };
    jpeg.client_data = this;
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }

  static Decoder* self(j_common_ptr common) { return static_cast<Decoder*>(common->client_data); }
  [[noreturn]] void leave() {
    errors.format_message(reinterpret_cast<j_common_ptr>(&jpeg), message);
    std::longjmp(jump, 1);
  }
};

bool read_header(Decoder& decoder, std::string_view bytes) {
  if (setjmp(decoder.jump)) return false;
  jpeg_create_decompress(&decoder.jpeg);
  decoder.jpeg.progress = &decoder.progress;
  jpeg_mem_src(&decoder.jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&decoder.jpeg, TRUE);
  return true;
}

bool start(Decoder& decoder) {
  if (setjmp(decoder.jump)) return false;
  jpeg_start_decompress(&decoder.jpeg);
  return true;
}

bool read_row(Decoder& decoder, uint8_t* row) {
  if (setjmp(decoder.jump)) return false;
  JSAMPROW rows[] = {row};
  return jpeg_read_scanlines(&decoder.jpeg, rows, 1) == 1;
}

bool finish(Decoder& decoder) {
  if (setjmp(decoder.jump)) return false;
  return jpeg_finish_decompress(&decoder.jpeg) == TRUE;
}

// Every block of 8 x 8 samples takes at least one bit (the Huffman code of its DC coefficient), so a file of
// n bytes holds no more than 8 n blocks. This bounds what libjpeg allocates for a progressive picture before
// it has read it.
void check_declared_size(const std::string& file, const jpeg_decompress_struct& jpeg, uint64_t file_bytes) {
  check_image_size(file, jpeg.image_width, jpeg.image_height);
  uint64_t blocks = 0;
  for (int i = 0; i < jpeg.num_components; ++i)
    blocks += uint64_t{jpeg.comp_info[i].width_in_blocks} * jpeg.comp_info[i].height_in_blocks;
  TENON_CHECK(blocks <= 8 * file_bytes, file, ": expected at least ", blocks / 8, " bytes for a JPEG of ",
              jpeg.image_width, " x ", jpeg.image_height, ", the file has ", file_bytes);
}

}  // namespace

Pixels decode_jpeg(const std::string& file, std::string_view bytes) {
  Decoder decoder;
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  const auto expect = [&](bool good) {
    TENON_CHECK(good, file, ": at about byte ", bytes.size() - (jpeg.src ? jpeg.src->bytes_in_buffer : 0),
                ": broken JPEG: ", static_cast<const char*>(decoder.message));
  };
  expect(read_header(decoder, bytes));
  check_declared_size(file, jpeg, bytes.size());
  TENON_CHECK(!jpeg.arith_code, file, ": expected a JPEG with Huffman coding, got arithmetic coding");
  TENON_CHECK(jpeg.jpeg_color_space == JCS_GRAYSCALE || jpeg.jpeg_color_space == JCS_YCbCr ||
                  jpeg.jpeg_color_space == JCS_RGB,
              file, ": expected a JPEG in grey, YCbCr or RGB, got ", jpeg.num_components, " components");
  const bool grey = jpeg.jpeg_color_space == JCS_GRAYSCALE;
  jpeg.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
  expect(start(decoder));
  Pixels pixels{jpeg.output_height, jpeg.output_width, grey ? 1 : 3, {}};
  // The buffer grows with the rows that were really there.
  const auto row_bytes = static_cast<size_t>(pixels.width * pixels.channels);
  for (int64_t y = 0; y < pixels.height; ++y) {
    pixels.bytes.resize(pixels.bytes.size() + row_bytes);
    expect(read_row(decoder, pixels.bytes.data() + pixels.bytes.size() - row_bytes));
  }
  expect(finish(decoder));
  TENON_CHECK(jpeg.src->bytes_in_buffer == 0, file, ": at byte ", bytes.size() - jpeg.src->bytes_in_buffer,
              ": expected the end of the file, ", jpeg.src->bytes_in_buffer, " more bytes follow");
  return pixels;
}

}  // namespace tenon::detail
