// Device memory: one stream-ordered pool per device, with usage counters. A custom allocator can replace it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "gpuvae/device.h"

#pragma GCC visibility push(default)
namespace gpuvae {

// Interface of a custom allocator of tensors; gpuvae/memory_resource.h adapts those of RMM and cuda::mr.
// Several threads may call it at the same time. Memory is stream-ordered: a block is freed on the stream on
// which it was allocated, and may be allocated again on that stream without waiting. If a program uses a
// tensor on another stream, it must make the tensor's own stream wait for that work (Stream::wait) before the
// tensor is destroyed. For the memory of a captured graph, the stream is another one than the captured
// stream, so that an allocator may queue work on it.
//
// On CUDA, each stream on which the library computes has 33 MiB of workspace besides, which comes from
// cudaMalloc and not from the allocator.
class Allocator {
 public:
  virtual ~Allocator() = default;
  // Returns memory, aligned to 64 bytes (256 on CUDA), for work that is queued on `stream` after the call.
  // `bytes` may be 0; the pointer must not be null even then. Throws Error if the allocation fails.
  [[nodiscard]] virtual void* allocate(std::size_t bytes, const Stream& stream) = 0;
  // Frees a block that allocate() returned. `bytes` and `stream` are those of the allocation.
  virtual void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept = 0;
};

// Counters of a device's memory.
struct MemoryStatistics {
  std::size_t live_bytes = 0;            // bytes held by tensors
  std::size_t peak_bytes = 0;            // largest live_bytes since the last reset_peak_memory()
  std::size_t reserved_bytes = 0;        // bytes that the pool currently holds, whether used or free
  std::uint64_t allocations = 0;         // number of allocations by tensors so far
  std::uint64_t system_allocations = 0;  // how many of them the pool passed on to the system
};
// Returns the counters of one device. Any thread may call this function.
[[nodiscard]] MemoryStatistics memory_statistics(Device device);
// Sets peak_bytes to live_bytes.
void reset_peak_memory(Device device);

// Sets the allocator of all tensors that are created after the call; null restores the pool. Each block is
// freed by the allocator that returned it.
void set_allocator(Device device, std::shared_ptr<Allocator> allocator);
// Returns the pool's unused blocks to the system. This function waits for the device.
void release_unused_memory(Device device);

}  // namespace gpuvae
#pragma GCC visibility pop
