// Tables of the known sets, the search for their folders, and the checks on what was read.
#include "data/datasets.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "data/cifar.h"
#include "data/folders.h"
#include "data/idx.h"
#include "data/reader.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

// ---- what is known of the sets ------------------------------------------------------------------

struct Known {
  const char* name;
  const char* folder;
  const char* debian_folder;  // or nullptr
  const char* probe;          // a file (or the same with .gz) by which a folder is known to hold the set
  const char* how_to_get;
  std::array<const char*, 10> classes;
};

constexpr Known kSets[] = {
    {"fashion_mnist",
     "fashion-mnist",
     "/usr/share/datasets/fashion-mnist",
     "t10k-labels-idx1-ubyte",
     "install Debian's package (apt install dataset-fashion-mnist), or run `make data`",
     {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
      "Ankle boot"}},
    {"mnist",
     "mnist",
     nullptr,
     "t10k-labels-idx1-ubyte",
     "run `make data`",
     {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}},
    {"cifar10",
     "cifar10",
     nullptr,
     "test_batch.bin",
     "run `make data`",
     {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}},
};

using ClassCounts = std::array<int64_t, 10>;
constexpr ClassCounts even(int64_t count) {
  ClassCounts counts{};
  counts.fill(count);
  return counts;
}

// One IDX part: how many images of each class, and the CRC-32 of the unpacked files. The checksums were taken
// from files whose md5 are the published ones, which data/fetch.sh lists; CRC-32 finds every accident, and
// zlib has it.
struct IdxPart {
  const char* name;
  Part part;
  const char* stem;
  ClassCounts counts;
  uint32_t images_crc;
  uint32_t labels_crc;
};

constexpr IdxPart kIdxParts[] = {
    {"mnist",
     Part::train,
     "train",
     {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949},
     0xe9f4d8b3,
     0xe0cb4ad2},
    {"mnist",
     Part::test,
     "t10k",
     {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009},
     0x91373bdf,
     0x4ab9eff9},
    {"fashion_mnist", Part::train, "train", even(6000), 0xb4f29f28, 0x741a4657},
    {"fashion_mnist", Part::test, "t10k", even(1000), 0x678fe0b1, 0x80142c1f},
};

// ---- where they are -----------------------------------------------------------------------------

const Known& known_set(const std::string& name) {
  for (const Known& known : kSets)
    if (name == known.name) return known;
  std::string names;
  for (const Known& known : kSets) names += (names.empty() ? "" : ", ") + std::string(known.name);
  fail("load_dataset: expected one of ", names, ", got '", name, "'");
}

std::vector<fs::path> places(const Known& known) {
  std::vector<fs::path> found = data_folders(known.folder);
  if (known.debian_folder) found.emplace_back(known.debian_folder);
  return found;
}

std::string require_file(const fs::path& folder, const std::string& file, const Known& known) {
  const auto path = find_file(folder, file);
  TENON_CHECK(path, "load_dataset: expected ", known.name, " file ", (folder / file).string(),
              " or the same with .gz, there is neither; ", known.how_to_get);
  return *path;
}

fs::path folder_of(const Known& known) {
  std::string tried;
  for (const fs::path& place : places(known)) {
    if (find_file(place, known.probe)) return place;
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail("load_dataset: ", known.name, " is not on this machine: expected ", known.probe,
       " (or .gz) in one of ", tried, "; ", known.how_to_get, ", or set TENON_DATA to a folder that holds ",
       known.folder, "/");
}

// ---- reading and checking -----------------------------------------------------------------------

void check_classes(const std::string& where, const Tensor& labels, const ClassCounts& expected) {
  ClassCounts counts{};
  for (int64_t label : labels.to_vector<int64_t>()) {
    TENON_CHECK(0 <= label && label < 10, where, ": expected labels 0 to 9, got ", label);
    ++counts[static_cast<size_t>(label)];
  }
  for (size_t i = 0; i < counts.size(); ++i)
    TENON_CHECK(counts[i] == expected[i], where, ": expected ", expected[i], " images of class ", i, ", got ",
                counts[i]);
}

Tensor read_checked_idx(const fs::path& folder, const std::string& file, const Shape& shape, uint32_t crc,
                        const Known& known) {
  const std::string path = require_file(folder, file, known);
  FileReader in(path);
  Tensor tensor = read_idx(in);
  TENON_CHECK(tensor.dtype() == uint8 && tensor.shape() == shape, path, ": expected uint8 ", shape, ", got ",
              tensor);
  TENON_CHECK(in.checksum() == crc, path, ": expected the published ", known.name,
              " file, whose unpacked CRC-32 is ", crc, ", got ", in.checksum());
  return tensor;
}

void load_idx_part(const Known& known, const fs::path& folder, Part part, Dataset& set) {
  const IdxPart& facts = *std::find_if(std::begin(kIdxParts), std::end(kIdxParts), [&](const IdxPart& row) {
    return std::string(row.name) == known.name && row.part == part;
  });
  int64_t count = 0;
  for (int64_t of_class : facts.counts) count += of_class;
  const std::string stem = facts.stem;
  set.images = read_checked_idx(folder, stem + "-images-idx3-ubyte", {count, 28, 28}, facts.images_crc, known)
                   .unsqueeze(1);
  set.labels =
      read_checked_idx(folder, stem + "-labels-idx1-ubyte", {count}, facts.labels_crc, known).to(int64);
  check_classes(folder.string(), set.labels, facts.counts);
  set.origin = "the published files (CRC-32 checked)";
}

// The published files' checksums are known only for the whole archive, which `make data` checks before it
// writes ORIGIN; any other folder is a copy of which nothing but its own ORIGIN is known.
std::string read_origin(const fs::path& folder) {
  const fs::path path = folder / "ORIGIN";
  if (!fs::exists(path)) return "a copy of unknown origin (no file ORIGIN beside it)";
  FileReader in(path.string());
  const std::string text = in.read_string(std::min<uint64_t>(in.remaining(), 1000), "origin");
  return text.substr(0, text.find('\n'));
}

void load_cifar10_part(const Known& known, const fs::path& folder, Part part, Dataset& set) {
  std::vector<std::string> files{"test_batch.bin"};
  if (part == Part::train) {
    files.clear();
    for (int i = 1; i <= 5; ++i) files.push_back("data_batch_" + std::to_string(i) + ".bin");
  }
  const int64_t batch_size = 10000;
  const auto count = static_cast<int64_t>(files.size()) * batch_size;
  set.images = Tensor::empty({count, 3, 32, 32}, uint8);
  set.labels = Tensor::empty({count}, int64);
  int64_t begin = 0;
  for (const std::string& file : files) {
    const std::string path = require_file(folder, file, known);
    const CifarBatch batch = read_cifar(path, CifarKind::cifar10);
    TENON_CHECK(batch.labels.numel() == batch_size, path, ": expected ", batch_size, " records, got ",
                batch.labels.numel());
    set.images.narrow(0, begin, batch_size).copy_(batch.images);
    set.labels.narrow(0, begin, batch_size).copy_(batch.labels);
    begin += batch_size;
  }
  check_classes(folder.string(), set.labels, even(count / 10));
  set.origin = read_origin(folder);
}

}  // namespace

const std::vector<std::string>& dataset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Known& known : kSets) list.push_back(known.name);
    return list;
  }();
  return names;
}

Dataset load_dataset(const std::string& name, Part part) {
  const Known& known = known_set(name);
  const fs::path folder = folder_of(known);
  Dataset set;
  set.name = name;
  set.source = folder.string();
  set.class_names.assign(known.classes.begin(), known.classes.end());
  if (name == "cifar10") {
    load_cifar10_part(known, folder, part, set);
  } else {
    load_idx_part(known, folder, part, set);
  }
  return set;
}

}  // namespace tenon
