#include "bench/stopwatch.h"

#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "gpuvae/error.h"
#include "gpuvae/ops.h"
#include "kernels/backend.h"

namespace gpuvae::bench {
namespace {

constexpr double kShortest = 2e-4;  // seconds; the clock's overhead distorts shorter times
constexpr int kMaxRuns = 20;  // runs between two events; more would fill the stream's queue and stop the host

// Throws Error if a measured time is not positive.
double checked(double seconds) {
  if (!(seconds > 0))
    throw Error("stopwatch",
                fmt::format("expected a positive time, got {} s: the clock stands still", seconds));
  return seconds;
}

std::size_t last_level_cache() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
  return static_cast<std::size_t>(cache > 0 ? cache : 32 << 20);
}

std::size_t default_flush_bytes(Device device) {
  return device.is_cpu() ? 3 * last_level_cache() : std::size_t{512} << 20;
}

// Measures the device's seconds between two points of a stream.
class EventPair {
 public:
  explicit EventPair(Device device)
      : backend_(device.backend()),
        stream_(Stream::current(device).handle()),
        begin_(backend_.record_event(stream_)) {}
  ~EventPair() {
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

double steady_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void check_clock(const SecondsClock& clock, const SecondsClock& other) {
  constexpr double kPeriod = 4e-3, kTolerance = 0.05;
  constexpr int kTries = 5;                // a process may be displaced between readings of the two clocks
  constexpr long kMaxReadings = 1L << 24;  // reached in less than a second if `other` stands still, too
  double ratio = 0;
  for (int i = 0; i < kTries; ++i) {
    const double begin = clock(), other_begin = other();
    double other_end = other_begin;
    for (long reading = 0; other_end - other_begin < kPeriod && reading < kMaxReadings; ++reading)
      other_end = other();
    ratio = (clock() - begin) / (other_end - other_begin);
    if (std::fabs(ratio - 1) <= kTolerance) return;
  }
  throw Error("check_clock",
              fmt::format("expected a clock that agrees with a second clock, got {:.3g} seconds per "
                          "second: {}",
                          ratio, ratio == 0 ? "the clock stands still" : "its times are wrong"));
}

void check_clock() {
  check_clock(steady_seconds, [] {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
  });
}

double wall_seconds(Device device, const Body& body) {
  Stream::current(device).synchronize();
  const double start = steady_seconds();
  body();
  Stream::current(device).synchronize();
  return steady_seconds() - start;
}

Stopwatch::Stopwatch(Device device, std::size_t flush_bytes, SecondsClock clock)
    : device_(device), clock_(std::move(clock)) {
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
  const double start = clock_();
  body();
  const double host = (clock_() - start) * runs;
  Stream::current(device_).synchronize();
  constexpr int kMaxWrites = 200;
  return std::min(kMaxWrites, 1 + static_cast<int>(std::ceil(1.5 * host / buffer_seconds_)));
}

// A clock that stands still would repeat the body for ever, so the first runs must advance it.
double Stopwatch::warm_on_cpu(const Body& body) const {
  constexpr int kMostWithoutTime = 10'000;
  int runs = 0;
  const double start = clock_();
  double spent = 0;
  do {
    body();
    ++runs;
    spent = clock_() - start;
  } while (spent < kShortest && (spent > 0 || runs < kMostWithoutTime));
  return checked(spent) / runs;
}

double Stopwatch::warm(const Body& body) {
  body();
  if (device_.is_cpu()) return warm_on_cpu(body);
  const double once = wall_seconds(device_, body);
  const int runs = std::clamp(static_cast<int>(kShortest / once), 1, kMaxRuns);
  write_buffer(head_start(body, runs + 1));
  body();  // restores the data that the writes have evicted from the cache
  EventPair interval(device_);
  for (int i = 0; i < runs; ++i) body();
  interval.finish();
  return checked(interval.seconds()) / runs;
}

double Stopwatch::cold(const Body& body) {
  if (device_.is_cpu()) {
    write_buffer(1);
    const double start = clock_();
    body();
    return checked(clock_() - start);
  }
  write_buffer(head_start(body, 1));
  EventPair interval(device_);
  body();
  interval.finish();
  return checked(interval.seconds());
}

double Stopwatch::cold_over_warm() {
  constexpr int kSamples = 7;
  double best = 0;
  // On the CPU, the data fit into the fastest caches and are processed by one thread, whose time varies
  // little.
  for (const std::int64_t kib : {128, 1024, 4096, 16384}) {
    if (device_.is_cpu() && kib > 128) break;
    const Tensor data = Tensor::zeros({kib * 256}, DType::f32, device_);
    const kernels::AxpbyArgs scale{.size = data.elements(), .alpha = 0.5, .x = data.data(), .y = data.data()};
    const Body touch = [&] { device_.backend().axpby(scale, Stream::current(device_).handle()); };
    double warmest = INFINITY, coldest = INFINITY;
    for (int i = 0; i < kSamples; ++i) {
      touch();
      coldest = std::min(coldest, cold(touch));
      warmest = std::min(warmest, warm(touch));
    }
    best = std::max(best, coldest / warmest);
  }
  return best;
}

void Stopwatch::check_cold() {
  constexpr double kLeastRatio = 1.3;
  const double mib = static_cast<double>(buffer_.bytes()) / (1 << 20);
  if (device_.is_cpu() && buffer_.bytes() < 2 * last_level_cache())
    throw Error("check_cold",
                fmt::format("expected at least twice the last-level cache ({:.1f} MiB), got {:.1f} MiB, "
                            "whose writing leaves the caches warm (see --flush-mib)",
                            static_cast<double>(last_level_cache()) / (1 << 20), mib));
  if (const double ratio = cold_over_warm(); !(ratio >= kLeastRatio))
    throw Error("check_cold",
                fmt::format("expected cold data to take at least {} times as long as warm data, got {:.2f} "
                            "times: writing {:.1f} MiB leaves the caches warm (see --flush-mib)",
                            kLeastRatio, ratio, mib));
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
