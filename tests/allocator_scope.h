// Sets the allocator of a device's tensors during the lifetime of an object.
#pragma once

#include <memory>

#include "gpuvae/memory.h"

namespace gpuvae {

class AllocatorScope {
 public:
  AllocatorScope(Device device, std::shared_ptr<Allocator> allocator) : device_(device) {
    set_allocator(device, std::move(allocator));
  }
  ~AllocatorScope() { set_allocator(device_, nullptr); }
  AllocatorScope(const AllocatorScope&) = delete;
  AllocatorScope& operator=(const AllocatorScope&) = delete;

 private:
  Device device_;
};

}  // namespace gpuvae
