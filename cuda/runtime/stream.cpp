// Streams and events of native builds (on the CUDA runtime) and of builds without a device. Those of emulated
// builds stand in cuda/emulation/stream.cpp. The native half compiles against CUDA 13.
#include "cuda/runtime/stream.h"

#include <utility>

#include "core/error.h"

#if defined(TENON_CUDA_NATIVE)
#include "cuda/runtime/native_check.h"
#endif

namespace tenon::cuda {
namespace {
constinit thread_local const Stream* current = nullptr;
}  // namespace

const Stream* detail::current_stream() { return current; }
CurrentStream::CurrentStream(const Stream& stream) : before_(std::exchange(current, &stream)) {}
CurrentStream::~CurrentStream() { current = before_; }

#if defined(TENON_CUDA_NATIVE)

struct Event::State {
  cudaEvent_t event = nullptr;
  State() { check(cudaEventCreate(&event), "cudaEventCreate"); }
  ~State() { cudaEventDestroy(event); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

struct Stream::State {
  cudaStream_t stream = nullptr;
  // A blocking stream: the default stream waits for it, and it for the default stream.
  State() { check(cudaStreamCreate(&stream), "cudaStreamCreate"); }
  ~State() {
    cudaStreamSynchronize(stream);
    cudaStreamDestroy(stream);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

void* detail::native_stream() { return current == nullptr ? nullptr : current->state()->stream; }

namespace {
cudaStream_t stream_now() { return static_cast<cudaStream_t>(detail::native_stream()); }
}  // namespace

Event::Event() : state_(std::make_shared<State>()) {}
void Event::record() { check(cudaEventRecord(state_->event, stream_now()), "cudaEventRecord"); }
void Event::synchronize() const { check(cudaEventSynchronize(state_->event), "cudaEventSynchronize"); }

double milliseconds_between(const Event& start, const Event& end) {
  end.synchronize();
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, start.state()->event, end.state()->event),
        "cudaEventElapsedTime");
  return milliseconds;
}

Stream::Stream() : state_(std::make_shared<State>()) {}
void Stream::wait(const Event& event) {
  check(cudaStreamWaitEvent(state_->stream, event.state()->event, 0), "cudaStreamWaitEvent");
}
void Stream::synchronize() { check(cudaStreamSynchronize(state_->stream), "cudaStreamSynchronize"); }

void copy_to_device_async(void* device_destination, const void* host_source, size_t bytes) {
  check(cudaMemcpyAsync(device_destination, host_source, bytes, cudaMemcpyHostToDevice, stream_now()),
        "cudaMemcpyAsync to device");
}
void copy_to_host_async(void* host_destination, const void* device_source, size_t bytes) {
  check(cudaMemcpyAsync(host_destination, device_source, bytes, cudaMemcpyDeviceToHost, stream_now()),
        "cudaMemcpyAsync to host");
}
void clear_async(void* device_destination, size_t bytes) {
  check(cudaMemsetAsync(device_destination, 0, bytes, stream_now()), "cudaMemsetAsync");
}

#elif !defined(TENON_CUDA_EMULATED)

struct Event::State {};
struct Stream::State {};

namespace {
[[noreturn]] void no_device(const char* what) {
  fail("cuda ", what, ": this build of Tenon has CUDA=off; build with CUDA=emulated or CUDA=native");
}
}  // namespace

Event::Event() { no_device("Event"); }
void Event::record() { no_device("Event::record"); }
void Event::synchronize() const { no_device("Event::synchronize"); }
double milliseconds_between(const Event&, const Event&) { no_device("milliseconds_between"); }
Stream::Stream() { no_device("Stream"); }
void Stream::wait(const Event&) { no_device("Stream::wait"); }
void Stream::synchronize() { no_device("Stream::synchronize"); }
void copy_to_device_async(void*, const void*, size_t) { no_device("copy_to_device_async"); }
void copy_to_host_async(void*, const void*, size_t) { no_device("copy_to_host_async"); }
void clear_async(void*, size_t) { no_device("clear_async"); }

#endif

#if !defined(TENON_CUDA_EMULATED)
Event::~Event() = default;
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;
Stream::~Stream() = default;
#endif

}  // namespace tenon::cuda
