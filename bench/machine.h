// What the host or the card can do, measured: the ceilings that cases are held against.
#pragma once

#include <cstdint>
#include <map>

#include "core/device.h"

namespace tenon::bench {

class Machine {
 public:
  /// Measures the peak of arithmetic (some 0.2 s), on the host with `threads` threads that run at the same time;
  /// memory is measured when it is first asked for.
  Machine(Device device, int threads);

  Device device() const { return device_; }
  /// Float32 multiply-adds in registers, two flops each, in the widest vectors of the build's instruction
  /// set: the best of many bursts that all threads run at the same time.
  double flops_per_second() const { return flops_per_second_; }
  /// Bytes that a loop can move which works on `working_set` bytes again and again: the fastest of a read, a
  /// copy and a triad. On the host a set that fits a cache gets that cache's speed, so that a floor made of it
  /// is one; on a card it is always the memory's, since there cases take inputs in turns (over_inputs).
  double bytes_per_second(double working_set);

  /// The least time that a run of so many flops and bytes can take.
  double floor_seconds(double flops, double bytes);

 private:
  Device device_;
  int threads_;
  double flops_per_second_;
  std::map<int, double> bytes_per_second_;  // by the power of two that the working set is rounded down to
};

}  // namespace tenon::bench
