// A stack that can be put aside and taken up again, on Boost.Context. The sanitizers are told of each switch.
#pragma once

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>

#include "cuda/emulation/race_order.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace tenon::cuda::emulation {

/// Runs main(context) on a stack of its own, a piece at a time. Used by one host thread only. `main` must
/// return (not throw) before the Fiber is destroyed, if it was ever resumed.
class Fiber {
 public:
  Fiber(void (*main)(void*), void* context) : main_(main), context_(context) {}
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // [resume]
  /// Called outside: runs the fiber until it suspends or its main returns.
  void resume() {
    if (!inside_) create();
    const StackSwitch change(stack_bottom_, stack_bytes_);
    thread_.enter();
    inside_ = std::move(inside_).resume();
  }

  /// Called inside: returns to the caller of resume(), until the next one.
  void suspend() {
    const StackSwitch change(caller_bottom_, caller_bytes_);
    thread_.leave();
    outside_ = std::move(outside_).resume();
  }
  // [/resume]

 private:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t kStackBytes = 256 * 1024;  // its frames are larger
  class StackSwitch {
   public:
    StackSwitch(const void* bottom, size_t bytes) {
      __sanitizer_start_switch_fiber(&fake_stack_, bottom, bytes);
    }
    ~StackSwitch() { __sanitizer_finish_switch_fiber(fake_stack_, nullptr, nullptr); }

   private:
    void* fake_stack_ = nullptr;
  };
  void enter() { __sanitizer_finish_switch_fiber(nullptr, &caller_bottom_, &caller_bytes_); }
  void leave() { __sanitizer_start_switch_fiber(nullptr, caller_bottom_, caller_bytes_); }
#else
  static constexpr size_t kStackBytes = 64 * 1024;
  struct StackSwitch {
    StackSwitch(const void*, size_t) {}
  };
  void enter() {}
  void leave() {}
#endif

#if defined(TENON_THREAD_SANITIZER)
  // The fiber as a thread of ThreadSanitizer; a switch orders nothing.
  class SanitizerThread {
   public:
    ~SanitizerThread() { __tsan_destroy_fiber(own_); }
    void enter() {
      caller_ = __tsan_get_current_fiber();
      __tsan_switch_to_fiber(own_, __tsan_switch_to_fiber_no_sync);
    }
    void leave() { __tsan_switch_to_fiber(caller_, __tsan_switch_to_fiber_no_sync); }

   private:
    void* own_ = __tsan_create_fiber(0);
    void* caller_ = nullptr;
  };
#else
  struct SanitizerThread {
    void enter() {}
    void leave() {}
  };
#endif

  void create() {
    boost::context::protected_fixedsize_stack allocator(kStackBytes);
    const boost::context::stack_context stack = allocator.allocate();
    stack_bytes_ = stack.size;
    stack_bottom_ = static_cast<char*>(stack.sp) - stack.size;
    inside_ =
        boost::context::fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
                              allocator, [this](boost::context::fiber&& outside) {
                                outside_ = std::move(outside);
                                enter();
                                main_(context_);
                                leave();
                                thread_.leave();
                                return std::move(outside_);
                              });
  }

  void (*main_)(void*);
  void* context_;
  boost::context::fiber inside_, outside_;
  [[no_unique_address]] SanitizerThread thread_;
  const void* stack_bottom_ = nullptr;
  const void* caller_bottom_ = nullptr;
  size_t stack_bytes_ = 0;
  size_t caller_bytes_ = 0;
};

}  // namespace tenon::cuda::emulation
