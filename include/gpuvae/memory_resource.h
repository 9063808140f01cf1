// Adapters that make memory resources of other libraries allocators of gpuvae. They are templates, so this
// header needs none of those libraries:
//
//   rmm::mr::pool_memory_resource pool(...);
//   gpuvae::set_allocator(gpuvae::Device::cuda(), gpuvae::allocator_of(pool));
//
// A resource is recognised by its members. `stream` is constructed from a cudaStream_t, as
// rmm::cuda_stream_view and cuda::stream_ref are.
//
//   RMM        allocate(bytes, stream)                    deallocate(pointer, bytes, stream)
//   cuda::mr   allocate(stream, bytes, alignment)         deallocate(stream, pointer, bytes, alignment)
//              allocate_async(bytes, alignment, stream)   deallocate_async(pointer, bytes, alignment, stream)
//   std::pmr   allocate(bytes, alignment)                 deallocate(pointer, bytes, alignment)
//
// Of several forms, the first is used. The last one is not ordered with the work of a stream, so that it
// serves the CPU only.
#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "gpuvae/error.h"
#include "gpuvae/memory.h"

struct CUstream_st;  // a cudaStream_t is a pointer to it

#pragma GCC visibility push(default)
namespace gpuvae {

namespace memory_resource {

using CudaStream = CUstream_st*;

// RMM's device_memory_resource.
template <class R>
concept StreamOrdered = requires(R& resource, void* pointer, std::size_t n, CudaStream stream) {
  { resource.allocate(n, stream) } -> std::convertible_to<void*>;
  resource.deallocate(pointer, n, stream);
};
// A resource of cuda::mr in CCCL 3.1 and later.
template <class R>
concept StreamFirst = requires(R& resource, void* pointer, std::size_t n, CudaStream stream) {
  { resource.allocate(stream, n, n) } -> std::convertible_to<void*>;
  resource.deallocate(stream, pointer, n, n);
};
// An asynchronous resource of cuda::mr in earlier versions.
template <class R>
concept Async = requires(R& resource, void* pointer, std::size_t n, CudaStream stream) {
  { resource.allocate_async(n, n, stream) } -> std::convertible_to<void*>;
  resource.deallocate_async(pointer, n, n, stream);
};
// std::pmr::memory_resource.
template <class R>
concept Unordered = requires(R& resource, void* pointer, std::size_t n) {
  { resource.allocate(n, n) } -> std::convertible_to<void*>;
  resource.deallocate(pointer, n, n);
};

template <class R>
inline constexpr bool is_stream_ordered = StreamOrdered<R> || StreamFirst<R> || Async<R>;

// See Allocator::allocate(). `bytes` is at least 1.
template <class R>
[[nodiscard]] void* allocate(R& resource, std::size_t bytes, std::size_t alignment, CudaStream stream) {
  if constexpr (StreamOrdered<R>)
    return resource.allocate(bytes, stream);
  else if constexpr (StreamFirst<R>)
    return resource.allocate(stream, bytes, alignment);
  else if constexpr (Async<R>)
    return resource.allocate_async(bytes, alignment, stream);
  else
    return resource.allocate(bytes, alignment);
}
template <class R>
void deallocate(R& resource, void* pointer, std::size_t bytes, std::size_t alignment, CudaStream stream) {
  if constexpr (StreamOrdered<R>)
    resource.deallocate(pointer, bytes, stream);
  else if constexpr (StreamFirst<R>)
    resource.deallocate(stream, pointer, bytes, alignment);
  else if constexpr (Async<R>)
    resource.deallocate_async(pointer, bytes, alignment, stream);
  else
    resource.deallocate(pointer, bytes, alignment);
}

}  // namespace memory_resource

// A type that allocator_of() accepts.
template <class R>
concept MemoryResource = memory_resource::is_stream_ordered<R> || memory_resource::Unordered<R>;

// Allocates tensors from a resource. The resource must be as thread-safe as Allocator requires if several
// threads create tensors. During CudaGraph::capture, it must not queue work on the stream.
template <MemoryResource R>
class ResourceAllocator final : public Allocator {
 public:
  // `resource` is kept alive until the last tensor that uses it is destroyed.
  explicit ResourceAllocator(std::shared_ptr<R> resource) : resource_(std::move(resource)) {
    if (!resource_) throw Error("allocator_of", "expected a memory resource, got null");
  }

  // Throws Error of the kind out_of_memory if the resource throws std::bad_alloc, as rmm::out_of_memory is.
  // Other exceptions of the resource pass through.
  [[nodiscard]] void* allocate(std::size_t bytes, const Stream& stream) override {
    if (!memory_resource::is_stream_ordered<R> && !stream.device().is_cpu())
      throw Error("allocate", "expected a resource whose memory is ordered by streams for " +
                                  stream.device().text() + ", got one without streams");
    try {
      return memory_resource::allocate(*resource_, size_of_block(bytes), alignment_on(stream),
                                       handle_of(stream));
    } catch (const std::bad_alloc& error) {
      throw Error("allocate",
                  std::to_string(bytes) + " bytes on " + stream.device().text() + ": " + error.what(),
                  ErrorKind::out_of_memory);
    }
  }
  // An exception of the resource is dropped: the block is then lost.
  void free(void* pointer, std::size_t bytes, const Stream& stream) noexcept override {
    try {
      memory_resource::deallocate(*resource_, pointer, size_of_block(bytes), alignment_on(stream),
                                  handle_of(stream));
    } catch (...) {
    }
  }

 private:
  // Resources may return null for 0 bytes.
  static std::size_t size_of_block(std::size_t bytes) { return bytes == 0 ? 1 : bytes; }
  static std::size_t alignment_on(const Stream& stream) { return stream.device().is_cpu() ? 64 : 256; }
  static memory_resource::CudaStream handle_of(const Stream& stream) {
    return static_cast<memory_resource::CudaStream>(stream.handle());
  }

  std::shared_ptr<R> resource_;
};

// @{
// Returns an allocator for set_allocator(). A resource that is passed by reference must outlive all tensors
// that use it. Throws Error for null.
template <MemoryResource R>
[[nodiscard]] std::shared_ptr<Allocator> allocator_of(std::shared_ptr<R> resource) {
  return std::make_shared<ResourceAllocator<R>>(std::move(resource));
}
template <MemoryResource R>
[[nodiscard]] std::shared_ptr<Allocator> allocator_of(R& resource) {
  return allocator_of(std::shared_ptr<R>(std::shared_ptr<void>(), &resource));
}
// @}

}  // namespace gpuvae
#pragma GCC visibility pop
