#include "kernels/cpu/scratch.h"

#include <hwy/aligned_allocator.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <new>
#include <type_traits>

namespace gpuvae::kernels {
namespace {

void free_block(const ScratchBlock& block) { hwy::FreeAlignedBytes(block.memory, nullptr, nullptr); }

// The blocks that nobody uses, in no particular order.
class IdleBlocks {
 public:
  // Returns the block `preferred` if it is large enough, or else the smallest of at least `bytes` bytes, or
  // an empty one. If all are too small, the largest is freed, because the block that the caller then
  // allocates takes its place.
  ScratchBlock take(std::size_t bytes, const void* preferred) {
    const std::lock_guard lock(guard_);
    ScratchBlock *fitting = nullptr, *largest = nullptr;
    for (std::size_t i = 0; i < count_; ++i) {
      ScratchBlock& block = blocks_[i];
      if (block.bytes >= bytes && block.memory == preferred) return remove(block);
      if (block.bytes >= bytes && (!fitting || block.bytes < fitting->bytes)) fitting = &block;
      if (!largest || block.bytes > largest->bytes) largest = &block;
    }
    if (fitting) return remove(*fitting);
    if (largest) free_block(remove(*largest));
    return {};
  }

  void keep(const ScratchBlock& block) {
    const std::lock_guard lock(guard_);
    if (ended_ || count_ == blocks_.size()) return free_block(block);
    blocks_[count_++] = block;
  }

  // Frees the blocks, and each one that is given back later. A forked process may have inherited a lock that
  // is never released.
  void end() {
    const std::unique_lock lock(guard_, std::try_to_lock);
    if (!lock) return;
    ended_ = true;
    while (count_ > 0) free_block(remove(blocks_[count_ - 1]));
  }

 private:
  ScratchBlock remove(ScratchBlock& block) {
    const ScratchBlock removed = block;
    block = blocks_[--count_];
    return removed;
  }

  std::mutex guard_;
  std::array<ScratchBlock, 64> blocks_{};
  std::size_t count_ = 0;
  bool ended_ = false;
};

// Threads may compute until the process has ended, so this object is never destroyed.
constinit IdleBlocks idle_blocks;
static_assert(std::is_trivially_destructible_v<IdleBlocks>);

// The block that this thread gave back last, which is probably in its processor's cache.
thread_local const void* latest = nullptr;

// Frees the blocks when the process exits or dlclose() unloads the library.
struct FreeAtEnd {
  ~FreeAtEnd() { idle_blocks.end(); }
};
const FreeAtEnd free_at_end{};

}  // namespace

ScratchBlock take_scratch(std::size_t bytes) {
  if (const ScratchBlock block = idle_blocks.take(bytes, latest); block.memory) return block;
  bytes = std::max<std::size_t>(bytes, 1);
  void* memory = hwy::AllocateAlignedBytes(bytes, nullptr, nullptr);
  if (!memory) throw std::bad_alloc();
  return {memory, bytes};
}

void return_scratch(ScratchBlock block) noexcept {
  latest = block.memory;
  idle_blocks.keep(block);
}

}  // namespace gpuvae::kernels
