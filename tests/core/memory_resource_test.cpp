// Tests the adapters of gpuvae/memory_resource.h with resources of every form. They need no RMM and no CCCL.
#include "gpuvae/memory_resource.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory_resource>
#include <new>
#include <string>

#include "gpuvae/graph.h"
#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/allocator_scope.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using test::devices;

// Like rmm::cuda_stream_view and cuda::stream_ref: made from a cudaStream_t, but not from other pointers.
class StreamView {
 public:
  StreamView(CUstream_st* stream) : stream_(stream) {}  // NOLINT: implicit, as there
  StreamView(std::nullptr_t) = delete;
  CUstream_st* value() const { return stream_; }

 private:
  CUstream_st* stream_;
};

// The blocks of a resource: each must be freed once, with the size, alignment and stream of its allocation.
class Blocks {
 public:
  explicit Blocks(Device device) : device_(device) {}
  ~Blocks() { EXPECT_TRUE(live_.empty()) << live_.size() << " blocks were not freed"; }
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  void* add(std::size_t bytes, std::size_t alignment, StreamView stream) {
    EXPECT_GT(bytes, 0u);
    if (bytes > most) throw std::bad_alloc();
    void* pointer = device_.backend().allocate(bytes);
    live_[pointer] = {bytes, alignment, stream.value()};
    last_stream = stream.value();
    ++allocated;
    return pointer;
  }
  void remove(void* pointer, std::size_t bytes, std::size_t alignment, StreamView stream) {
    const auto found = live_.find(pointer);
    ASSERT_NE(found, live_.end()) << "freed a block that is not allocated";
    EXPECT_EQ(found->second.bytes, bytes);
    EXPECT_EQ(found->second.alignment, alignment);
    EXPECT_EQ(found->second.stream, stream.value());
    live_.erase(found);
    device_.backend().synchronize(stream.value());
    device_.backend().release(pointer);
  }

  std::size_t most = std::size_t{1} << 30;
  int allocated = 0;
  CUstream_st* last_stream = nullptr;

 private:
  struct Block {
    std::size_t bytes, alignment;
    CUstream_st* stream;
  };
  Device device_;
  std::map<void*, Block> live_;
};

struct RmmResource {
  explicit RmmResource(Device device) : blocks(device) {}
  Blocks blocks;
  void* allocate(std::size_t bytes, StreamView stream) { return blocks.add(bytes, 256, stream); }
  void deallocate(void* pointer, std::size_t bytes, StreamView stream) {
    blocks.remove(pointer, bytes, 256, stream);
  }
};

struct CcclResource {
  explicit CcclResource(Device device) : blocks(device) {}
  Blocks blocks;
  void* allocate(StreamView stream, std::size_t bytes, std::size_t alignment) {
    return blocks.add(bytes, alignment, stream);
  }
  void deallocate(StreamView stream, void* pointer, std::size_t bytes, std::size_t alignment) noexcept {
    blocks.remove(pointer, bytes, alignment, stream);
  }
  // cuda::mr resources have these members, too; they are not ordered.
  void* allocate_sync(std::size_t, std::size_t) { return nullptr; }
  void deallocate_sync(void*, std::size_t, std::size_t) noexcept {}
};

struct OlderCcclResource {
  explicit OlderCcclResource(Device device) : blocks(device) {}
  Blocks blocks;
  void* allocate(std::size_t, std::size_t) { throw std::bad_alloc(); }  // the synchronous form
  void deallocate(void*, std::size_t, std::size_t) {}
  void* allocate_async(std::size_t bytes, std::size_t alignment, StreamView stream) {
    return blocks.add(bytes, alignment, stream);
  }
  void deallocate_async(void* pointer, std::size_t bytes, std::size_t alignment, StreamView stream) {
    blocks.remove(pointer, bytes, alignment, stream);
  }
};

static_assert(MemoryResource<RmmResource> && MemoryResource<CcclResource> &&
              MemoryResource<OlderCcclResource> && MemoryResource<std::pmr::memory_resource>);
static_assert(!MemoryResource<std::allocator<char>> && !MemoryResource<std::string>);

// Trains a step on a stream of the caller with tensors of the resource.
template <class Resource>
void check_resource(Device device) {
  Resource resource(device);
  const Stream stream(device);
  const StreamGuard on(stream);
  Tensor outlives;
  {
    const AllocatorScope scope(device, allocator_of(resource));
    const Variable x(Tensor::full({3, 4}, 2, DType::f32, device), true);
    sum(square(x)).backward();
    EXPECT_EQ(x.grad().to_vector(), std::vector<float>(12, 4.0f));
    EXPECT_EQ(resource.blocks.last_stream, stream.handle());
    EXPECT_EQ(Tensor::empty({0, 4}, DType::f32, device).elements(), 0);
    outlives = Tensor::full({5}, 7, DType::f32, device);
    resource.blocks.most = 64;
    try {
      static_cast<void>(Tensor::empty({100}, DType::f32, device));
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::out_of_memory);
      EXPECT_EQ(std::string(error.what()), "[allocate] 400 bytes on " + device.text() + ": std::bad_alloc");
    }
  }
  const int allocated = resource.blocks.allocated;
  EXPECT_GE(allocated, 6);
  static_cast<void>(Tensor::zeros({5}, DType::f32, device));
  EXPECT_EQ(resource.blocks.allocated, allocated) << "the pool must be back";
  EXPECT_EQ(outlives.to_vector(), std::vector<float>(5, 7.0f));
  outlives = Tensor();
}

TEST(MemoryResourcesOnDevice, EveryFormGetsSizeAlignmentAndStream) {
  for (const Device device : devices()) {
    check_resource<RmmResource>(device);
    check_resource<CcclResource>(device);
    check_resource<OlderCcclResource>(device);
  }
}

TEST(MemoryResourcesOnDevice, GraphsReturnTheirMemory) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const Device device = Device::cuda();
  RmmResource resource(device);
  const AllocatorScope scope(device, allocator_of(resource));
  const Stream stream(device);
  const StreamGuard on(stream);
  const Tensor x = Tensor::full({8}, 1, DType::f32, device);
  const CudaGraph graph = CudaGraph::capture(
      stream, [&] { x.copy_from(affine(x, 2, 1).value()); }, 2);
  graph.launch();
  EXPECT_EQ(x.to_vector(), std::vector<float>(8, 7.0f));
}

TEST(MemoryResources, UnorderedResourcesServeTheCpuOnly) {
  std::pmr::unsynchronized_pool_resource pool;
  const auto allocator = allocator_of(pool);
  {
    const AllocatorScope scope(Device::cpu(), allocator);
    const Tensor t = Tensor::full({1000}, 3);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data()) % 64, 0u);
    EXPECT_EQ(sum(t).value().item(), 3000);
  }
  if (Device::cuda_count() == 0) return;
  const AllocatorScope scope(Device::cuda(), allocator);
  EXPECT_THROW(static_cast<void>(Tensor::empty({1}, DType::f32, Device::cuda())), Error);
}

TEST(MemoryResources, AResourceLivesAsLongAsItsTensors) {
  auto resource = std::make_shared<RmmResource>(Device::cpu());
  const std::weak_ptr<RmmResource> watch = resource;
  Tensor tensor;
  {
    const AllocatorScope scope(Device::cpu(), allocator_of(std::move(resource)));
    tensor = Tensor::zeros({4});
  }
  EXPECT_FALSE(watch.expired());
  tensor = Tensor();
  EXPECT_TRUE(watch.expired());
  EXPECT_THROW(static_cast<void>(allocator_of(std::shared_ptr<RmmResource>())), Error);
}

}  // namespace
}  // namespace gpuvae
