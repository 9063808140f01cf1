// The memory of captured graphs, of the library's own captures and of those that its caller began.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/callers_capture.h"
#include "kernels/check.h"
#include "src/core/memory.h"

namespace gpuvae {
namespace {

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
  const std::unique_ptr<std::shared_ptr<GraphMemory>> memory(
      static_cast<std::shared_ptr<GraphMemory>*>(owned));
  CallersCaptures& captures = callers_captures();
  const std::scoped_lock lock(captures.released_mutex);
  captures.released.push_back(std::move(*memory));
  captures.has_released.store(true, std::memory_order_release);
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
  static_cast<void>(owned.release());  // the graph owns it now
  known = memory;
  return memory;
}

}  // namespace

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

GraphMemory::GraphMemory(Device device) {
  CurrentAllocator current = current_allocator(device);
  upstream_ = std::move(current.allocator);
  is_custom_ = current.is_custom;
}

GraphMemory::~GraphMemory() {
  for (const Block& b : free_) {
    if (aside_) wait_aside(b.stream);
    b.from->free(b.pointer, b.bytes, aside_ ? *aside_ : b.stream);
  }
  for (const Block& b : kept_) b.from->free(b.pointer, b.bytes, b.stream);
}

void* GraphMemory::allocate(std::size_t bytes, const Stream& stream) {
  const std::size_t size = rounded_size(bytes);
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
  free_.push_back({upstream_, pointer, rounded_size(bytes), stream});
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

}  // namespace gpuvae
