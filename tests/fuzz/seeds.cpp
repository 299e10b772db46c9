// Writes the first inputs of every fuzz target: seeds FOLDER makes FOLDER/<target>/<number>.
#include <filesystem>
#include <vector>

#include "core/atomic_file.h"
#include "data/idx.h"
#include "data/image.h"
#include "data/npy.h"
#include "data/safetensors.h"
#include "tests/data/nasbench_files.h"
#include "tests/data/pictures.h"
#include "tests/temporary_folder.h"

using namespace tenon;
using namespace tenon::test;

namespace {

namespace fs = std::filesystem;

void write_all(const fs::path& folder, const std::vector<std::string>& inputs) {
  fs::create_directories(folder);
  for (size_t i = 0; i < inputs.size(); ++i) write_file_atomically(folder / std::to_string(i), inputs[i]);
}

std::string safetensors_bytes(const Safetensors& file) {
  TemporaryFolder folder;
  write_safetensors(folder.file("x"), file);
  FileReader in = FileReader::window(ByteSource::file(folder.file("x")), 0, fs::file_size(folder.file("x")));
  return in.read_string(in.remaining(), "all");
}

std::vector<std::string> pngs() {
  const std::string palette = png_chunk("PLTE", std::string("\x0a\x14\x1e\xff\0\x80", 6));
  const std::string adam7("\0\1\0\2\0\3\4", 7);  // the passes of 2 x 2 pixels
  return {encode_png(Tensor::arange(12, uint8).reshape({3, 2, 2})),
          encode_png(Tensor::full({40, 30}, 9, uint8)),
          png_file(3, 1, 1, 0, std::string("\0\xa0", 2)),
          png_file(2, 1, 16, 0, std::string("\0\xff\xff\x80\x80", 5)),
          png_file(2, 1, 1, 3, std::string("\0\x40", 2), palette),
          png_file(1, 1, 8, 6, std::string("\0\1\2\3\0", 5)),
          png_file(2, 2, 8, 0, adam7, "", 1)};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const fs::path folder = argv[1];
  const Tensor bytes = Tensor::arange(12, uint8), floats = Tensor::arange(6, float32);
  const std::string idx = encode_idx(bytes.reshape({2, 2, 3})), npy = encode_npy(floats.reshape({2, 3}));
  const std::string record = '\3' + std::string(3072, '\1');
  write_all(folder / "idx", {idx, encode_idx(floats), gzip(idx)});
  write_all(folder / "cifar", {record, '\2' + record, gzip(record + record)});
  write_all(folder / "npy",
            {npy, encode_npy(floats.reshape({2, 3}).t()), encode_npy(Tensor::scalar(1)), gzip(npy)});
  write_all(folder / "npz", {encode_npz({}), encode_npz({{"x", floats}, {"y", bytes}})});
  write_all(folder / "safetensors",
            {safetensors_bytes({{{"w", floats}, {"b", bytes}}, {{"format", "pt"}}}), safetensors_bytes({})});
  write_all(folder / "png", pngs());
  write_all(folder / "jpeg",
            {jpeg_file(9, 9, 1, smooth_pixels(9, 9, 1)), jpeg_file(17, 9, 3, smooth_pixels(17, 9, 3)),
             jpeg_file(17, 9, 3, smooth_pixels(17, 9, 3), true)});
  const std::string nul(1, '\0');
  write_all(folder / "planetoid", {"4 6 5\n0 3\n\n5\n1 2\n" + nul + "1\n0\n1\n2\n" + nul +
                                   "4 3\n0 1\n0 3\n2 3\n" + nul + "train 0 2\nval 3\ntest 1\n"});
  write_all(folder / "nasbench",
            {"p" + nasbench101_pickle({0.5, 0.25, 1}, 1), "p" + gzip(nasbench101_pickle({3, 2}, 3)),
             "c" + (kTwelveEpochs + nul) + kFull, std::string("m") + kMacro});
  write_all(folder / "json", {R"({"a":[1,-2.5e3,true,null,"\u00e4\n"],"b":{}})", "[]", "0"});
}
