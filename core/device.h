// Where a tensor lives: the host, or the CUDA device (a real card, or Tenon's emulation of one).
#pragma once

#include <string>

namespace tenon {

class Device {
 public:
  enum class Kind : unsigned char { cpu, cuda };

  constexpr Device() = default;
  static constexpr Device cpu() { return Device(Kind::cpu); }
  /// The CUDA device. Throws Error if this build has none (`CUDA=off`) or no card answers (`CUDA=native`).
  static Device cuda();
  /// "cpu" or "cuda"; throws Error on any other word.
  static Device parse(const std::string& name);
  /// True if `cuda()` would succeed.
  static bool has_cuda();

  constexpr Kind kind() const { return kind_; }
  constexpr bool is_cpu() const { return kind_ == Kind::cpu; }
  constexpr bool is_cuda() const { return kind_ == Kind::cuda; }
  std::string str() const { return is_cpu() ? "cpu" : "cuda"; }
  friend constexpr bool operator==(Device a, Device b) { return a.kind_ == b.kind_; }

 private:
  constexpr explicit Device(Kind kind) : kind_(kind) {}
  Kind kind_ = Kind::cpu;
};

}  // namespace tenon
