// The named data sets: the real files where this machine has them, and the errors where they are not or are
// wrong.
#include "data/datasets.h"

#include <cmath>
#include <cstdlib>

#include "core/atomic_file.h"
#include "data/cifar.h"
#include "data/idx.h"
#include "tests/data/support.h"

using namespace tenon;
using namespace tenon::test;

namespace {

/// Sets an environment variable and puts it back.
class WithVariable {
 public:
  WithVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old, had_ = true;
    setenv(name, value.c_str(), 1);
  }
  ~WithVariable() {
    if (had_) {
      setenv(name_, old_.c_str(), 1);
    } else {
      unsetenv(name_);
    }
  }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

// Mean and standard deviation over all pixels, in [0, 1].
std::pair<double, double> moments(const Tensor& images) {
  double sum = 0, squares = 0;
  const auto* pixels = images.data<uint8_t>();
  for (int64_t i = 0; i < images.numel(); ++i) {
    sum += pixels[i];
    squares += static_cast<double>(pixels[i]) * pixels[i];
  }
  const auto n = static_cast<double>(images.numel());
  return {sum / n / 255, std::sqrt(squares / n - sum / n * (sum / n)) / 255};
}

// Loads a set, or says visibly that this machine has it not.
bool load_if_there(const char* name, Part part, Dataset& set) {
  try {
    set = load_dataset(name, part);
    return true;
  } catch (const Error& error) {
    if (!contains(error.what(), "is not on this machine")) throw;
    MESSAGE("NOT TESTED, the data are missing: ", std::string(error.what()));
    return false;
  }
}

}  // namespace

TEST_CASE("datasets: MNIST, the real files") {
  Dataset train, test;
  if (!load_if_there("mnist", Part::train, train)) return;
  REQUIRE(load_if_there("mnist", Part::test, test));
  CHECK(train.images.shape() == Shape{60000, 1, 28, 28});
  CHECK(train.labels.dtype() == int64);
  CHECK(test.images.shape() == Shape{10000, 1, 28, 28});
  CHECK(train.labels.narrow(0, 0, 5).to_vector<int64_t>() == std::vector<int64_t>{5, 0, 4, 1, 9});
  const auto [mean, deviation] = moments(train.images);
  CHECK(mean == doctest::Approx(0.1307).epsilon(0.0005));
  CHECK(deviation == doctest::Approx(0.3081).epsilon(0.0005));
  CHECK(train.class_names[7] == "7");
  CHECK(train.origin == "the published files (CRC-32 checked)");
}

TEST_CASE("datasets: Fashion-MNIST, the real files") {
  Dataset train, test;
  if (!load_if_there("fashion_mnist", Part::train, train)) return;
  REQUIRE(load_if_there("fashion_mnist", Part::test, test));
  CHECK(train.images.shape() == Shape{60000, 1, 28, 28});
  CHECK(test.images.shape() == Shape{10000, 1, 28, 28});
  const auto [mean, deviation] = moments(train.images);
  CHECK(mean == doctest::Approx(0.2860).epsilon(0.0005));
  CHECK(deviation == doctest::Approx(0.3530).epsilon(0.0005));
  CHECK(train.class_names[9] == "Ankle boot");
  CHECK(train.name == "fashion_mnist");
}

TEST_CASE("datasets: CIFAR-10, the real files") {
  Dataset train, test;
  if (!load_if_there("cifar10", Part::train, train)) return;
  REQUIRE(load_if_there("cifar10", Part::test, test));
  CHECK(train.images.shape() == Shape{50000, 3, 32, 32});
  CHECK(test.images.shape() == Shape{10000, 3, 32, 32});
  CHECK(!train.origin.empty());
}

TEST_CASE("datasets: what is missing is named, with the way to get it") {
  TemporaryFolder empty;
  const WithVariable data("TENON_DATA", empty.file("data")), cache("TENON_CACHE", empty.file("cache"));
  CHECK_THROWS_WITH_AS(load_dataset("imagenet", Part::train),
                       "load_dataset: expected one of fashion_mnist, mnist, cifar10, got 'imagenet'", Error);
  CHECK_THROWS_WITH_AS(load_dataset("mnist", Part::train),
                       doctest::Contains("run `make data`, or set TENON_DATA"), Error);
  CHECK_THROWS_WITH_AS(load_dataset("mnist", Part::train),
                       doctest::Contains(empty.file("cache/mnist").c_str()), Error);
  CHECK_THROWS_WITH_AS(load_dataset("cifar10", Part::test),
                       doctest::Contains("cifar10 is not on this machine"), Error);
}

TEST_CASE("datasets: a folder with other files under a set's name is refused") {
  TemporaryFolder folder;
  const WithVariable data("TENON_DATA", folder.path().string());
  std::filesystem::create_directory(folder.file("mnist"));
  const std::string images = folder.file("mnist/t10k-images-idx3-ubyte");
  const std::string labels = folder.file("mnist/t10k-labels-idx1-ubyte");
  write_file_atomically(labels, encode_idx(Tensor::zeros({10000}, uint8)));
  CHECK_THROWS_WITH_AS(load_dataset("mnist", Part::test), doctest::Contains("there is neither"), Error);
  write_file_atomically(images, encode_idx(Tensor::zeros({10, 28, 28}, uint8)));
  CHECK_THROWS_WITH_AS(load_dataset("mnist", Part::test),
                       doctest::Contains("expected uint8 [10000, 28, 28], got uint8 [10, 28, 28]"), Error);
  write_file_atomically(images, encode_idx(Tensor::zeros({10000, 28, 28}, uint8)));
  CHECK_THROWS_WITH_AS(load_dataset("mnist", Part::test),
                       doctest::Contains("expected the published mnist file"), Error);
}

TEST_CASE("datasets: CIFAR-10 from a folder, its counts and its ORIGIN") {
  TemporaryFolder folder;
  const WithVariable data("TENON_DATA", folder.path().string());
  std::filesystem::create_directory(folder.file("cifar10"));
  std::string batch;
  for (int i = 0; i < 10000; ++i)
    batch += static_cast<char>(i % 10) + std::string(3072, static_cast<char>(i));
  write_file_atomically(folder.file("cifar10/test_batch.bin"), batch);
  const Dataset test = load_dataset("cifar10", Part::test);
  CHECK(test.images.shape() == Shape{10000, 3, 32, 32});
  CHECK(test.labels.narrow(0, 0, 3).to_vector<int64_t>() == std::vector<int64_t>{0, 1, 2});
  CHECK(test.origin == "a copy of unknown origin (no file ORIGIN beside it)");
  write_file_atomically(folder.file("cifar10/ORIGIN"), "JPEG copy of CIFAR-10\nmore\n");
  CHECK(load_dataset("cifar10", Part::test).origin == "JPEG copy of CIFAR-10");
  CHECK_THROWS_WITH_AS(load_dataset("cifar10", Part::train), doctest::Contains("data_batch_1.bin"), Error);
  batch[0] = 1;
  write_file_atomically(folder.file("cifar10/test_batch.bin"), batch);
  CHECK_THROWS_WITH_AS(load_dataset("cifar10", Part::test),
                       doctest::Contains("expected 1000 images of class 0, got 999"), Error);
}

TEST_CASE("cifar: records, truncations and labels") {
  const auto read = [](CifarKind kind) {
    return [kind](std::string_view bytes) {
      FileReader in(ByteSource::memory("t", bytes));
      read_cifar(in, kind);
    };
  };
  const std::string pixels = std::string(1024, '\1') + std::string(1024, '\2') + std::string(1024, '\3');
  const std::string one = '\x09' + pixels, hundred = '\x13' + ('\x63' + pixels);
  const std::string two = one + one;
  FileReader in(ByteSource::memory("t", two));
  const CifarBatch batch = read_cifar(in, CifarKind::cifar10);
  CHECK(batch.images.shape() == Shape{2, 3, 32, 32});
  CHECK(batch.images.select(0, 1).select(1, 31).select(1, 31).to_vector<uint8_t>() ==
        std::vector<uint8_t>{1, 2, 3});
  CHECK(batch.labels.to_vector<int64_t>() == std::vector<int64_t>{9, 9});
  FileReader fine(ByteSource::memory("t", hundred)), coarse(ByteSource::memory("t", hundred));
  CHECK(read_cifar(fine, CifarKind::cifar100_fine).labels.item() == 99);
  CHECK(read_cifar(coarse, CifarKind::cifar100_coarse).labels.item() == 19);

  for (size_t length : {size_t{0}, size_t{1}, size_t{3072}, size_t{3074}, size_t{6145}})
    CHECK(contains(refusal(read(CifarKind::cifar10), two.substr(0, length)),
                   "expected one or more CIFAR records"));
  CHECK(contains(refusal(read(CifarKind::cifar10), two + "x"), "the file holds 6147 bytes"));
  CHECK(refusal(read(CifarKind::cifar10), one + '\x0a' + pixels) ==
        "t: at byte 3074: expected a CIFAR-10 label below 10 in the byte before this, got 10");
  CHECK(contains(refusal(read(CifarKind::cifar100_fine), '\x14' + ('\0' + pixels)), "coarse label below 20"));
  CHECK(contains(refusal(read(CifarKind::cifar100_fine), '\0' + ('\x64' + pixels)), "fine label below 100"));
}
