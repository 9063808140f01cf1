// Emulates libcudart: memory. The executor holds the device's allocations and checks every access by a
// kernel.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "detail.h"
#include "mutant.h"

#if EMULATOR_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) (void)0
#define ASAN_UNPOISON_MEMORY_REGION(p, n) (void)0
#endif

namespace emulator::detail {
namespace {

constexpr std::size_t kTotalMemory = std::size_t(8) << 30;

using Ranges = std::map<const char*, std::size_t>;
struct Memory {
  Ranges device, pinned;
  std::size_t live_bytes = 0;
  // The last allocation that was looked up. Kernels look up the same allocation many times in a row.
  const char *recent = nullptr, *recent_end = nullptr;
};
Memory& memory() {
  static Memory& all = *new Memory;  // never destroyed, because static objects may free memory at exit
  return all;
}

std::size_t bytes_from(const Ranges& ranges, const void* p) {
  const char* c = static_cast<const char*>(p);
  const auto next = ranges.upper_bound(c);
  if (next == ranges.begin()) return 0;
  const auto& [begin, size] = *std::prev(next);
  return c < begin + size ? std::size_t(begin + size - c) : 0;
}

cudaError_t allocate(void** p, std::size_t bytes) {
  if (!p) return cudaErrorInvalidValue;
  if (bytes > kTotalMemory - memory().live_bytes) return cudaErrorMemoryAllocation;
  ++counters().allocations;
  *p = nullptr;
  if (bytes == 0) return cudaSuccess;
  *p = device_memory().allocate(bytes, "cudaMalloc");
  memory().device[static_cast<char*>(*p)] = bytes;
  memory().live_bytes += bytes;
  ASAN_POISON_MEMORY_REGION(*p, bytes);
  return cudaSuccess;
}

void deallocate(void* p) {
  if (!p) return;
  const auto found = memory().device.find(static_cast<char*>(p));
  if (found == memory().device.end()) fail("cudaFree(%p): not an allocation", p);
  ASAN_UNPOISON_MEMORY_REGION(p, found->second);
  memory().live_bytes -= found->second;
  memory().recent = memory().recent_end = nullptr;
  memory().device.erase(found);
  ++counters().frees;
  device_memory().free(p);
}

struct Rectangle {  // in bytes
  std::size_t pitch, width, height;
  std::size_t extent() const { return width && height ? (height - 1) * pitch + width : 0; }
};

void check_side(const void* p, std::size_t bytes, bool on_device, const char* which) {
  if (bytes != 0 && !p) fail("copy: the %s is a null pointer", which);
  if (bytes == 0 || (on_device ? in_device_memory(p, bytes) : !in_device_memory(p))) return;
  if (!on_device) fail("copy: the %s %p is device memory, but cudaMemcpyKind says host", which, p);
  const std::size_t left = bytes_from(memory().device, p);
  if (left == 0) fail("copy: the %s %p is not device memory", which, p);
  fail("copy: %zu bytes at the %s %p, but only %zu bytes of its allocation are left", bytes, which, p, left);
}

void copy_row(void* to, const void* from, std::size_t bytes, bool from_device, bool to_device) {
  std::memcpy(to, from, bytes);
  if (to_device && from_device)
    device_memory().copy_written(to, from, bytes);
  else if (to_device)
    device_memory().mark_written(to, bytes);
  else if (from_device)
    note_result(to, bytes);
}

cudaError_t copy(void* to, const void* from, std::size_t to_pitch, Rectangle r, cudaMemcpyKind kind,
                 cudaStream_t stream) {
  const std::size_t to_extent = Rectangle{to_pitch, r.width, r.height}.extent();
  if (to_extent == 0) return cudaSuccess;
  if (r.pitch < r.width || to_pitch < r.width) return cudaErrorInvalidValue;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return cudaErrorInvalidMemcpyDirection;
  const bool infer = kind == cudaMemcpyDefault;
  const bool to_device =
      infer ? in_device_memory(to) : kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device =
      infer ? in_device_memory(from) : kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  check_side(to, to_extent, to_device, "destination");
  check_side(from, r.extent(), from_device, "source");

  const bool capturing = is_capturing(stream);
  const auto pageable = [](const void* p) { return bytes_from(memory().pinned, p) == 0; };
  std::shared_ptr<std::vector<char>> staged;  // CUDA copies pageable sources before the call returns
  if (!from_device && to_device && !capturing && pageable(from))
    staged = std::make_shared<std::vector<char>>(static_cast<const char*>(from),
                                                 static_cast<const char*>(from) + r.extent());
  const cudaError_t queued = enqueue(stream, cudaGraphNodeTypeMemcpy, [=] {
    const DeviceAccess access;
    const char* source = staged ? staged->data() : static_cast<const char*>(from);
    for (std::size_t row = 0; row < r.height; ++row)
      copy_row(static_cast<char*>(to) + row * to_pitch, source + row * r.pitch, r.width, from_device,
               to_device);
  });
  const bool waits = from_device && !to_device && !capturing && pageable(to);
  return queued == cudaSuccess && waits ? synchronise(stream) : queued;
}

cudaError_t copy_and_wait(void* to, const void* from, std::size_t to_pitch, Rectangle r,
                          cudaMemcpyKind kind) {
  if (const cudaError_t e = forbidden_while_capturing(); e != cudaSuccess) return e;
  const std::uint64_t waits = counters().host_synchronisations;
  const cudaError_t copied = copy(to, from, to_pitch, r, kind, nullptr);
  const bool waited = counters().host_synchronisations != waits;
  return copied == cudaSuccess && !waited ? synchronise(nullptr) : copied;
}

cudaError_t fill(void* p, int value, std::size_t bytes, cudaStream_t stream) {
  check_side(p, bytes, true, "destination");
  return enqueue(stream, cudaGraphNodeTypeMemset, [=] {
    const DeviceAccess access;
    std::memset(p, value, bytes);
    device_memory().mark_written(p, bytes);
  });
}

}  // namespace

ptx::Memory& device_memory() {
  static ptx::Memory& all = *new ptx::Memory;
  return all;
}

std::size_t bytes_from(const void* p) { return bytes_from(memory().device, p); }

bool in_device_memory(const void* p, std::size_t bytes) {
  Memory& m = memory();
  const char* c = static_cast<const char*>(p);
  if (c < m.recent || c >= m.recent_end) {
    const auto next = m.device.upper_bound(c);
    if (next == m.device.begin()) return false;
    m.recent = std::prev(next)->first;
    m.recent_end = m.recent + std::prev(next)->second;
  }
  return c < m.recent_end && bytes <= std::size_t(m.recent_end - c);
}

void open_device_memory([[maybe_unused]] bool open) {
#if EMULATOR_ASAN
  static int depth = 0;  // copies and kernels nest
  if (open ? depth++ > 0 : --depth > 0) return;
  for (const auto& [p, n] : memory().device) {
    if (open)
      ASAN_UNPOISON_MEMORY_REGION(p, n);
    else
      ASAN_POISON_MEMORY_REGION(p, n);
  }
#endif
}

}  // namespace emulator::detail

using namespace emulator::detail;
using emulator::fail;

extern "C" {

cudaError_t cudaMalloc(void** p, std::size_t bytes) {
  return entry_point([=] {
    const cudaError_t forbidden = forbidden_while_capturing();
    return forbidden != cudaSuccess ? forbidden : allocate(p, bytes);
  });
}
cudaError_t cudaFree(void* p) {
  return release_point([=] {
    if (const cudaError_t e = forbidden_while_capturing(); e != cudaSuccess) return e;
    if (p) {
      ++counters().host_synchronisations;
      finish_all_streams();
    }
    deallocate(p);
    return cudaSuccess;
  });
}
// Memory nodes of graphs are not emulated.
cudaError_t cudaMallocAsync(void** p, std::size_t bytes, cudaStream_t stream) {
  return entry_point([=] { return is_capturing(stream) ? cudaErrorNotSupported : allocate(p, bytes); });
}
cudaError_t cudaFreeAsync(void* p, cudaStream_t stream) {
  return entry_point([=] {
    if (is_capturing(stream)) return cudaErrorNotSupported;
    return enqueue(stream, cudaGraphNodeTypeMemFree, [=] { deallocate(p); });
  });
}
cudaError_t cudaHostAlloc(void** p, std::size_t bytes, unsigned) {
  return entry_point([=] {
    if (const cudaError_t e = forbidden_while_capturing(); e != cudaSuccess) return e;
    if (!p) return cudaErrorInvalidValue;
    if (bytes > kTotalMemory) return cudaErrorMemoryAllocation;
    *p = std::malloc(std::max<std::size_t>(bytes, 1));
    if (!*p) return cudaErrorMemoryAllocation;
    memory().pinned[static_cast<char*>(*p)] = bytes;
    ++counters().allocations;
    return cudaSuccess;
  });
}
cudaError_t cudaMallocHost(void** p, std::size_t bytes) {
  return cudaHostAlloc(p, bytes, cudaHostAllocDefault);
}
cudaError_t cudaFreeHost(void* p) {
  return entry_point([=] {
    if (const cudaError_t e = forbidden_while_capturing(); e != cudaSuccess) return e;
    if (!p) return cudaSuccess;
    finish_all_streams();
    if (!memory().pinned.erase(static_cast<char*>(p))) fail("cudaFreeHost(%p): not an allocation", p);
    ++counters().frees;
    std::free(p);
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t n, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return entry_point([=] { return copy(to, from, n, {n, n, 1}, kind, stream); });
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t n, cudaMemcpyKind kind) {
  return entry_point([=] { return copy_and_wait(to, from, n, {n, n, 1}, kind); });
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind,
                              cudaStream_t stream) {
  return entry_point([=] { return copy(to, from, to_pitch, {from_pitch, width, height}, kind, stream); });
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  return entry_point([=] { return copy_and_wait(to, from, to_pitch, {from_pitch, width, height}, kind); });
}
cudaError_t cudaMemsetAsync(void* p, int value, std::size_t n, cudaStream_t stream) {
  return entry_point([=] { return fill(p, value, n, stream); });
}
cudaError_t cudaMemset(void* p, int value, std::size_t n) { return cudaMemsetAsync(p, value, n, nullptr); }

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total) {
  return entry_point([=] {
    *total = kTotalMemory;
    *free_bytes = kTotalMemory - memory().live_bytes;
    return cudaSuccess;
  });
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* p) {
  return entry_point([=] {
    void* address = const_cast<void*>(p);
    const bool device = in_device_memory(p), pinned = bytes_from(memory().pinned, p) > 0;
    *attributes = {};
    attributes->type = device   ? cudaMemoryTypeDevice
                       : pinned ? cudaMemoryTypeHost
                                : cudaMemoryTypeUnregistered;
    attributes->device = device || pinned ? 0 : cudaInvalidDeviceId;
    attributes->devicePointer = device || pinned ? address : nullptr;
    attributes->hostPointer = pinned ? address : nullptr;
    return cudaSuccess;
  });
}

// The only memory pool ignores its attributes, because cudaMallocAsync allocates like cudaMalloc.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  return entry_point([=] { return *pool = nullptr, cudaSuccess; });
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return cudaSuccess; }
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) { return cudaSuccess; }

}  // extern "C"
