// What the tests of the emulation share: a test under several schedules, and the words of an error.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "core/error.h"
#include "cuda/runtime/kernel.h"

namespace tenon::cuda {

/// Runs `test` under round robin and three random schedules, and restores the seed.
template <class F>
void for_schedules(F&& test) {
  const uint64_t before = emulation::schedule_seed();
  for (uint64_t seed : {0, 1, 2, 3}) {
    CAPTURE(seed);
    emulation::set_schedule_seed(seed);
    test();
  }
  emulation::set_schedule_seed(before);
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tenon::cuda
