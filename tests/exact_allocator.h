// Allocates exactly the bytes of each tensor on the device and frees them with the tensor. The default pool
// rounds sizes up and reuses blocks, which hides out-of-bounds accesses, uses after free and reads of
// uninitialised memory from the emulated device and from compute-sanitizer.
#pragma once

#include <memory>

#include "kernels/backend.h"
#include "tests/allocator_scope.h"

namespace gpuvae {

class ExactAllocator final : public Allocator {
 public:
  explicit ExactAllocator(Device device) : device_(device) {}
  void* allocate(std::size_t bytes, const Stream&) override { return device_.backend().allocate(bytes); }
  void free(void* pointer, std::size_t, const Stream& stream) noexcept override {
    device_.backend().synchronize(stream.handle());
    device_.backend().release(pointer);
  }

  struct Scope : AllocatorScope {
    explicit Scope(Device device) : AllocatorScope(device, std::make_shared<ExactAllocator>(device)) {}
  };

 private:
  Device device_;
};

}  // namespace gpuvae
