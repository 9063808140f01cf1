// Device memory of exactly a tensor's size, given back when the tensor dies. The pool rounds sizes up and hands blocks out
// again, which hides accesses past a tensor, to a tensor that has died, and to what was never written from the emulated
// device and from compute-sanitizer.
#pragma once

#include <memory>

#include "gpuvae/memory.h"
#include "kernels/backend.h"

namespace gpuvae {

class ExactAllocator final : public Allocator {
 public:
  explicit ExactAllocator(Device device) : device_(device) {}
  void* allocate(std::size_t bytes, const Stream&) override { return device_.backend().allocate(bytes); }
  void free(void* pointer, std::size_t, const Stream& stream) noexcept override {
    device_.backend().synchronize(stream.handle());
    device_.backend().release(pointer);
  }

  class Scope {
   public:
    explicit Scope(Device device) : device_(device) {
      set_allocator(device, std::make_shared<ExactAllocator>(device));
    }
    ~Scope() { set_allocator(device_, nullptr); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Device device_;
  };

 private:
  Device device_;
};

}  // namespace gpuvae
