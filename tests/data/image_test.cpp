// PNG and JPEG: every colour type, round trips, resizing, image folders, and everything to be refused.
#include "data/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/atomic_file.h"
#include "data/image_folder.h"
#include "data/loader.h"
#include "tests/data/pictures.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

Tensor read(std::string_view bytes, Channels channels = Channels::as_stored) {
  return read_image(ByteSource::memory("t", bytes), channels);
}
const ReadBytes kRead = [](std::string_view bytes) { read(bytes); };

using Bytes = std::vector<uint8_t>;

}  // namespace

TEST_CASE("png: every colour type and depth") {
  const std::string palette = png_chunk("PLTE", std::string("\x0a\x14\x1e\xff\0\x80", 6));
  struct Case {
    const char* what;
    std::string file;
    Bytes expected;  // as stored, planes
  };
  const Case cases[] = {
      {"grey 8", png_file(2, 2, 8, 0, std::string("\0\1\2\0\3\4", 6)), {1, 2, 3, 4}},
      {"grey 1", png_file(3, 1, 1, 0, std::string("\0\xa0", 2)), {255, 0, 255}},
      {"grey 2", png_file(4, 1, 2, 0, std::string("\0\x1b", 2)), {0, 85, 170, 255}},
      {"grey 4", png_file(2, 1, 4, 0, std::string("\0\x1f", 2)), {17, 255}},
      {"grey 16", png_file(2, 1, 16, 0, std::string("\0\xff\xff\x80\x80", 5)), {255, 128}},
      {"rgb 8", png_file(2, 1, 8, 2, std::string("\0\1\2\3\4\5\6", 7)), {1, 4, 2, 5, 3, 6}},
      {"rgb 16", png_file(1, 1, 16, 2, std::string("\0\1\1\2\2\3\3", 7)), {1, 2, 3}},
      {"palette 8", png_file(2, 1, 8, 3, std::string("\0\1\0", 3), palette), {255, 10, 0, 20, 128, 30}},
      {"palette 1", png_file(2, 1, 1, 3, std::string("\0\x40", 2), palette), {10, 255, 20, 0, 30, 128}},
      {"grey + alpha", png_file(2, 1, 8, 4, std::string("\0\7\0\x08\xff", 5)), {7, 8}},
      {"rgb + alpha", png_file(1, 1, 8, 6, std::string("\0\1\2\3\0", 5)), {1, 2, 3}},
      {"filters sub and up", png_file(2, 2, 8, 0, std::string("\1\1\1\2\1\1", 6)), {1, 2, 2, 3}},
      {"transparent colour",
       png_file(2, 1, 8, 0, std::string("\0\1\2", 3), png_chunk("tRNS", std::string("\0\1", 2))),
       {1, 2}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.what);
    CHECK(read(c.file).to_vector<uint8_t>() == c.expected);
    check_strict(kRead, c.file);
  }
}

TEST_CASE("png: Adam7 interlacing") {
  // 5 x 5 pixels 1 to 25, sent in seven passes.
  constexpr int kPasses[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                 {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  std::string rows;
  for (const auto& [x0, y0, dx, dy] : kPasses)
    for (int y = y0; y < 5 && x0 < 5; y += dy) {
      rows += '\0';
      for (int x = x0; x < 5; x += dx) rows += static_cast<char>(5 * y + x + 1);
    }
  const std::string file = png_file(5, 5, 8, 0, rows, "", 1);
  Bytes expected(25);
  for (size_t i = 0; i < 25; ++i) expected[i] = static_cast<uint8_t>(i + 1);
  CHECK(read(file).to_vector<uint8_t>() == expected);
  check_strict(kRead, file);
  CHECK(contains(refusal(kRead, png_file(5, 5, 8, 0, rows.substr(1), "", 1)),
                 "expected IDAT chunks that unpack to"));
}

TEST_CASE("png: what the chunks lie about is named") {
  const std::string rows("\0\1\2\0\3\4", 6);
  const std::string good = png_file(2, 2, 8, 0, rows), signature = good.substr(0, 8);
  const std::string data = png_chunk("IDAT", zlib(rows)), end = png_chunk("IEND", "");
  CHECK(contains(refusal(kRead, png_file(2, 3, 8, 0, rows)),
                 "unpack to 9 bytes (2 x 3, 8 bits a pixel), got 6"));
  CHECK(contains(refusal(kRead, png_file(2, 1, 8, 0, rows)), "unpack to 3 bytes"));
  CHECK(
      contains(refusal(kRead, png_file(40000, 2, 8, 0, rows)), "sides of 1 to 32768 pixels, got 40000 x 2"));
  CHECK(contains(refusal(kRead, png_file(0, 2, 8, 0, rows)), "got 0 x 2"));
  CHECK(contains(refusal(kRead, png_file(2, 2, 8, 1, rows)), "colour type 1"));
  CHECK(contains(refusal(kRead, png_file(2, 2, 3, 0, rows)), "bit depth 3"));
  CHECK(contains(refusal(kRead, signature + data + end), "expected IHDR as the first chunk only, got IDAT"));
  CHECK(contains(refusal(kRead, signature + png_header(2, 2, 8, 0) + png_header(2, 2, 8, 0) + data + end),
                 "got IHDR"));
  CHECK(contains(refusal(kRead, signature + png_header(2, 2, 8, 0) + end), "IDAT"));
  CHECK(contains(refusal(kRead, png_file(2, 1, 8, 3, std::string(3, '\0'))), "broken PNG"));  // no palette
  CHECK(contains(refusal(kRead, png_file(2, 2, 16, 3, std::string(10, '\0'))), "broken PNG"));
  CHECK(contains(refusal(kRead, png_file(2, 2, 8, 0, std::string("\x09\1\2\0\3\4", 6))),
                 "broken PNG"));  // filter 9
  for (size_t i = 8; i < good.size(); ++i) {
    CAPTURE(i);
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ 4);
    refusal(kRead, bytes);
  }
}

TEST_CASE("png: a forged size costs no memory") {
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  refusal(kRead, png_file(32768, 32768, 16, 6, std::string(1000, '\0')));
  refusal(kRead, png_file(32768, 32768, 16, 6, std::string(1000, '\0'), "", 1));
  CHECK(memory_stats().peak_bytes == before);
}

TEST_CASE("png: what is written is read back") {
  const Tensor grey = Tensor::from(Bytes{0, 1, 2, 253, 254, 255}, {2, 3});
  CHECK(read(encode_png(grey)).to_vector<uint8_t>() == grey.to_vector<uint8_t>());
  const Tensor rgb = Tensor::from(smooth_pixels(5, 4, 3), {3, 4, 5});
  CHECK(read(encode_png(rgb)).to_vector<uint8_t>() == rgb.to_vector<uint8_t>());
  CHECK(read(encode_png(rgb.transpose(1, 2))).shape() == Shape{3, 5, 4});
  CHECK_THROWS_AS(encode_png(Tensor::zeros({2, 2, 2}, uint8)), Error);
  CHECK_THROWS_AS(encode_png(Tensor::zeros({0, 2}, uint8)), Error);
  CHECK_THROWS_AS(encode_png(Tensor::zeros({2, 2})), Error);
}

TEST_CASE("jpeg: grey and colour, baseline and progressive") {
  for (bool progressive : {false, true})
    for (int channels : {1, 3}) {
      CAPTURE(progressive);
      CAPTURE(channels);
      const Bytes pixels = smooth_pixels(19, 11, channels);
      const std::string file = jpeg_file(19, 11, channels, pixels, progressive);
      const Tensor image = read(file);
      REQUIRE(image.shape() == Shape{channels, 11, 19});
      const Bytes got = image.permute({1, 2, 0}).to_vector<uint8_t>();
      double worst = 0;
      for (size_t i = 0; i < got.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(got[i]) - pixels[i]));
      CHECK(worst <= 12);  // the colours lie on a plane, but chroma is halved in size and all is quantised
      check_strict(kRead, file);
    }
}

TEST_CASE("jpeg: what cannot be or should not be decoded is refused") {
  const std::string good = jpeg_file(16, 16, 3, smooth_pixels(16, 16, 3));
  CHECK(contains(refusal(kRead, jpeg_file(16, 16, 4, smooth_pixels(16, 16, 4))), "got 4 components"));
  CHECK(contains(refusal(kRead, ""), "t: at byte 0: expected a PNG or JPEG picture"));
  CHECK(contains(refusal(kRead, "GIF89a"), "expected a PNG or JPEG picture"));
  CHECK(contains(refusal(kRead, "\xff\xd8\xff\xd9"), "broken JPEG"));
  // Height and width in the frame header (SOF0: ff c0, length, precision, height, width).
  const size_t frame = good.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  std::string forged = good;
  forged.replace(frame + 5, 4, "\x7f\xff\x7f\xff");
  reset_peak_memory();
  const size_t before = memory_stats().peak_bytes;
  CHECK(contains(refusal(kRead, forged), "bytes for a JPEG of 32767 x 32767"));
  forged.replace(frame + 5, 4, "\xff\xff\xff\xff");
  refusal(kRead, forged);
  forged.replace(frame + 5, 4, std::string("\0\0\0\x10", 4));
  refusal(kRead, forged);
  CHECK(memory_stats().peak_bytes == before);
  std::string damaged = good;
  for (size_t i = damaged.size() - 40; i < damaged.size() - 30; ++i) damaged[i] = '\xff';
  refusal(kRead, damaged);
}

TEST_CASE("image: grey becomes RGB and RGB grey") {
  const std::string grey = encode_png(Tensor::from(Bytes{7, 8}, {1, 2}));
  CHECK(read(grey, Channels::rgb).to_vector<uint8_t>() == Bytes{7, 8, 7, 8, 7, 8});
  const std::string rgb =
      encode_png(Tensor::from(Bytes{255, 0, 0, 200, 255, 0, 0, 200, 255, 0, 255, 200}, {3, 1, 4}));
  CHECK(read(rgb, Channels::grey).to_vector<uint8_t>() == Bytes{255, 0, 29, 200});
}

TEST_CASE("image: resizing") {
  const Tensor ramp = Tensor::from(Bytes{0, 100, 200, 40}, {1, 1, 4});
  CHECK(resize_image(ramp, 1, 4).to_vector<uint8_t>() == ramp.to_vector<uint8_t>());
  // Halving: weights 1/8, 3/8, 3/8, 1/8 inside, cut and scaled to sum 1 at the border: 3/7, 3/7, 1/7.
  CHECK(resize_image(ramp, 1, 2).to_vector<uint8_t>() == Bytes{71, 117});
  // Doubling: neighbours in the ratio 3 : 1.
  CHECK(resize_image(ramp, 1, 8).to_vector<uint8_t>() == Bytes{0, 25, 75, 125, 175, 160, 80, 40});
  CHECK(resize_image(ramp.transpose(1, 2), 8, 1).to_vector<uint8_t>() ==
        Bytes{0, 25, 75, 125, 175, 160, 80, 40});
  const Tensor flat = Tensor::full({3, 7, 5}, 131, uint8);
  for (uint8_t pixel : resize_image(flat, 16, 3).to_vector<uint8_t>()) CHECK(pixel == 131);
  CHECK_THROWS_AS(resize_image(flat, 0, 3), Error);
  CHECK_THROWS_AS(resize_image(flat.to(float32), 3, 3), Error);
}

TEST_CASE("image folder: classes, order, decoding, and a loader over it") {
  TemporaryFolder folder;
  const auto put = [&](const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories(std::filesystem::path(folder.file(name)).parent_path());
    write_file_atomically(folder.file(name), bytes);
  };
  const auto picture = [](uint8_t value) { return encode_png(Tensor::full({1, 2, 3}, value, uint8)); };
  put("dog/b.png", picture(2));
  put("dog/a.PNG", picture(1));
  put("cat/c.jpg", jpeg_file(3, 2, 1, Bytes(6, 3)));
  put("cat/notes.txt", "not a picture");
  put("cat/.hidden.png", "not a picture");
  put(".git/x.png", "not a picture");
  ImageFolderOptions options;
  options.channels = Channels::grey;
  auto source = std::make_shared<ImageFolder>(folder.path().string(), options);
  CHECK(source->class_names() == std::vector<std::string>{"cat", "dog"});
  CHECK(source->size() == 3);
  CHECK(source->image_shape() == Shape{1, 2, 3});
  LoaderOptions loading;
  loading.batch_size = 3;
  Batch batch;
  DataLoader(source, loading).next(batch);
  CHECK(batch.labels.to_vector<int64_t>() == std::vector<int64_t>{0, 1, 1});
  CHECK(batch.images.select(0, 1).to_vector<float>() == std::vector<float>(6, 1.0F / 255.0F));
  CHECK(batch.images.select(0, 2).to_vector<float>() == std::vector<float>(6, 2.0F / 255.0F));

  put("dog/c.png", encode_png(Tensor::zeros({4, 4}, uint8)));
  put("dog/d.png", picture(1).substr(0, 40));
  auto uneven = std::make_shared<ImageFolder>(folder.path().string(), options);
  std::vector<float> pixels(100);
  CHECK_THROWS_WITH_AS(uneven->read(3, pixels.data()), doctest::Contains("expected a picture [1, 2, 3] like"),
                       Error);
  CHECK_THROWS_WITH_AS(uneven->read(4, pixels.data()), doctest::Contains("d.png: at byte"), Error);
  options.height = options.width = 2;
  CHECK(ImageFolder(folder.path().string(), options).read(3, pixels.data()) == 1);

  CHECK_THROWS_WITH_AS(ImageFolder(folder.file("none"), options), doctest::Contains("No such file"), Error);
  CHECK_THROWS_WITH_AS(ImageFolder(folder.file("cat"), options),
                       doctest::Contains("subfolder for each class"), Error);
  std::filesystem::create_directory(folder.file("empty"));
  CHECK_THROWS_WITH_AS(ImageFolder(folder.path().string(), options),
                       doctest::Contains("empty: expected pictures"), Error);
  options.width = 0;
  CHECK_THROWS_AS(ImageFolder(folder.path().string(), options), Error);
}
