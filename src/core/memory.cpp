#include "src/core/memory.h"

#include <bit>
#include <map>
#include <mutex>
#include <vector>

#include "kernels/backend.h"
#include "kernels/check.h"

namespace gpuvae {
namespace {

// Sizes are rounded so that blocks are reused: up to an eighth of their power of two.
std::size_t rounded(std::size_t bytes) {
  constexpr std::size_t kSmallest = 256;
  if (bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes - 1) / 8);
  check(bytes <= SIZE_MAX - step, "allocate", "expected a size below 2^64, got {} bytes", bytes);
  return (bytes + step - 1) / step * step;
}

// Free blocks by (stream, size). A block is reused on the stream that freed it, so no waiting is needed.
class Pool final : public Allocator {
 public:
  explicit Pool(Device device) : device_(device) {}

  void* allocate(std::size_t bytes, const Stream& stream) override {
    const std::size_t size = rounded(bytes);
    std::scoped_lock lock(mutex_);
    auto& blocks = free_[{stream.handle(), size}];
    if (!blocks.empty()) {
      void* block = blocks.back();
      blocks.pop_back();
      return block;
    }
    ++system_allocations_;
    void* block = device_.backend().allocate(size);
    reserved_ += size;
    return block;
  }
  void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept override {
    std::scoped_lock lock(mutex_);
    free_[{stream.handle(), rounded(bytes)}].push_back(pointer);
  }
  void trim() {
    std::scoped_lock lock(mutex_);
    for (auto& [key, blocks] : free_) {
      if (!blocks.empty()) device_.backend().synchronize(key.first);
      for (void* block : blocks) device_.backend().release(block), reserved_ -= key.second;
      blocks.clear();
    }
  }
  void describe(MemoryStatistics& into) {
    std::scoped_lock lock(mutex_);
    into.reserved_bytes = reserved_;
    into.system_allocations = system_allocations_;
  }

 private:
  Device device_;
  std::mutex mutex_;
  std::map<std::pair<void*, std::size_t>, std::vector<void*>> free_;
  std::size_t reserved_ = 0;
  std::uint64_t system_allocations_ = 0;
};

struct DeviceMemory {
  std::mutex mutex;
  std::shared_ptr<Pool> pool;
  std::shared_ptr<Allocator> allocator;  // the user's, or the pool
  MemoryStatistics statistics;
};

// Slot 0 is the CPU, 1 + i the CUDA device i. Never destroyed: tensors may outlive static destruction.
DeviceMemory& memory_of(int slot) {
  constexpr int kMostDevices = 65;
  static auto* slots = new DeviceMemory[kMostDevices];
  check(slot >= 0 && slot < kMostDevices, "memory", "expected at most {} devices", kMostDevices - 1);
  return slots[slot];
}
int slot_of(Device device) { return device.is_cpu() ? 0 : 1 + device.index(); }

// Callers hold the lock.
void ensure_pool(DeviceMemory& memory, Device device) {
  if (memory.pool) return;
  memory.pool = std::make_shared<Pool>(device);
  if (!memory.allocator) memory.allocator = memory.pool;
}

}  // namespace

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device) {
  auto storage = std::make_shared<Storage>(nullptr, bytes, Stream::current(device));
  DeviceMemory& memory = memory_of(slot_of(device));
  std::shared_ptr<Allocator> allocator;
  {
    std::scoped_lock lock(memory.mutex);
    ensure_pool(memory, device);
    allocator = memory.allocator;
  }
  storage->pointer = allocator->allocate(bytes, storage->stream);
  check(storage->pointer != nullptr, "allocate", "{} bytes on {}: the allocator returned nothing", bytes,
        device.text());
  storage->allocator = std::move(allocator);
  storage->pool = slot_of(device);
  std::scoped_lock lock(memory.mutex);
  ++memory.statistics.allocations;
  memory.statistics.live_bytes += bytes;
  memory.statistics.peak_bytes = std::max(memory.statistics.peak_bytes, memory.statistics.live_bytes);
  return storage;
}

Storage::~Storage() {
  if (!allocator) return;
  allocator->free(pointer, bytes, stream);
  DeviceMemory& memory = memory_of(pool);
  std::scoped_lock lock(memory.mutex);
  memory.statistics.live_bytes -= bytes;
}

MemoryStatistics memory_statistics(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  MemoryStatistics result = memory.statistics;
  if (memory.pool) memory.pool->describe(result);
  return result;
}

void reset_peak_memory(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  memory.statistics.peak_bytes = memory.statistics.live_bytes;
}

void set_allocator(Device device, std::shared_ptr<Allocator> allocator) {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  ensure_pool(memory, device);
  memory.allocator = allocator ? std::move(allocator) : memory.pool;
}

void release_unused_memory(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  if (memory.pool) memory.pool->trim();
}

}  // namespace gpuvae
