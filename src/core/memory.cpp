#include "src/core/memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/check.h"

namespace gpuvae {
namespace {

// Rounds a size up, so that blocks can be reused. The granularity is an eighth of the largest power of two
// below the size, and at least 256 bytes.
std::size_t rounded(std::size_t bytes) {
  constexpr std::size_t kSmallest = 256;
  if (bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes - 1) / 8);
  check(bytes <= SIZE_MAX - step, "allocate", "expected a size below 2^64, got {} bytes", bytes);
  return (bytes + step - 1) / step * step;
}

// Keeps lists of free blocks per stream and size. A block is reused on the stream that freed it, so no
// synchronisation is needed. Blocks of destroyed streams may be reused on any stream.
class Pool final : public Allocator {
 public:
  explicit Pool(Device device) : device_(device) {}

  void* allocate(std::size_t bytes, const Stream& stream) override {
    const std::size_t size = rounded(bytes);
    std::scoped_lock lock(mutex_);
    for (void* owner : {stream.handle(), ended()}) {
      auto& blocks = free_[{owner, size}];
      if (blocks.empty()) continue;
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
  void release_stream(void* stream) {
    std::scoped_lock lock(mutex_);
    for (auto found = free_.lower_bound({stream, 0}); found != free_.end() && found->first.first == stream;) {
      auto& blocks = free_[{ended(), found->first.second}];
      blocks.insert(blocks.end(), found->second.begin(), found->second.end());
      found = free_.erase(found);
    }
  }
  void trim() {
    std::scoped_lock lock(mutex_);
    release_blocks();
  }
  // Like trim(), but does nothing if another thread holds the lock.
  void trim_at_end() {
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock) release_blocks();
  }
  void describe(MemoryStatistics& into) {
    std::scoped_lock lock(mutex_);
    into.reserved_bytes = reserved_;
    into.system_allocations = system_allocations_;
  }

 private:
  void* ended() { return this; }  // key of blocks of destroyed streams; no stream has this handle

  void release_blocks() {
    for (auto& [key, blocks] : free_) {
      if (!blocks.empty() && key.first != ended()) device_.backend().synchronize(key.first);
      for (void* block : blocks) {
        device_.backend().release(block);
        reserved_ -= key.second;
      }
      blocks.clear();
    }
  }

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

// Slot 0 is the CPU, and slot 1 + i is CUDA device i. The slots are never destroyed, because tensors may
// outlive static destruction.
constexpr int kMaxDevices = 65;
union Slots {
  constexpr Slots() : memory() {}
  ~Slots() {}
  std::array<DeviceMemory, kMaxDevices> memory;
};
constinit Slots slots;

DeviceMemory& memory_of(int slot) {
  check(slot >= 0 && slot < kMaxDevices, "memory", "expected at most {} devices", kMaxDevices - 1);
  return slots.memory[static_cast<std::size_t>(slot)];
}
int slot_of(Device device) { return device.is_cpu() ? 0 : 1 + device.index(); }

// Frees the unused memory of the CPU when the process exits or dlclose() unloads the library, which a program
// may load many times. Tensors that still exist keep the pool.
class ReleaseAtEnd {
 public:
  explicit ReleaseAtEnd(DeviceMemory& memory) : memory_(memory) {}
  ~ReleaseAtEnd() {
    // A forked process may have inherited a lock that is never released.
    const std::unique_lock lock(memory_.mutex, std::try_to_lock);
    if (!lock || !memory_.pool) return;
    memory_.pool->trim_at_end();
    if (memory_.allocator == memory_.pool) memory_.allocator.reset();
    memory_.pool.reset();
  }
  ReleaseAtEnd(const ReleaseAtEnd&) = delete;
  ReleaseAtEnd& operator=(const ReleaseAtEnd&) = delete;

 private:
  DeviceMemory& memory_;
};

// Callers must hold the lock.
void ensure_pool(DeviceMemory& memory, Device device) {
  if (memory.pool) return;
  memory.pool = std::make_shared<Pool>(device);
  if (device.is_cpu()) {
    (void)device.backend();  // is made first, and thus destroyed after the object that uses it
    static const ReleaseAtEnd release_at_end(memory);
  }
  if (!memory.allocator) memory.allocator = memory.pool;
}

std::shared_ptr<Allocator> allocator_of(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  ensure_pool(memory, device);
  return memory.allocator;
}

// The capture that this thread is recording, or null. It is a plain pointer, because tensors may be destroyed
// after the thread's thread_local objects.
thread_local const CaptureScope* capturing = nullptr;

}  // namespace

GraphMemory::GraphMemory(Device device) : upstream_(allocator_of(device)) {}

GraphMemory::~GraphMemory() {
  for (const Block& b : free_) b.from->free(b.pointer, b.bytes, b.stream);
  for (const Block& b : kept_) b.from->free(b.pointer, b.bytes, b.stream);
}

void* GraphMemory::allocate(std::size_t bytes, const Stream& stream) {
  const std::size_t size = rounded(bytes);
  std::scoped_lock lock(mutex_);
  const auto fits = [&](const Block& b) { return b.bytes == size && b.stream == stream; };
  const auto found = std::find_if(free_.begin(), free_.end(), fits);
  if (found == free_.end()) return upstream_->allocate(size, stream);
  void* pointer = found->pointer;
  free_.erase(found);
  return pointer;
}

void GraphMemory::free(void* pointer, std::size_t bytes, const Stream& stream) noexcept {
  std::scoped_lock lock(mutex_);
  free_.push_back({upstream_, pointer, rounded(bytes), stream});
}

void GraphMemory::keep(std::shared_ptr<Allocator> allocator, void* pointer, std::size_t bytes,
                       const Stream& stream) noexcept {
  std::scoped_lock lock(mutex_);
  kept_.push_back({std::move(allocator), pointer, bytes, stream});
}

void GraphMemory::keep(std::shared_ptr<void> owner) noexcept {
  std::scoped_lock lock(mutex_);
  owners_.push_back(std::move(owner));
}

CaptureScope::CaptureScope(Device d, std::shared_ptr<GraphMemory> m) : device(d), memory(std::move(m)) {
  check(!capturing, "graph", "expected no capture inside another capture of the same thread");
  capturing = this;
}
CaptureScope::~CaptureScope() { capturing = nullptr; }

bool is_capturing(Device device) { return capturing && capturing->device == device; }

void refuse_in_capture(const char* call, Device device) {
  check(
      !is_capturing(device), call,
      "expected only work that can be queued during a graph capture, got a call that waits for {} or copies "
      "from the host",
      device);
}

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device) {
  auto storage = std::make_shared<Storage>(nullptr, bytes, Stream::current(device));
  DeviceMemory& memory = memory_of(slot_of(device));
  std::shared_ptr<Allocator> allocator =
      is_capturing(device) ? std::shared_ptr<Allocator>(capturing->memory) : allocator_of(device);
  storage->pointer = allocator->allocate(bytes, storage->stream);
  check(storage->pointer != nullptr, Origin("allocate", ErrorKind::out_of_memory),
        "{} bytes on {}: the allocator returned a null pointer", bytes, device);
  storage->allocator = std::move(allocator);
  storage->pool = slot_of(device);
  std::scoped_lock lock(memory.mutex);
  ++memory.statistics.allocations;
  memory.statistics.live_bytes += bytes;
  memory.statistics.peak_bytes = std::max(memory.statistics.peak_bytes, memory.statistics.live_bytes);
  return storage;
}

Storage::~Storage() {
  if (owner && is_capturing(stream.device())) capturing->memory->keep(std::move(owner));
  if (!allocator) return;
  if (is_capturing(stream.device()) && allocator != capturing->memory)
    capturing->memory->keep(allocator, pointer, bytes, stream);  // captured work may use the block
  else
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

void release_stream(Device device, void* stream) noexcept {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  if (memory.pool) memory.pool->release_stream(stream);
}

void release_unused_memory(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  std::scoped_lock lock(memory.mutex);
  if (memory.pool) memory.pool->trim();
}

}  // namespace gpuvae
