// Streams and events of emulated builds. A stream is a queue of work that is put off until something waits for
// it: then it is done up to what was waited for, and no further. So a host or a stream that forgets to wait
// sees memory as it was before.
#if defined(TENON_CUDA_EMULATED)

#include "cuda/runtime/stream.h"

#include <chrono>
#include <deque>
#include <mutex>
#include <vector>

#include "core/error.h"
#include "cuda/emulation/stream_work.h"

namespace tenon::cuda {

struct Stream::State {
  std::deque<std::function<void()>> waiting;
  void do_first() {
    const std::function<void()> work = std::move(waiting.front());
    waiting.pop_front();
    work();
  }
};

// A mark that was recorded; recording again makes a new one, so that work waits for the mark it knew.
struct Mark {
  std::shared_ptr<Stream::State> stream;  // in whose queue it stands; null on the default stream
  bool reached = false;
  std::chrono::steady_clock::time_point time;
};

struct Event::State {
  std::shared_ptr<Mark> mark;  // null before the first record()
};

namespace {

struct Streams {
  std::recursive_mutex mutex;  // for all queues: work of one stream may have to finish another's
  std::vector<std::shared_ptr<Stream::State>> alive;
};

Streams& streams() {
  static Streams* instance = new Streams;  // outlives every static object
  return *instance;
}

void finish(Stream::State& stream) {
  const std::lock_guard lock(streams().mutex);
  while (!stream.waiting.empty()) stream.do_first();
}

void finish(const Mark& mark) {
  const std::lock_guard lock(streams().mutex);
  while (!mark.reached) mark.stream->do_first();
}

}  // namespace

// [submit]
void emulation::submit(std::function<void()> work) {
  if (const Stream* stream = detail::current_stream()) {
    const std::lock_guard lock(streams().mutex);
    stream->state()->waiting.push_back(std::move(work));
  } else {
    finish_streams();
    work();
  }
}
// [/submit]

void emulation::finish_streams() {
  const std::lock_guard lock(streams().mutex);
  for (const auto& stream : streams().alive) finish(*stream);
}

// ---- events -----------------------------------------------------------------------------------------

Event::Event() : state_(std::make_shared<State>()) {}
Event::~Event() = default;
Event::Event(Event&&) noexcept = default;
Event& Event::operator=(Event&&) noexcept = default;

void Event::record() {
  auto mark = std::make_shared<Mark>();
  if (const Stream* stream = detail::current_stream()) mark->stream = stream->state();
  emulation::submit([mark] {
    mark->time = std::chrono::steady_clock::now();
    mark->reached = true;
  });
  state_->mark = std::move(mark);
}

void Event::synchronize() const {
  if (state_->mark) finish(*state_->mark);
}

double milliseconds_between(const Event& start, const Event& end) {
  TENON_CHECK(start.state()->mark && end.state()->mark, "milliseconds_between: an event was not recorded");
  end.synchronize();
  TENON_CHECK(start.state()->mark->reached, "milliseconds_between: the device has not reached the start yet");
  return std::chrono::duration<double, std::milli>(end.state()->mark->time - start.state()->mark->time)
      .count();
}

// ---- streams ----------------------------------------------------------------------------------------

Stream::Stream() : state_(std::make_shared<State>()) {
  const std::lock_guard lock(streams().mutex);
  streams().alive.push_back(state_);
}

Stream::~Stream() {
  const std::lock_guard lock(streams().mutex);
  try {
    finish(*state_);
  } catch (const Error&) {  // nobody waited for the work that failed
    state_->waiting.clear();
  }
  std::erase(streams().alive, state_);
}

void Stream::wait(const Event& event) {
  if (!event.state()->mark) return;
  const std::lock_guard lock(streams().mutex);
  state_->waiting.push_back([mark = event.state()->mark] { finish(*mark); });
}

void Stream::synchronize() { finish(*state_); }

}  // namespace tenon::cuda

#endif
