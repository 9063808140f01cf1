// Device memory: one stream-ordered pool per device, with counters. A custom allocator can replace the pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "gpuvae/device.h"

namespace gpuvae {

// Interface of a custom allocator. Any thread may call it, and on the CPU several threads may call it at the
// same time. Memory is stream-ordered: it is freed on the stream on which it was allocated, and may be
// allocated again there without waiting. A program that uses a tensor on another stream must make that
// stream's work finish before the tensor is destroyed, for instance with Stream::wait.
class Allocator {
 public:
  virtual ~Allocator() = default;
  // Returns memory for work that is queued on `stream` from now on, aligned to 64 bytes (256 on CUDA). Throws
  // Error if the allocation fails.
  [[nodiscard]] virtual void* allocate(std::size_t bytes, const Stream& stream) = 0;
  // Takes back a block of allocate(), with the same size and stream.
  virtual void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept = 0;
};

// Counters of a device's memory since the program started.
struct MemoryStatistics {
  std::size_t live_bytes = 0;            // bytes held by tensors
  std::size_t peak_bytes = 0;            // the largest value of live_bytes
  std::size_t reserved_bytes = 0;        // bytes that the pool took from the system
  std::uint64_t allocations = 0;         // requests by tensors
  std::uint64_t system_allocations = 0;  // requests that the pool could not serve
};
// Returns the counters of one device. Any thread may call this function.
[[nodiscard]] MemoryStatistics memory_statistics(Device device);
// Sets peak_bytes to live_bytes.
void reset_peak_memory(Device device);

// Sets the allocator of all tensors that are created from now on; null restores the pool. A block returns to
// the allocator that it came from.
void set_allocator(Device device, std::shared_ptr<Allocator> allocator);
// Returns the pool's unused blocks to the system. This function waits for the device.
void release_unused_memory(Device device);

}  // namespace gpuvae
