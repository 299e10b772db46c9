// What ThreadSanitizer has to be told of the order of CUDA threads. Each fiber is a thread to it, and two fibers
// are ordered only where one releases an object and the other acquires it later. Without SAN=thread all of this
// is empty.
//
// This folder itself is compiled without the sanitizer, since it switches stacks and works for all threads of a
// block at once.
#pragma once

#if defined(TENON_THREAD_SANITIZER)
#include <sanitizer/tsan_interface.h>
extern "C" {  // of ThreadSanitizer's run-time; its header declares them nowhere
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace tenon::cuda::emulation {

#if defined(TENON_THREAD_SANITIZER)
inline constexpr bool kRacesChecked = true;
inline void order_release(void* object) { __tsan_release(object); }
inline void order_acquire(void* object) { __tsan_acquire(object); }
/// Memory written in its scope is no thread's doing.
struct UnseenWrites {
  UnseenWrites() { AnnotateIgnoreWritesBegin(__FILE__, __LINE__); }
  ~UnseenWrites() { AnnotateIgnoreWritesEnd(__FILE__, __LINE__); }
};
#else
inline constexpr bool kRacesChecked = false;
inline void order_release(void*) {}
inline void order_acquire(void*) {}
struct UnseenWrites {
  UnseenWrites() {}
};
#endif

// [meeting]
/// A meeting that takes place again and again. Who leaves it comes after all who arrived: they release what the
/// leaving ones acquire. Two objects take turns, since a thread may arrive at the next meeting while another
/// has not left this one yet, which must not make it seem that the second comes after the first.
class Meeting {
 public:
  void* current() { return &objects_[turn_ & 1]; }
  void* next() { return &objects_[(turn_ + 1) & 1]; }
  void advance() { ++turn_; }

 private:
  char objects_[2] = {};
  unsigned turn_ = 0;
};
// [/meeting]

}  // namespace tenon::cuda::emulation
