// Where emulated launches and copies go: at once if no stream is current, else into the stream's queue.
#pragma once

#include <functional>

namespace tenon::cuda::emulation {

/// Puts `work` at the end of the host thread's current stream. Without one: finishes all streams, then does
/// `work` at once.
void submit(std::function<void()> work);
/// Does all work that streams have put off, as what belongs to the default stream must.
void finish_streams();

}  // namespace tenon::cuda::emulation
