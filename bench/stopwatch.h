// Measures the time of work on a device, computes statistics, and measures the device's ceilings.
#pragma once

#include <functional>

#include "bench/statistics.h"
#include "gpuvae/tensor.h"

namespace gpuvae::bench {

using Body = std::function<void()>;

// Returns seconds since an arbitrary moment.
using SecondsClock = std::function<double()>;
// The clock of the measurements: std::chrono::steady_clock.
double steady_seconds();
// Throws Error if `clock` stands still, or if a period of several milliseconds differs by more than 5 % from
// the same period on `other`.
void check_clock(const SecondsClock& clock, const SecondsClock& other);
// check_clock(steady_seconds, CLOCK_MONOTONIC_RAW)
void check_clock();

// Returns the wall-clock seconds that `body` takes, including the wait for the device.
double wall_seconds(Device device, const Body& body);

// Times a body by the wall clock on the CPU and by events on CUDA. On CUDA, writes to a buffer first keep the
// device busy while the host queues the work, so that the result does not include the host's launch overhead.
class Stopwatch {
 public:
  // Writes `flush_bytes` to empty the caches. 0 means three times the last-level cache (CPU), or 512 MiB
  // (CUDA), which is more than three times the L2 cache of any GPU so far.
  explicit Stopwatch(Device device, std::size_t flush_bytes = 0, SecondsClock clock = steady_seconds);

  // Runs `body` to warm the caches, repeats it for about 0.2 ms (CUDA: at most 20 times), and returns the
  // mean seconds per repeat. Throws Error if the clock stands still.
  double warm(const Body& body);
  // Returns the seconds of one run of `body` after its data were evicted from the caches. Throws Error if the
  // clock stands still.
  double cold(const Body& body);
  // Throws Error if cold() leaves data in the caches: if the buffer has less than twice the size of the
  // last-level cache (CPU), or if cold_over_warm() is below 1.3.
  void check_cold();
  // Returns how many times longer it takes to read and write data in cold() than in warm(): the largest ratio
  // over several sizes of data. About 1 means that cold() does not evict the data.
  double cold_over_warm();

 private:
  void write_buffer(int times);
  int head_start(const Body& body, int runs);
  double warm_on_cpu(const Body& body) const;

  Device device_;
  SecondsClock clock_;
  Tensor buffer_;
  double buffer_seconds_ = 0;  // seconds that the device takes to write the buffer once
};

// Measured ceilings of main memory and of f32 matrix products.
struct Ceilings {
  double copy_bytes = 0;  // read plus written, per second
  double matmul_flops = 0;
};
// Measures the fastest of several copies of `elements` floats (by a kernel and by the backend's copy
// function) and the fastest of several f32 products of square matrices with `products` rows.
Ceilings measure_ceilings(Device device, std::int64_t elements, std::int64_t products);

}  // namespace gpuvae::bench
