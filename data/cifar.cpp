// Records are read one by one straight into the batch tensor; the count follows from the size of the file.
#include "data/cifar.h"

namespace tenon {
namespace {

constexpr int64_t kSide = 32;
constexpr uint64_t kPixelBytes = 3 * kSide * kSide;

// Reads the label bytes of one record and returns the one that is asked for.
int64_t read_label(FileReader& in, CifarKind kind) {
  const auto read_below = [&](int limit, const char* what) {
    const int label = in.little<uint8_t>(what);
    if (label >= limit)
      in.refuse("expected a ", what, " below ", limit, " in the byte before this, got ", label);
    return int64_t{label};
  };
  if (kind == CifarKind::cifar10) return read_below(10, "CIFAR-10 label");
  const int64_t coarse = read_below(20, "CIFAR-100 coarse label");
  const int64_t fine = read_below(100, "CIFAR-100 fine label");
  return kind == CifarKind::cifar100_coarse ? coarse : fine;
}

}  // namespace

CifarBatch read_cifar(const std::string& path, CifarKind kind) {
  FileReader in(path);
  return read_cifar(in, kind);
}

CifarBatch read_cifar(FileReader& in, CifarKind kind) {
  const uint64_t record_bytes = kPixelBytes + (kind == CifarKind::cifar10 ? 1 : 2);
  const uint64_t bytes = in.remaining();
  if (bytes == 0 || bytes % record_bytes != 0)
    in.refuse("expected one or more CIFAR records of ", record_bytes, " bytes, the file holds ", bytes,
              " bytes");
  const auto count = static_cast<int64_t>(bytes / record_bytes);
  CifarBatch batch{Tensor::empty({count, 3, kSide, kSide}, uint8), Tensor::empty({count}, int64)};
  auto* pixels = batch.images.data<uint8_t>();
  auto* labels = batch.labels.data<int64_t>();
  for (int64_t i = 0; i < count; ++i) {
    labels[i] = read_label(in, kind);
    in.read(pixels + i * static_cast<int64_t>(kPixelBytes), kPixelBytes, "CIFAR pixels");
  }
  return batch;
}

}  // namespace tenon
