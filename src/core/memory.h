// Blocks of device memory, from the pool, the user's allocator, or a captured graph's own memory.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "gpuvae/memory.h"

namespace gpuvae {

// Owned memory goes back to its allocator when the last handle dies; foreign memory is left to its owner.
struct Storage {
  void* pointer = nullptr;
  std::size_t bytes = 0;
  Stream stream;
  std::shared_ptr<Allocator> allocator;    // null for foreign memory
  std::shared_ptr<void> owner;             // of foreign memory, or null
  int pool = -1;                           // whose counters to update
  std::atomic<std::uint64_t> version = 0;  // of the elements: counts changes in place

  Storage(void* p, std::size_t n, Stream s) : pointer(p), bytes(n), stream(std::move(s)) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
};

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device);

// The stream has ended, with all its work: its free blocks serve any stream from now on.
void release_stream(Device device, void* stream) noexcept;

// What a captured graph reads and writes must be nobody else's until the graph is gone: blocks handed out
// during the capture are used again within it, and return to the device's allocator with this object; so do
// blocks of others that the captured work let go of. Thread-safe.
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
  std::shared_ptr<Allocator> upstream_;
  std::mutex mutex_;
  std::vector<Block> free_, kept_;
  std::vector<std::shared_ptr<void>> owners_;
};

// While one lives, this thread's tensors on the device take their memory from a graph's.
class CaptureScope {
 public:
  CaptureScope(Device device, std::shared_ptr<GraphMemory> memory);
  ~CaptureScope();
  CaptureScope(const CaptureScope&) = delete;
  CaptureScope& operator=(const CaptureScope&) = delete;

  const Device device;
  const std::shared_ptr<GraphMemory> memory;
};
bool is_capturing(Device device);  // by this thread
// For calls that wait for the device or copy from the host: "[item] ...".
void refuse_in_capture(const char* call, Device device);

}  // namespace gpuvae
