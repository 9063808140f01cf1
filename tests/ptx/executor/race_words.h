// Checks words whose bytes all have the same history, which a record stores (race.h). These functions apply
// the rules of race_cells.h without branches, so that the compiler vectorises the loops over the words of an
// access. They may be used only if the warp has passed no bar.warp.sync of only some lanes since the last
// barrier.
#pragma once

#include <algorithm>

#include "grid.h"

namespace ptx {

constexpr Record kSyncBits = 0xffff0000, kWarpBits = 0x03e0;
constexpr Record kWhoBits = 0xffff & ~kAtomicWrite;  // the thread, and the flags of several threads

inline Record record_of(std::uint32_t time, std::uint16_t sync, std::uint64_t who) {
  return std::uint64_t(time) << 32 | std::uint64_t(sync) << 16 | who;
}
inline std::uint64_t time_of(Record r) { return r >> 32; }
inline std::uint64_t sync_of(Record r) { return r >> 16 & 0xffff; }

// The access that is checked, as the record of lane 0 without flags.
struct Current {
  Record record;
  std::uint64_t full_sync;
};

// Returns whether an earlier access of the block is ordered before `mine`.
inline bool is_ordered(Record earlier, Record mine, std::uint64_t full_sync) {
  const std::uint64_t other = (earlier ^ mine) & kWhoBits;
  const bool in_warp = ((other & (kSeveralWarps | kWarpBits)) == 0) & (sync_of(earlier) < full_sync);
  return (time_of(earlier) < time_of(mine)) |
         ((time_of(earlier) == time_of(mine)) & ((other == 0) | in_warp));
}

// Adds `mine` to the readers of a word.
inline Record joined_readers(Record readers, Record mine, std::uint64_t full_sync) {
  const std::uint64_t other = (readers ^ mine) & kWhoBits;
  const bool warps = (other & (kSeveralWarps | kWarpBits)) != 0;
  const bool lanes = (other != 0) & (sync_of(readers) >= full_sync);
  const std::uint64_t flag = warps ? kSeveralWarps : lanes ? kSeveralLanes : 0;
  const std::uint64_t sync = std::max(readers & kSyncBits, mine & kSyncBits);
  return time_of(readers) == time_of(mine) ? (mine & ~kSyncBits) | sync | flag : mine;
}

// Checks an access to `count` consecutive words and records it. Each lane has 2^kShift words. Returns false
// without recording it if a word needs the full rules.
template <unsigned kShift, bool kStore>
bool check_shared_words(Record* writes, Record* reads, const Current& now, unsigned count) {
  std::uint64_t unordered = 0;
#pragma GCC ivdep
  for (unsigned k = 0; k < count; ++k) {
    const Record mine = now.record + (k >> kShift);
    unordered |= is_ordered(writes[k], mine, now.full_sync) ? 0u : 1u;
    if (kStore) unordered |= is_ordered(reads[k], mine, now.full_sync) ? 0u : 1u;
  }
  if (unordered) return false;
#pragma GCC ivdep
  for (unsigned k = 0; k < count; ++k) {
    const Record mine = now.record + (k >> kShift);
    if (kStore)
      writes[k] = mine;
    else
      reads[k] = joined_readers(reads[k], mine, now.full_sync);
  }
  return true;
}

// Checks and records the words of one lane in the usual case: since the last barrier, no thread has written
// the words or, before a store, read them. Returns false in any other case. Some of the words may then
// already be recorded, which does not affect a following check_shared_words of the same access.
template <bool kStore>
bool access_quiet_words(Record* writes, Record* reads, Record mine, std::uint64_t full_sync, unsigned count) {
  const Record barrier = mine >> 32 << 32;
  for (unsigned k = 0; k < count; ++k) {
    if (writes[k] >= barrier || (kStore && reads[k] >= barrier)) return false;
    if (kStore)
      writes[k] = mine;
    else
      reads[k] = joined_readers(reads[k], mine, full_sync);
  }
  return true;
}

// The launch of a global access, as check_global_words needs it.
struct CurrentLaunch {
  std::uint64_t owner;   // the owner of the records that this block writes
  std::uint64_t writer;  // the only owner whose earlier writes are allowed; none for a non-coherent load
  std::uint64_t complete_before;  // all launches with a lower id are complete
};

inline bool is_ordered(Record earlier, std::uint64_t owner, Record mine, std::uint64_t full_sync,
                       std::uint64_t expected_owner, std::uint64_t complete_before) {
  return (owner >> 32 < complete_before) | ((owner == expected_owner) & is_ordered(earlier, mine, full_sync));
}

// Like check_shared_words, for global memory. `first` is the index of the first word within the allocation.
template <unsigned kShift, bool kStore>
bool check_global_words(GlobalHistory& history, std::size_t first, const Current& now,
                        const CurrentLaunch& launch, unsigned count) {
  Record* writes = history.writes.data() + first;
  Record* reads = history.reads.data() + first;
  std::uint64_t* write_owners = history.write_owners.data() + first;
  std::uint64_t* read_owners = history.read_owners.data() + first;
  const std::uint64_t complete = launch.complete_before;
  std::uint64_t unordered = 0;
#pragma GCC ivdep
  for (unsigned k = 0; k < count; ++k) {
    const Record mine = now.record + (k >> kShift);
    const bool written = is_ordered(writes[k], write_owners[k], mine, now.full_sync, launch.writer, complete);
    unordered |= written ? 0u : 1u;
    if (!kStore) continue;
    const bool read = is_ordered(reads[k], read_owners[k], mine, now.full_sync, launch.owner, complete);
    unordered |= read ? 0u : 1u;
  }
  if (unordered) return false;
  const std::uint64_t several = launch.owner | kSeveralBlocks;
#pragma GCC ivdep
  for (unsigned k = 0; k < count; ++k) {
    const Record mine = now.record + (k >> kShift);
    if (kStore) {
      writes[k] = mine;
      write_owners[k] = launch.owner;
    } else {
      const bool here = read_owners[k] == launch.owner;
      const bool in_launch = read_owners[k] >> 32 == launch.owner >> 32;
      reads[k] = here ? joined_readers(reads[k], mine, now.full_sync) : mine;
      read_owners[k] = in_launch & !here ? several : launch.owner;
    }
  }
  return true;
}

}  // namespace ptx
