// Temporary memory of the CPU kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gpuvae::kernels {

// Memory that is aligned for every vector. Its content is undefined.
struct ScratchBlock {
  void* memory = nullptr;
  std::size_t bytes = 0;
};
// Returns a block of at least `bytes` bytes, which the caller gives back, in any thread. Throws
// std::bad_alloc.
[[nodiscard]] ScratchBlock take_scratch(std::size_t bytes);
// Keeps a block for a later call of take_scratch().
void return_scratch(ScratchBlock block) noexcept;

// Memory for `count` elements of a trivial type until the end of the scope. Later objects reuse it. It
// belongs to no thread, because a thread_local object with a destructor keeps dlclose() from unloading the
// library until the thread ends.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count) : block_(take_scratch(static_cast<std::size_t>(count) * sizeof(T))) {}
  ~Scratch() { return_scratch(block_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] T* get() const { return static_cast<T*>(block_.memory); }

 private:
  ScratchBlock block_;
};

}  // namespace gpuvae::kernels
