// The CPU backend's memory, copies and clocks.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "kernels/check.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/parallel/pool.h"
#include "kernels/cpu/simd/simd.h"
#include "kernels/ranges.h"
// Must come after simd.h, which selects Highway's targets.
#include "hwy/highway.h"

namespace gpuvae::kernels {
namespace {

using Time = std::chrono::steady_clock::time_point;

std::string processor_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

void copy_bytes(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
}

}  // namespace

void CpuBackend::run(const CurandArgs&, StreamHandle) {
  fail(unsupported("curand"), "expected a CUDA device, got cpu");
}

void CpuBackend::run(const FusedStepArgs&, StreamHandle) {
  fail(unsupported("fused_step"), "expected a CUDA device, got cpu");
}

std::string CpuBackend::description() const {
  const auto targets = hwy::SupportedTargets() & HWY_TARGETS;
  return fmt::format("{}, {} thread{}, {}", processor_model(), num_threads(), num_threads() == 1 ? "" : "s",
                     hwy::TargetName(targets & -targets));
}

void* CpuBackend::allocate(std::size_t bytes) {
  constexpr std::size_t kAlignment = 64, kHugePage = std::size_t{2} << 20;
  check(bytes <= SIZE_MAX - kHugePage, "allocate", "expected a size below 2^64, got {} bytes", bytes);
  // Large blocks, such as data sets, use huge pages, because the first access to small pages costs up to a
  // third of the time for reading the data. Smaller blocks do not, because malloc may reuse their pages for
  // other purposes.
  const bool large = bytes >= 16 * kHugePage;
  const std::size_t alignment = large ? kHugePage : kAlignment, rounded = (bytes / alignment + 1) * alignment;
  void* pointer = std::aligned_alloc(alignment, rounded);
  check(pointer != nullptr, Origin("allocate", ErrorKind::out_of_memory), "out of memory: {} bytes requested",
        bytes);
  if (large) madvise(pointer, rounded, MADV_HUGEPAGE);  // a failure is harmless
  return pointer;
}
void CpuBackend::release(void* pointer) noexcept { std::free(pointer); }

std::size_t CpuBackend::available_memory() const {
  std::size_t bytes = SIZE_MAX;
  std::ifstream system("/proc/meminfo");
  for (std::string name; system >> name; system.ignore(256, '\n'))
    if (std::size_t kilobytes = 0; name == "MemAvailable:" && system >> kilobytes) bytes = kilobytes << 10;
  // The limit of a container.
  std::ifstream group("/sys/fs/cgroup/memory.max");
  if (std::size_t limit = 0; group >> limit) bytes = std::min(bytes, limit);
  return bytes;
}

void CpuBackend::copy_to_device(void* to, const void* from, std::size_t bytes, StreamHandle) {
  copy_bytes(to, from, bytes);
}
void CpuBackend::copy_from_device(void* to, const void* from, std::size_t bytes, StreamHandle) {
  copy_bytes(to, from, bytes);
}
void CpuBackend::run(const CopyArgs& g, StreamHandle) { copy_bytes(g.to, g.from, g.count); }

EventHandle CpuBackend::record_event(StreamHandle) { return new Time(std::chrono::steady_clock::now()); }
double CpuBackend::milliseconds_between(EventHandle from, EventHandle to) {
  return std::chrono::duration<double, std::milli>(*static_cast<Time*>(to) - *static_cast<Time*>(from))
      .count();
}
void CpuBackend::destroy_event(EventHandle event) noexcept { delete static_cast<Time*>(event); }

namespace {
[[noreturn]] void fail_graph() { fail(unsupported("graph"), "expected a CUDA device, got cpu"); }
}  // namespace
void CpuBackend::begin_capture(StreamHandle) { fail_graph(); }
GraphHandle CpuBackend::end_capture(StreamHandle) { fail_graph(); }
void CpuBackend::launch_graph(GraphHandle, StreamHandle) { fail_graph(); }
std::size_t CpuBackend::graph_nodes(GraphHandle) { fail_graph(); }

Backend& cpu_backend() {
  static CpuBackend& backend = *[] {
    static CpuBackend only;
    find_profiler();
    return &only;
  }();
  return backend;
}

}  // namespace gpuvae::kernels
