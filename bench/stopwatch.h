// Times of work on a device, the statistics of them, and what the device does at most.
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

// Seconds of the wall clock that `body` takes, until the device has done its work.
double wall_seconds(Device device, const Body& body);

// Times of one run of `body`: the wall clock on the CPU, events on CUDA. There the host is given a head start
// by writes to a buffer, so that what is timed is the device's work and not how fast the host hands it over.
class Stopwatch {
 public:
  // `flush_bytes` are written to empty the caches; 0: three times the last-level cache (CPU), or 512 MiB
  // (CUDA), more than three times the L2 of any GPU so far.
  explicit Stopwatch(Device device, std::size_t flush_bytes = 0);

  // Runs `body` once, and again until at least `kShortest` seconds have passed (CPU): the mean of the latter.
  double warm(const Body& body);
  // Runs `body` once after its data have left the caches.
  double cold(const Body& body);

 private:
  void write_buffer(int times);
  int head_start(const Body& body, int runs);

  Device device_;
  Tensor buffer_;
  double buffer_seconds_ = 0;  // that the device takes to write it
};

// Of main memory, and of f32 products; measured.
struct Ceilings {
  double copy_bytes = 0;  // read plus written, per second
  double matmul_flops = 0;
};
// Best of several copies of `elements` floats, by a kernel and by the device's own copy; of `products`^3
// products.
Ceilings measure_ceilings(Device device, std::int64_t elements, std::int64_t products);

}  // namespace gpuvae::bench
