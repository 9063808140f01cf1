// Device memory: a pool per device, stream-ordered, with counters; replaceable by the user's own allocator.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "gpuvae/device.h"

namespace gpuvae {

// Gives memory that may be used by work put on `stream` from now on, 64-byte aligned (256 on CUDA). A block
// is freed on the stream it was allocated on and may be handed out again there without waiting: whoever uses
// a tensor on another stream makes the two wait for each other before the tensor dies. Calls come from any
// thread, on the CPU also at once (load_mnist reads on two).
class Allocator {
 public:
  virtual ~Allocator() = default;
  [[nodiscard]] virtual void* allocate(std::size_t bytes, const Stream& stream) = 0;
  virtual void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept = 0;
};

struct MemoryStatistics {
  std::size_t live_bytes = 0;            // held by tensors now
  std::size_t peak_bytes = 0;            // most ever held by tensors
  std::size_t reserved_bytes = 0;        // taken from the system by the pool
  std::uint64_t allocations = 0;         // by tensors
  std::uint64_t system_allocations = 0;  // those the pool had no block for
};
[[nodiscard]] MemoryStatistics memory_statistics(Device device);
void reset_peak_memory(Device device);

// The allocator of tensors made from now on; null restores the pool. Blocks return to where they came from.
void set_allocator(Device device, std::shared_ptr<Allocator> allocator);
// Gives the pool's unused blocks back to the system. Waits for the device.
void release_unused_memory(Device device);

}  // namespace gpuvae
