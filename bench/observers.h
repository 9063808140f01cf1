// Observers of a backend: what its calls read, write and compute at least, and how long they take.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace gpuvae::bench {

// Observes a backend while it lives. Made and destroyed while nothing else uses the device.
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

// Adds up what the calls move.
class CountingObserver final : public kernels::KernelObserver {
 public:
  double bytes = 0;

  void call(const kernels::KernelCall& call, kernels::StreamHandle,
            const std::function<void()>& run) override {
    bytes += call.bytes;
    run();
  }
};

// Adds up the seconds of each kind of call: by events on CUDA, by the wall clock on the CPU. Events surround
// every call, so that no two calls overlap.
class TimingObserver final : public kernels::KernelObserver {
 public:
  TimingObserver(kernels::Backend& backend, bool on_cpu) : backend_(backend), on_cpu_(on_cpu) {}
  ~TimingObserver() override;

  struct Share {
    int calls = 0;
    double seconds = 0, bytes = 0, flops = 0;
  };
  // By name of the call; waits for the device.
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
