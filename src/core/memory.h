// Blocks of device memory, from the pool or the user's allocator.
#pragma once

#include <memory>

#include "gpuvae/memory.h"

namespace gpuvae {

// Owned memory goes back to its allocator when the last handle dies; foreign memory is left alone.
struct Storage {
  void* pointer = nullptr;
  std::size_t bytes = 0;
  Stream stream;
  std::shared_ptr<Allocator> allocator;  // null for foreign memory
  int pool = -1;                         // whose counters to update

  Storage(void* p, std::size_t n, Stream s) : pointer(p), bytes(n), stream(std::move(s)) {}
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
};

std::shared_ptr<Storage> allocate_storage(std::size_t bytes, Device device);

}  // namespace gpuvae
