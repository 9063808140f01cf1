// Observers of a backend's kernel calls. They count the bytes that the calls move, or measure the time of the
// calls.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/observer.h"

namespace gpuvae::bench {

// Observes a backend while the object exists. Nothing else may use the device during construction and
// destruction.
class ObserverScope {
 public:
  ObserverScope(kernels::Backend& backend, kernels::KernelObserver& observer)
      : backend_(backend), previous_(backend.set_observer(&observer)) {}
  ~ObserverScope() { backend_.set_observer(previous_); }
  ObserverScope(const ObserverScope&) = delete;
  ObserverScope& operator=(const ObserverScope&) = delete;

 private:
  kernels::Backend& backend_;
  kernels::KernelObserver* previous_;
};

// Counts the bytes that the calls move.
class CountingObserver final : public kernels::KernelObserver {
 public:
  double bytes = 0;

  void call(const kernels::KernelCall& call, kernels::StreamHandle,
            const std::function<void()>& run) override {
    bytes += call.bytes;
    run();
  }
};

// Counts the calls that are queued on another stream than the expected one.
class StreamObserver final : public kernels::KernelObserver {
 public:
  explicit StreamObserver(kernels::StreamHandle expected) : expected_(expected) {}
  int elsewhere() const { return elsewhere_; }

  void call(const kernels::KernelCall&, kernels::StreamHandle stream,
            const std::function<void()>& run) override {
    elsewhere_ += stream != expected_;
    run();
  }

 private:
  kernels::StreamHandle expected_;
  int elsewhere_ = 0;
};

// Sums the seconds of each kind of call, measured by events on CUDA and by the wall clock on the CPU. Events
// surround every call, so that calls do not overlap.
class TimingObserver final : public kernels::KernelObserver {
 public:
  TimingObserver(kernels::Backend& backend, bool on_cpu) : backend_(backend), on_cpu_(on_cpu) {}
  ~TimingObserver() override;

  struct Share {
    int calls = 0;
    double seconds = 0, bytes = 0, flops = 0;
  };
  // Returns the totals by name of the kernel call. Waits for the device.
  std::map<std::string, Share> shares();

  void call(const kernels::KernelCall& call, kernels::StreamHandle stream,
            const std::function<void()>& run) override;

 private:
  struct Pending {
    const char* name;
    kernels::EventHandle begin, end;
  };
  void destroy(const Pending& pending);

  kernels::Backend& backend_;
  bool on_cpu_;
  std::map<std::string, Share> shares_;
  std::vector<Pending> pending_;
};

}  // namespace gpuvae::bench
