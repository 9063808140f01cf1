// Measures the time of work on a device, computes statistics, and measures the device's ceilings.
#pragma once

#include <functional>
#include <vector>

#include "gpuvae/tensor.h"

namespace gpuvae::bench {

using Body = std::function<void()>;

struct Statistics {
  double median = 0, low = 0, high = 0;  // low and high: the 10th and 90th percentile
  int samples = 0;
};
Statistics statistics_of(std::vector<double> values);

// Returns the wall-clock seconds that `body` takes, including the wait for the device.
double wall_seconds(Device device, const Body& body);

// Times a body by the wall clock on the CPU and by events on CUDA. On CUDA, writes to a buffer first keep the
// device busy while the host queues the work, so that the result does not include the host's launch overhead.
class Stopwatch {
 public:
  // Writes `flush_bytes` to empty the caches. 0 means three times the last-level cache (CPU), or 512 MiB
  // (CUDA), which is more than three times the L2 cache of any GPU so far.
  explicit Stopwatch(Device device, std::size_t flush_bytes = 0);

  // Runs `body` to warm the caches, repeats it for about 0.2 ms (CUDA: at most 20 times), and returns the
  // mean seconds per repeat.
  double warm(const Body& body);
  // Returns the seconds of one run of `body` after its data were evicted from the caches.
  double cold(const Body& body);

 private:
  void write_buffer(int times);
  int head_start(const Body& body, int runs);

  Device device_;
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
