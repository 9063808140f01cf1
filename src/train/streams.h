// Runs training work on another stream within a scope, and keeps the host from running too far ahead of the
// device.
#pragma once

#include <deque>

#include "gpuvae/device.h"
#include "gpuvae/error.h"

namespace gpuvae {

// Makes `inner` the current stream within a scope. At its beginning, `inner` waits for the work queued on the
// previous stream; at its end, the previous stream waits for the work queued on `inner`.
class ScopedStream {
 public:
  explicit ScopedStream(const Stream& inner)
      : outer_(Stream::current(inner.device())), inner_(inner), guard_(inner) {
    if (!(inner_ == outer_)) inner_.wait(outer_.record());
  }
  ~ScopedStream() {
    try {
      if (!(inner_ == outer_)) outer_.wait(inner_.record());
    } catch (const Error&) {  // after a device failure, the next call that uses the device throws
    }
  }
  ScopedStream(const ScopedStream&) = delete;
  ScopedStream& operator=(const ScopedStream&) = delete;

 private:
  Stream outer_, inner_;
  StreamGuard guard_;
};

// Keeps the host at most two launches ahead of the device, so that reports are recent.
class LaunchThrottle {
 public:
  explicit LaunchThrottle(Device device) : device_(device) {}

  void launched() {
    constexpr std::size_t kLargest = 2;
    launched_.push_back(Stream::current(device_).record());
    if (launched_.size() <= kLargest) return;
    launched_.front().synchronize();
    launched_.pop_front();
  }

 private:
  Device device_;
  std::deque<Event> launched_;
};

}  // namespace gpuvae
