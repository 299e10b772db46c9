// Small files in the formats of the architecture tables, for tests and fuzz targets.
#pragma once

#include <cstring>
#include <string>
#include <vector>

namespace tenon::test {

/// A pickle as pandas writes one: frames, the row numbers, the reals of `columns` columns (all of them `values`).
inline std::string nasbench101_pickle(const std::vector<double>& values, int columns) {
  const auto little = [](uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  };
  const std::string frame = '\x95' + little(3, 8) + "abc";
  const auto array = [&](uint64_t count) { return 'B' + little(8 * count, 4); };
  std::string out = std::string("\x80\x04") + frame + array(values.size());
  for (size_t row = 0; row < values.size(); ++row) out += little(row, 8);
  out += frame + array(values.size() * static_cast<size_t>(columns));
  for (int column = 0; column < columns; ++column)
    for (double value : values) {
      uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      out += little(bits, 8);
    }
  return out + frame;
}

inline const char* const kTwelveEpochs =
    "arch,cellstr,cifar10-test,cifar10-val,cifar100-test,cifar100-val,imagenet-test,imagenet-val\n"
    "0,|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|,"
    "69.55,63.25,31,32,17,18\n"
    "1,|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|skip_connect~2|,"
    "88.2,82.5,58,57,33,35\n";
inline const char* const kFull = "index,accuracy\n0,85.5\n1,93.5\n";
inline const char* const kMacro =
    R"({"11111221": {"test_acc": [92.25, 92.5, 92], "params": 1}, "02012100": {"test_acc": [89, 88, 90]}})";

}  // namespace tenon::test
