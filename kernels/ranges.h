// Time ranges for profilers: NVTX ranges in the domain "gpuvae", which Nsight Systems shows beside the work
// of the GPU. Every kernel call is a range, and so are the phases of training. Without a profiler, a range
// costs one load and one branch.
#pragma once

#include <atomic>

namespace gpuvae::kernels {

// The functions that begin and end a range on the calling thread.
struct RangeFunctions {
  void (*push)(const char* name);
  void (*pop)();
};
// Null unless a profiler is attached.
extern constinit std::atomic<const RangeFunctions*> range_functions;

// Attaches to a profiler if there is one. The backends call this when they are made. It does nothing in
// builds without NVTX, and in later calls.
void find_profiler();

// A range from the construction to the destruction.
class Range {
 public:
  explicit Range(const char* name) : functions_(range_functions.load(std::memory_order_acquire)) {
    if (functions_) [[unlikely]]
      functions_->push(name);
  }
  ~Range() {
    if (functions_) [[unlikely]]
      functions_->pop();
  }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

 private:
  const RangeFunctions* functions_;
};

}  // namespace gpuvae::kernels
