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
#include "kernels/callers_capture.h"
#include "kernels/check.h"
#include "kernels/log.h"

namespace gpuvae {
namespace {

constexpr std::size_t kSmallest = 256;

// Rounds a size up, so that blocks can be reused. The granularity is an eighth of the largest power of two
// below the size, and at least 256 bytes.
std::size_t rounded(std::size_t bytes) {
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
    {
      const std::scoped_lock lock(mutex_);
      for (void* owner : {stream.handle(), ended()}) {
        Blocks& blocks = blocks_of(owner, size);
        if (blocks.empty()) continue;
        void* block = blocks.back();
        blocks.pop_back();
        return block;
      }
      ++system_allocations_;
    }
    void* block = device_.backend().allocate(size);
    std::size_t reserved = 0;
    {
      const std::scoped_lock lock(mutex_);
      reserved = reserved_ += size;
    }
    log_message(LogLevel::debug, "allocate", "{} bytes of {} from the system, which holds {} for tensors", size,
                device_, reserved);
    return block;
  }
  void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept override {
    const std::scoped_lock lock(mutex_);
    blocks_of(stream.handle(), rounded(bytes)).push_back(pointer);
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
    for (std::size_t i = 0; i < kSmallSizes; ++i) release(nullptr, (i + 1) * kSmallest, small_[i]);
    for (auto& [key, blocks] : free_) release(key.first, key.second, blocks);
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
  std::uint64_t system_allocations_ = 0;
};

// The counters are atomic, because every tensor changes them.
struct DeviceMemory {
  std::mutex mutex;                      // guards `custom` and the construction of the pool
  std::atomic<Pool*> pool = nullptr;     // made when it is first needed, and never destroyed
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
DeviceMemory& memory_of(int slot) {
  constexpr int kMaxDevices = 65;
  static auto* slots = new DeviceMemory[kMaxDevices];
  check(slot >= 0 && slot < kMaxDevices, "memory", "expected at most {} devices", kMaxDevices - 1);
  return slots[slot];
}
int slot_of(Device device) { return device.is_cpu() ? 0 : 1 + device.index(); }

Pool& pool_of(DeviceMemory& memory, Device device) {
  if (Pool* pool = memory.pool.load(std::memory_order_acquire)) return *pool;
  const std::scoped_lock lock(memory.mutex);
  if (!memory.pool.load()) memory.pool.store(new Pool(device), std::memory_order_release);
  return *memory.pool.load();
}

// Returns the user's allocator, or null if there is none.
std::shared_ptr<Allocator> custom_allocator(DeviceMemory& memory) {
  if (!memory.has_custom.load(std::memory_order_acquire)) return nullptr;
  const std::scoped_lock lock(memory.mutex);
  return memory.custom;
}

// Returns a pointer that does not own the pool, which lives as long as the process.
std::shared_ptr<Allocator> borrowed(Allocator& allocator) {
  return {std::shared_ptr<void>(), &allocator};
}

// The capture that this thread is recording, or null. It is a plain pointer, because tensors may be destroyed
// after the thread's thread_local objects.
thread_local const CaptureScope* capturing = nullptr;

const CaptureScope* capture_of(Device device) {
  return capturing && capturing->device == device ? capturing : nullptr;
}

// The memory of graphs that the caller of the library captures. The graph owns it. It is released when the
// graph is destroyed, but no CUDA call is allowed then, so that the library destroys it at a later call.
struct CallersCaptures {
  std::mutex mutex;                                                            // guards `memory`
  std::map<std::pair<int, std::uint64_t>, std::weak_ptr<GraphMemory>> memory;  // by device and capture
  std::mutex released_mutex;  // guards `released`; never held during a CUDA call
  std::vector<std::shared_ptr<GraphMemory>> released;
  std::atomic<bool> has_released = false;
};
CallersCaptures& callers_captures() {
  static auto* all = new CallersCaptures;  // never destroyed, like memory_of()
  return *all;
}

// Called when the last graph of a capture is destroyed. `owned` is a std::shared_ptr<GraphMemory>.
void release_graph_memory(void* owned) {
  const std::unique_ptr<std::shared_ptr<GraphMemory>> memory(static_cast<std::shared_ptr<GraphMemory>*>(owned));
  CallersCaptures& captures = callers_captures();
  const std::scoped_lock lock(captures.released_mutex);
  captures.released.push_back(std::move(*memory));
  captures.has_released.store(true, std::memory_order_release);
}

void destroy_released_memory() {
  CallersCaptures& captures = callers_captures();
  if (!captures.has_released.load(std::memory_order_acquire)) return;
  std::vector<std::shared_ptr<GraphMemory>> released;
  {
    const std::scoped_lock lock(captures.released_mutex);
    released.swap(captures.released);
    captures.has_released.store(false, std::memory_order_relaxed);
  }
  // Without a lock, because an owner of wrapped memory may use the library when it is released.
  released.clear();
  const std::scoped_lock lock(captures.mutex);
  std::erase_if(captures.memory, [](const auto& entry) { return entry.second.expired(); });
}

// Returns the memory of the graph into which the caller of the library captures the stream, or null.
std::shared_ptr<GraphMemory> callers_memory(const Stream& stream) {
  const int device = stream.device().index();
  if (stream.device().is_cpu() || !stream.handle()) return nullptr;  // the default stream cannot be captured
  const std::uint64_t number = kernels::capture_number(device, stream.handle());
  if (number == 0) return nullptr;
  CallersCaptures& captures = callers_captures();
  const std::scoped_lock lock(captures.mutex);
  std::weak_ptr<GraphMemory>& known = captures.memory[{device, number}];
  if (std::shared_ptr<GraphMemory> memory = known.lock()) return memory;
  const auto memory = std::make_shared<GraphMemory>(stream.device());
  auto owned = std::make_unique<std::shared_ptr<GraphMemory>>(memory);
  kernels::attach_to_capture(device, stream.handle(), owned.get(), release_graph_memory);
  owned.release();
  known = memory;
  return memory;
}

// Returns the memory of the graph into which work on the stream is captured, by the library or by its caller;
// null if it is not captured.
std::shared_ptr<GraphMemory> graph_memory(const Stream& stream) {
  if (const CaptureScope* capture = capture_of(stream.device())) return capture->memory;
  return callers_memory(stream);
}
std::shared_ptr<GraphMemory> graph_memory_or_null(const Stream& stream) noexcept {
  try {
    return graph_memory(stream);
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

GraphMemory::GraphMemory(Device device)
    : upstream_(custom_allocator(memory_of(slot_of(device)))), is_custom_(upstream_ != nullptr) {
  if (!is_custom_) upstream_ = borrowed(pool_of(memory_of(slot_of(device)), device));
}

GraphMemory::~GraphMemory() {
  for (const Block& b : free_) {
    if (aside_) wait_aside(b.stream);
    b.from->free(b.pointer, b.bytes, aside_ ? *aside_ : b.stream);
  }
  for (const Block& b : kept_) b.from->free(b.pointer, b.bytes, b.stream);
}

void* GraphMemory::allocate(std::size_t bytes, const Stream& stream) {
  const std::size_t size = rounded(bytes);
  const std::scoped_lock lock(mutex_);
  const auto fits = [&](const Block& b) { return b.bytes == size && b.stream == stream; };
  const auto found = std::find_if(free_.begin(), free_.end(), fits);
  if (found == free_.end()) return fresh(size, stream);
  void* pointer = found->pointer;
  free_.erase(found);
  return pointer;
}

void* GraphMemory::fresh(std::size_t size, const Stream& stream) {
  if (!is_custom_) return upstream_->allocate(size, stream);
  if (!aside_) aside_.emplace(stream.device());
  void* pointer = upstream_->allocate(size, *aside_);
  stream.device().backend().synchronize(aside_->handle());
  return pointer;
}

// Makes later work on aside_ wait for the launches of the graph.
void GraphMemory::wait_aside(const Stream& stream) noexcept {
  try {
    if (last_waited_ != stream.handle()) aside_->wait(stream.record());
    last_waited_ = stream.handle();
  } catch (const Error&) {  // after a device failure, the next call that uses the device throws
  }
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

bool is_capturing(Device device) {
  if (capture_of(device)) return true;
  const Stream stream = Stream::current(device);
  return !device.is_cpu() && stream.handle() && kernels::capture_number(device.index(), stream.handle()) != 0;
}

void refuse_in_capture(const char* call, Device device) {
  check(
      !is_capturing(device), call,
      "expected only work that can be queued during a graph capture, got a call that waits for {} or copies "
      "from the host",
      device);
}

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device) {
  auto storage = std::make_shared<Storage>(nullptr, bytes, Stream::current(device));
  const int slot = slot_of(device);
  DeviceMemory& memory = memory_of(slot);
  if (!device.is_cpu()) {
    destroy_released_memory();
    storage->custom = graph_memory(storage->stream);
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
  if (Pool* pool = memory_of(slot_of(device)).pool.load(std::memory_order_acquire)) pool->release_stream(stream);
}

void release_unused_memory(Device device) {
  destroy_released_memory();
  if (Pool* pool = memory_of(slot_of(device)).pool.load(std::memory_order_acquire)) pool->trim();
}

}  // namespace gpuvae
