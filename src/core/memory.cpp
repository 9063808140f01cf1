#include "src/core/memory.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/log.h"

namespace gpuvae {
namespace {

constexpr std::size_t kSmallest = 256;

// Keeps lists of free blocks per stream and size. A block is reused on the stream that freed it, so no
// synchronisation is needed. Blocks of destroyed streams may be reused on any stream.
class Pool final : public Allocator {
 public:
  explicit Pool(Device device) : device_(device) {}

  void* allocate(std::size_t bytes, const Stream& stream) override {
    const std::size_t size = rounded_size(bytes);
    {
      const std::scoped_lock lock(mutex_);
      for (void* owner : {stream.handle(), ended()}) {
        Blocks& blocks = blocks_of(owner, size);
        if (blocks.empty()) continue;
        void* block = blocks.back();
        blocks.pop_back();
        ++handed_out_;
        return block;
      }
      ++system_allocations_;
    }
    void* block = device_.backend().allocate(size);
    std::size_t reserved = 0;
    {
      const std::scoped_lock lock(mutex_);
      reserved = reserved_ += size;
      ++handed_out_;
    }
    log_message(LogLevel::debug, "allocate", "{} bytes of {} from the system, which holds {} for tensors",
                size, device_, reserved);
    return block;
  }
  void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept override {
    const std::scoped_lock lock(mutex_);
    blocks_of(stream.handle(), rounded_size(bytes)).push_back(pointer);
    --handed_out_;
  }
  void release_stream(void* stream) {
    const std::scoped_lock lock(mutex_);
    for (auto found = free_.lower_bound({stream, 0}); found != free_.end() && found->first.first == stream;) {
      Blocks& blocks = free_[{ended(), found->first.second}];
      blocks.insert(blocks.end(), found->second.begin(), found->second.end());
      found = free_.erase(found);
    }
  }
  void trim() {
    const std::scoped_lock lock(mutex_);
    release_blocks();
  }
  // Like trim(), but does nothing if another thread holds the lock: a forked process may have inherited one
  // that is never released.
  // Returns whether no tensor has a block of this pool.
  bool trim_at_end() {
    const std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return false;
    release_blocks();
    return handed_out_ == 0;
  }
  void describe(MemoryStatistics& into) {
    const std::scoped_lock lock(mutex_);
    into.reserved_bytes = reserved_;
    into.system_allocations = system_allocations_;
  }

 private:
  using Blocks = std::vector<void*>;
  // Blocks of the default stream, and thus of the CPU, that have one of these many sizes are found at once.
  // Up to here, sizes are multiples of kSmallest.
  static constexpr std::size_t kSmallSizes = 16;

  void* ended() { return this; }  // key of blocks of destroyed streams; no stream has this handle

  Blocks& blocks_of(void* owner, std::size_t size) {
    const std::size_t index = size / kSmallest - 1;
    return !owner && index < kSmallSizes ? small_[index] : free_[{owner, size}];
  }
  void release_blocks() {
    for (std::size_t i = 0; i < kSmallSizes; ++i) release(nullptr, (i + 1) * kSmallest, small_[i]);
    for (auto& [key, blocks] : free_) release(key.first, key.second, blocks);
  }
  void release(void* owner, std::size_t size, Blocks& blocks) {
    if (!blocks.empty() && owner != ended()) device_.backend().synchronize(owner);
    for (void* block : blocks) {
      device_.backend().release(block);
      reserved_ -= size;
    }
    blocks.clear();
  }

  Device device_;
  std::mutex mutex_;
  std::array<Blocks, kSmallSizes> small_;
  std::map<std::pair<void*, std::size_t>, Blocks> free_;
  std::size_t reserved_ = 0;
  std::uint64_t handed_out_ = 0;  // blocks that tensors have
  std::uint64_t system_allocations_ = 0;
};

// The counters are atomic, because every tensor changes them.
struct DeviceMemory {
  std::mutex mutex;                      // guards `custom` and the construction of the pool
  std::atomic<Pool*> pool = nullptr;     // made when it is first needed
  std::shared_ptr<Allocator> custom;     // the user's allocator, or null
  std::atomic<bool> has_custom = false;  // whether `custom` is not null
  std::atomic<std::size_t> live_bytes = 0, peak_bytes = 0;
  std::atomic<std::uint64_t> allocations = 0;

  void count(std::size_t bytes) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    const std::size_t live = live_bytes.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    std::size_t peak = peak_bytes.load(std::memory_order_relaxed);
    while (live > peak && !peak_bytes.compare_exchange_weak(peak, live, std::memory_order_relaxed)) {
    }
  }
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
// may load many times. The pool itself stays if a tensor still exists.
class ReleaseAtEnd {
 public:
  explicit ReleaseAtEnd(DeviceMemory& memory) : memory_(memory) {}
  ~ReleaseAtEnd() {
    Pool* pool = memory_.pool.load();
    if (!pool->trim_at_end()) return;
    memory_.pool.store(nullptr);
    delete pool;
  }
  ReleaseAtEnd(const ReleaseAtEnd&) = delete;
  ReleaseAtEnd& operator=(const ReleaseAtEnd&) = delete;

 private:
  DeviceMemory& memory_;
};

Pool& pool_of(DeviceMemory& memory, Device device) {
  if (Pool* pool = memory.pool.load(std::memory_order_acquire)) return *pool;
  const std::scoped_lock lock(memory.mutex);
  if (Pool* pool = memory.pool.load()) return *pool;
  auto* pool = new Pool(device);
  if (device.is_cpu()) {
    (void)device.backend();  // is made first, and thus destroyed after the object that uses it
    static const ReleaseAtEnd release_at_end(memory);
  }
  memory.pool.store(pool, std::memory_order_release);
  return *pool;
}

// Returns the user's allocator, or null if there is none.
std::shared_ptr<Allocator> custom_allocator(DeviceMemory& memory) {
  if (!memory.has_custom.load(std::memory_order_acquire)) return nullptr;
  const std::scoped_lock lock(memory.mutex);
  return memory.custom;
}

}  // namespace

std::size_t rounded_size(std::size_t bytes) {
  if (bytes <= kSmallest) return kSmallest;
  const std::size_t step = std::max(kSmallest, std::bit_floor(bytes - 1) / 8);
  check(bytes <= SIZE_MAX - step, "allocate", "expected a size below 2^64, got {} bytes", bytes);
  return (bytes + step - 1) / step * step;
}

std::shared_ptr<Allocator> borrowed(Allocator& allocator) { return {std::shared_ptr<void>(), &allocator}; }

CurrentAllocator current_allocator(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  if (std::shared_ptr<Allocator> custom = custom_allocator(memory)) return {std::move(custom), true};
  return {borrowed(pool_of(memory, device)), false};
}

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device) {
  auto storage = std::make_shared<Storage>(nullptr, bytes, Stream::current(device));
  const int slot = slot_of(device);
  DeviceMemory& memory = memory_of(slot);
  if (!device.is_cpu()) {
    storage->custom = graph_memory(storage->stream);
    if (!storage->custom) destroy_released_memory();
  }
  if (!storage->custom) storage->custom = custom_allocator(memory);
  Allocator* allocator = storage->custom ? storage->custom.get() : &pool_of(memory, device);
  storage->pointer = allocator->allocate(bytes, storage->stream);
  check(storage->pointer != nullptr, Origin("allocate", ErrorKind::out_of_memory),
        "{} bytes on {}: the allocator returned a null pointer", bytes, device);
  storage->allocator = allocator;
  storage->pool = slot;
  memory.count(bytes);
  return storage;
}

Storage::~Storage() {
  const std::shared_ptr<GraphMemory> graph =
      stream.device().is_cpu() ? nullptr : graph_memory_or_null(stream);
  if (owner && graph) graph->keep(std::move(owner));
  if (!allocator) return;
  if (graph && allocator != graph.get())  // captured work may use the block
    graph->keep(custom ? custom : borrowed(*allocator), pointer, bytes, stream);
  else
    allocator->free(pointer, bytes, stream);
  memory_of(pool).live_bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

MemoryStatistics memory_statistics(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  MemoryStatistics result;
  result.live_bytes = memory.live_bytes.load(std::memory_order_relaxed);
  result.peak_bytes = memory.peak_bytes.load(std::memory_order_relaxed);
  result.allocations = memory.allocations.load(std::memory_order_relaxed);
  if (Pool* pool = memory.pool.load(std::memory_order_acquire)) pool->describe(result);
  return result;
}

void reset_peak_memory(Device device) {
  DeviceMemory& memory = memory_of(slot_of(device));
  memory.peak_bytes.store(memory.live_bytes.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

void set_allocator(Device device, std::shared_ptr<Allocator> allocator) {
  DeviceMemory& memory = memory_of(slot_of(device));
  {
    const std::scoped_lock lock(memory.mutex);
    memory.custom.swap(allocator);
    memory.has_custom.store(memory.custom != nullptr, std::memory_order_release);
  }
  // The previous allocator is released here, outside the lock, because its destructor may use the library.
}

void release_stream(Device device, void* stream) noexcept {
  if (Pool* pool = memory_of(slot_of(device)).pool.load(std::memory_order_acquire))
    pool->release_stream(stream);
}

void release_unused_memory(Device device) {
  destroy_released_memory();
  if (Pool* pool = memory_of(slot_of(device)).pool.load(std::memory_order_acquire)) pool->trim();
}

}  // namespace gpuvae
