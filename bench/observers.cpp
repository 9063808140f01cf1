#include "bench/observers.h"

#include <chrono>

namespace gpuvae::bench {

using kernels::EventHandle;
using kernels::KernelCall;
using kernels::StreamHandle;

TimingObserver::~TimingObserver() {
  for (const Pending& p : pending_) destroy(p);
}

void TimingObserver::destroy(const Pending& pending) {
  backend_.destroy_event(pending.begin);
  backend_.destroy_event(pending.end);
}

void TimingObserver::call(const KernelCall& call, StreamHandle stream, const std::function<void()>& run) {
  Share& share = shares_[call.name];
  ++share.calls;
  share.bytes += call.bytes;
  share.flops += call.flops;
  if (on_cpu_) {
    const auto start = std::chrono::steady_clock::now();
    run();
    share.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return;
  }
  const EventHandle begin = backend_.record_event(stream);
  run();
  pending_.push_back({call.name, begin, backend_.record_event(stream)});
}

std::map<std::string, TimingObserver::Share> TimingObserver::shares() {
  for (const Pending& p : pending_) {
    shares_[p.name].seconds += backend_.milliseconds_between(p.begin, p.end) * 1e-3;
    destroy(p);
  }
  pending_.clear();
  return shares_;
}

}  // namespace gpuvae::bench
