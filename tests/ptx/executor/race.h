// The state of the race checker: the last accesses of each word, fences, and atomics that release memory.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace ptx {

// The threads that accessed the bytes of a word: 16 bits per byte. If several threads accessed a byte in no
// defined order, the last one is stored together with a flag.
constexpr std::uint16_t kSeveralLanes = 0x4000, kSeveralWarps = 0x8000, kThreadBits = 0x03ff;

// The last writers and readers of a word within a block. A time is the number of barriers that the block had
// passed; 0 means never. Only atomics can have several writers.
struct AccessCell {
  std::uint64_t writers = 0, readers = 0;
  std::uint32_t write_time = 0, read_time = 0;
  std::uint16_t write_sync = 0, read_sync = 0;
  std::uint8_t write_mask = 0, read_mask = 0;  // bytes of the word
  bool atomic = false;                         // the last write
};

// The last write or read of a word whose bytes were all accessed together: the time, then 16 bits of the
// sync, then 16 bits of the thread with its flags. 0 means never.
using Record = std::uint64_t;
constexpr Record kAtomicWrite = 0x1000;  // a flag of the thread
constexpr Record kInCell = ~Record(0);   // marks a word whose history is in a cell

// The history of shared memory by word. Only words that need more than a record have a cell.
struct SharedHistory {
  std::vector<Record> writes, reads;
  std::vector<AccessCell> cells;
};

constexpr std::uint32_t kSeveralBlocks = ~0u;  // used as a write_block or read_block

struct GlobalCell {
  AccessCell in_block;
  std::uint32_t write_launch = 0, write_block = 0, read_launch = 0, read_block = 0;
  // Number of fences that the accessing thread had executed.
  std::uint16_t write_fences = 0, read_fences = 0;
};

// The history of an allocation by word. An owner combines the launch and the block of a record. A word whose
// history is in a cell has the owner kInCell.
struct GlobalHistory {
  std::vector<Record> writes, reads;
  std::vector<std::uint64_t> write_owners, read_owners;
  std::vector<GlobalCell> cells;
  void resize(std::size_t words);
};
inline std::uint64_t owner_of(std::uint32_t launch, std::uint32_t block) {
  return std::uint64_t(launch) << 32 | block;
}

// The thread of an access, and the numbers of barriers (time), warp barriers (sync) and fences before it.
struct Moment {
  unsigned thread;
  std::uint32_t time;
  std::uint16_t sync;
  std::uint16_t fences;
};

// The GPU-wide fences that the threads of a block have executed.
class Fences {
 public:
  void start(unsigned threads);
  void add(unsigned thread, std::uint32_t time, std::uint16_t sync);
  bool any() const { return newest_time_ != 0; }
  std::uint16_t count(unsigned thread) const { return threads_[thread].count; }
  // Returns the number of fences that the thread had executed at the barrier that began `time`.
  std::uint16_t count_before(unsigned thread, std::uint32_t time) const;
  std::uint32_t last_time(unsigned thread) const { return threads_[thread].time; }
  std::uint16_t last_sync(unsigned thread) const { return threads_[thread].sync; }
  // Returns the latest time before `time` at which a thread of the block executed a fence.
  std::uint32_t last_before(std::uint32_t time) const {
    return newest_time_ < time ? newest_time_ : older_time_;
  }
  std::vector<std::uint16_t> counts_before(std::uint32_t time) const;

 private:
  struct Thread {
    std::uint16_t count = 0, count_before_time = 0, sync = 0;
    std::uint32_t time = 0;
  };
  std::vector<Thread> threads_;
  std::uint32_t newest_time_ = 0, older_time_ = 0;
};

// An atomic together with the fences before it. It releases the memory that those fences cover.
struct Release {
  unsigned block = 0;
  Moment atomic{};
  std::vector<std::uint16_t> fences;  // by thread, at the last barrier
  std::uint32_t fence_time = 0;       // time of the latest fence before the atomic
  std::uint32_t own_fence_time = 0;   // time of the latest fence of the atomic's thread
  std::uint16_t own_fence_sync = 0;
  bool covers(const Moment& access) const;
};

// The atomics on one address, in the order of their execution.
struct AtomicHistory {
  std::vector<Release> releases;
  std::unordered_map<unsigned, std::vector<std::size_t>> by_block;
};

// An atomic of a block that followed `seen` releases of an address.
struct Acquire {
  const AtomicHistory* history = nullptr;
  std::size_t seen = 0;
  Moment atomic{};
  // Returns whether a fence between the atomic and `now` makes the released memory visible to the thread of
  // `now`.
  bool visible(const Moment& now, const Fences& fences) const;
};

inline bool same_warp(unsigned a, unsigned b) { return a / 32 == b / 32; }

}  // namespace ptx
