#include "bench/stopwatch.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "gpuvae/ops.h"
#include "kernels/backend.h"

namespace gpuvae::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double kShortest = 2e-4;  // seconds; the clock's overhead distorts shorter times
constexpr int kMaxRuns = 20;  // runs between two events; more would fill the stream's queue and stop the host

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::size_t default_flush_bytes(Device device) {
  if (!device.is_cpu()) return std::size_t{512} << 20;
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return 3 * static_cast<std::size_t>(cache > 0 ? cache : 32 << 20);
}

// Measures the device's seconds between two points of a stream.
class Interval {
 public:
  explicit Interval(Device device)
      : backend_(device.backend()),
        stream_(Stream::current(device).handle()),
        begin_(backend_.record_event(stream_)) {}
  ~Interval() {
    backend_.destroy_event(begin_);
    if (end_) backend_.destroy_event(end_);
  }
  void finish() { end_ = backend_.record_event(stream_); }
  double seconds() { return backend_.milliseconds_between(begin_, end_) * 1e-3; }

 private:
  kernels::Backend& backend_;
  kernels::StreamHandle stream_;
  kernels::EventHandle begin_, end_ = nullptr;
};

}  // namespace

Statistics statistics_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {at(0.5), at(0.1), at(0.9), static_cast<int>(values.size())};
}

double wall_seconds(Device device, const Body& body) {
  Stream::current(device).synchronize();
  const auto start = Clock::now();
  body();
  Stream::current(device).synchronize();
  return seconds_since(start);
}

Stopwatch::Stopwatch(Device device, std::size_t flush_bytes) : device_(device) {
  const std::size_t bytes = flush_bytes ? flush_bytes : default_flush_bytes(device);
  buffer_ = Tensor::zeros({static_cast<std::int64_t>(bytes / sizeof(float))}, DType::f32, device);
  write_buffer(1);
  buffer_seconds_ = wall_seconds(device, [&] { write_buffer(4); }) / 4;
}

void Stopwatch::write_buffer(int times) {
  for (int i = 0; i < times; ++i) buffer_.fill(i);
}

// Returns how often the buffer must be written to keep the device busy while the host queues `runs` of the
// body.
int Stopwatch::head_start(const Body& body, int runs) {
  Stream::current(device_).synchronize();
  const auto start = Clock::now();
  body();
  const double host = seconds_since(start) * runs;
  Stream::current(device_).synchronize();
  constexpr int kMaxWrites = 200;
  return std::min(kMaxWrites, 1 + static_cast<int>(std::ceil(1.5 * host / buffer_seconds_)));
}

double Stopwatch::warm(const Body& body) {
  body();
  if (device_.is_cpu()) {
    int runs = 0;
    const auto start = Clock::now();
    do body(), ++runs;
    while (seconds_since(start) < kShortest);
    return seconds_since(start) / runs;
  }
  const double once = wall_seconds(device_, body);
  const int runs = std::clamp(static_cast<int>(kShortest / once), 1, kMaxRuns);
  write_buffer(head_start(body, runs + 1));
  body();  // restores the data that the writes have evicted from the cache
  Interval interval(device_);
  for (int i = 0; i < runs; ++i) body();
  interval.finish();
  return interval.seconds() / runs;
}

double Stopwatch::cold(const Body& body) {
  if (device_.is_cpu()) {
    write_buffer(1);
    const auto start = Clock::now();
    body();
    return seconds_since(start);
  }
  write_buffer(head_start(body, 1));
  Interval interval(device_);
  body();
  interval.finish();
  return interval.seconds();
}

Ceilings measure_ceilings(Device device, std::int64_t elements, std::int64_t products) {
  Stopwatch stopwatch(device, 4096);
  const NoGradGuard no_grad;
  const auto best = [&](const Body& body) {
    double least = stopwatch.warm(body);
    for (int i = 0; i < 4; ++i) least = std::min(least, stopwatch.warm(body));
    return least;
  };
  Ceilings ceilings;
  {
    const Tensor from = Tensor::full({elements}, 1.5, DType::f32, device),
                 to = Tensor::zeros({elements}, DType::f32, device);
    auto& backend = device.backend();
    const auto stream = Stream::current(device).handle();
    kernels::AxpbyArgs copy{.size = elements, .x = from.data(), .y = to.data()};
    copy.beta = 0;
    const double seconds = std::min(best([&] { backend.axpby(copy, stream); }), best([&] {
                                      backend.copy({to.data(), from.data(), from.bytes()}, stream);
                                    }));
    ceilings.copy_bytes = 2.0 * static_cast<double>(from.bytes()) / seconds;
  }
  const Noise noise{.seed = 1, .purpose = RandomPurpose::test};
  const auto random = [&] { return random_normal({products, products}, noise, 0, 1, DType::f32, device); };
  const Tensor a = random(), b = random(), c = random();
  const double n = static_cast<double>(products);
  const kernels::GemmArgs product{
      .m = products, .n = products, .k = products, .a = a.data(), .b = b.data(), .c = c.data()};
  ceilings.matmul_flops =
      2 * n * n * n / best([&] { device.backend().gemm(product, Stream::current(device).handle()); });
  return ceilings;
}

}  // namespace gpuvae::bench
