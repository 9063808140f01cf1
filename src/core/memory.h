// Storage of tensors, and memory that belongs to a captured graph.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "gpuvae/memory.h"

namespace gpuvae {

// A block of memory. The destructor returns it to its allocator or, for memory wrapped by Tensor::view(),
// releases its owner.
struct Storage {
  void* pointer = nullptr;
  std::size_t bytes = 0;
  Stream stream;
  Allocator* allocator = nullptr;          // null for wrapped memory
  std::shared_ptr<Allocator> custom;       // keeps `allocator` alive, unless it is the pool
  std::shared_ptr<void> owner;             // owner of wrapped memory, or null
  int pool = -1;                           // slot of the device, for the counters; -1 for wrapped memory
  std::atomic<std::uint64_t> version = 0;  // counts changes of the elements in place

  Storage(void* p, std::size_t n, const Stream& s) : pointer(p), bytes(n), stream(s) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
};

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device);

// Rounds a size up, so that blocks can be reused. The granularity is an eighth of the largest power of two
// below the size, and at least 256 bytes.
std::size_t rounded_size(std::size_t bytes);

// The allocator of a device's new tensors: the user's, or the pool.
struct CurrentAllocator {
  std::shared_ptr<Allocator> allocator;
  bool is_custom = false;
};
CurrentAllocator current_allocator(Device device);
// Returns a pointer that does not own the allocator, for the pool, which lives as long as the process.
std::shared_ptr<Allocator> borrowed(Allocator& allocator);

// Makes blocks that were freed on the stream available to all streams. Call this function after the stream
// was destroyed, when all its work is done.
void release_stream(Device device, void* stream) noexcept;

// Memory that a captured graph reads and writes must not be used elsewhere until the graph is destroyed.
// Blocks that are allocated during the capture are therefore reused only within it, and return to the
// device's allocator when this object is destroyed. Blocks of other allocators that tensors release during
// the capture are kept until then, too. Thread-safe.
//
// A custom allocator may queue its work on the stream that it receives, as cudaMallocAsync does. During a
// capture, that work would become a part of the graph, so a custom allocator receives another stream.
class GraphMemory final : public Allocator {
 public:
  explicit GraphMemory(Device device);
  ~GraphMemory() override;
  void* allocate(std::size_t bytes, const Stream& stream) override;
  void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept override;
  void keep(std::shared_ptr<Allocator> allocator, void* pointer, std::size_t bytes,
            const Stream& stream) noexcept;
  void keep(std::shared_ptr<void> owner) noexcept;

 private:
  struct Block {
    std::shared_ptr<Allocator> from;
    void* pointer;
    std::size_t bytes;
    Stream stream;
  };
  void* fresh(std::size_t size, const Stream& stream);
  void wait_aside(const Stream& stream) noexcept;

  std::shared_ptr<Allocator> upstream_;
  bool is_custom_ = false;
  std::optional<Stream> aside_;  // the stream on which a custom allocator works
  void* last_waited_ = nullptr;  // the last stream for which aside_ waited
  std::mutex mutex_;
  std::vector<Block> free_, kept_;
  std::vector<std::shared_ptr<void>> owners_;
};

// Returns the memory of the graph into which work on the stream is captured, by the library or by its caller;
// null if it is not captured. The second function also returns null if the first one would throw.
std::shared_ptr<GraphMemory> graph_memory(const Stream& stream);
std::shared_ptr<GraphMemory> graph_memory_or_null(const Stream& stream) noexcept;
// Destroys the memory of graphs that the caller of the library has destroyed.
void destroy_released_memory();

// While a CaptureScope exists, new tensors of this thread on the device are allocated from the graph's
// memory.
class CaptureScope {
 public:
  CaptureScope(Device device, std::shared_ptr<GraphMemory> memory);
  ~CaptureScope();
  CaptureScope(const CaptureScope&) = delete;
  CaptureScope& operator=(const CaptureScope&) = delete;

  const Device device;
  const std::shared_ptr<GraphMemory> memory;
};
// Returns whether this thread captures work for the device, or the caller of the library captures the
// thread's current stream.
bool is_capturing(Device device);
// Throws Error during a capture, for example "[item] ...". Calls that wait for the device or copy from the
// host use this check.
void refuse_in_capture(const char* call, Device device);

}  // namespace gpuvae
