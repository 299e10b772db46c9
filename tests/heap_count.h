// Counts what a thread asks the heap for through operator new, which the test program replaces (heap_count.cpp).
#pragma once

#include <cstdint>

namespace tenon {

/// False in sanitizer builds, which want an operator new of their own.
bool counts_heap();
/// Calls of operator new on this thread so far.
uint64_t heap_allocations();

}  // namespace tenon
