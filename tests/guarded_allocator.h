// Allocates each tensor between two guard regions that hold a pattern. A write outside the tensor is detected
// when the tensor is freed, even without a sanitizer.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "tests/allocator_scope.h"

namespace gpuvae {

class GuardedAllocator final : public Allocator {
 public:
  void* allocate(std::size_t bytes, const Stream&) override {
    const std::size_t total = (bytes + 2 * kGuard + 63) / 64 * 64;
    auto* block = static_cast<unsigned char*>(std::aligned_alloc(64, total));
    std::memset(block, kPattern, total);  // 0xFF... is a NaN, which marks unwritten elements
    return block + kGuard;
  }
  void free(void* pointer, std::size_t bytes, const Stream&) noexcept override {
    auto* data = static_cast<unsigned char*>(pointer);
    for (std::size_t i = 0; i < kGuard; ++i)
      if (data[-1 - static_cast<std::ptrdiff_t>(i)] != kPattern || data[bytes + i] != kPattern) {
        ADD_FAILURE() << "a kernel wrote outside a tensor of " << bytes << " bytes";
        break;
      }
    std::free(data - kGuard);
  }

  struct Scope : AllocatorScope {
    explicit Scope(Device device) : AllocatorScope(device, std::make_shared<GuardedAllocator>()) {}
  };

 private:
  static constexpr std::size_t kGuard = 256;
  static constexpr unsigned char kPattern = 0xFF;
};

}  // namespace gpuvae
