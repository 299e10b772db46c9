// MD5 (RFC 1321): the digest that NAS-Bench-101 names its cells by.
#pragma once

#include <array>
#include <string_view>

namespace tenon::neural_predictor {

/// The digest of `text` in lower-case hexadecimal.
std::array<char, 32> md5_hex(std::string_view text);

}  // namespace tenon::neural_predictor
