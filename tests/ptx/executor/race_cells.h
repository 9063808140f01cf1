// Races within a block. Two accesses of a word by different threads, one of them a write, must have a
// bar.sync between them, or a bar.warp.sync if the threads are lanes of one warp. Shuffles and lockstep
// execution order nothing.
//
// Two plain stores of the same value are not reported. They are a data race in the memory model, but a store
// of an aligned word is never torn, so memory holds this value in any order.
#pragma once

#include <algorithm>
#include <bit>
#include <cstring>

#include "grid.h"

namespace ptx {

// Returns whether a plain store does not change memory.
inline bool same_value(const Access& a, int lane) {
  if (!a.store || a.atomic) return false;
  char value[16];
  a.copy_value(lane, value);
  return std::memcmp(a.data[lane], value, a.bytes) == 0;
}

// One word of an access of one lane.
struct WordAccess {
  Warp& warp;
  const Instruction& instruction;
  const Access& access;
  int lane;
  std::uint64_t address;
  std::uint8_t mask;  // bytes of the word
  Moment now;

  bool waited() const { return bit(warp.waited, Slot(lane)); }
  [[noreturn]] void fail(const std::string& with) const;
};

// Checks an access by the full rules and records it in the word's cell.
void check_cell(const WordAccess& a, GlobalCell& cell);
void check_cell(const WordAccess& a, AccessCell& cell);

// Returns whether a bar.warp.sync lies between an access of `thread` of this warp at `sync` and now.
inline bool warp_synchronised(const Warp& w, unsigned thread, std::uint16_t sync, unsigned now) {
  if (sync < w.full_sync) return true;
  const std::uint32_t both = 1u << thread % kLanes | 1u << now % kLanes;
  return std::any_of(w.partial_syncs.begin(), w.partial_syncs.end(),
                     [&](const PartialSync& p) { return p.number > sync && (p.mask & both) == both; });
}

// copies() repeats 16 bits four times. halves() selects the copies of the bytes in `mask`.
inline std::uint64_t copies(std::uint16_t x) { return x * 0x0001000100010001ull; }
inline std::uint64_t halves(std::uint8_t mask) {
  return ((mask & 1u) | (mask & 2ull) << 15 | (mask & 4ull) << 30 | (mask & 8ull) << 45) * 0xffff;
}

// Returns whether earlier accesses since the last barrier are ordered before `now`. `who` is their thread
// with its flag, if any, and `sync` is the warp's `sync` at the time of the last of them.
inline bool ordered_in_block(const Warp& w, const Moment& now, std::uint16_t who, std::uint16_t sync) {
  const unsigned thread = who & kThreadBits;
  if (who == now.thread) return true;
  if (who & kSeveralWarps) return false;
  if (who & kSeveralLanes) return same_warp(thread, now.thread) && sync < w.full_sync;
  return same_warp(thread, now.thread) && warp_synchronised(w, thread, sync, now.thread);
}

// Returns a thread that accessed one of the bytes in `mask` and is not ordered before now, or -1.
inline int unordered_thread(std::uint64_t threads, std::uint8_t mask, std::uint16_t sync, const Warp& w,
                            const Moment& now) {
  if (((threads ^ copies(static_cast<std::uint16_t>(now.thread))) & halves(mask)) == 0) return -1;
  for (unsigned left = mask; left != 0; left &= left - 1) {
    const auto who = static_cast<std::uint16_t>(threads >> 16 * std::countr_zero(left));
    if (!ordered_in_block(w, now, who, sync)) return who & kThreadBits;
  }
  return -1;
}

// Returns the current thread, with a flag if the earlier accesses by `who` are not ordered before now.
inline std::uint16_t joined(const Warp& w, const Moment& now, std::uint16_t who, std::uint16_t sync) {
  if (ordered_in_block(w, now, who, sync)) return static_cast<std::uint16_t>(now.thread);
  const bool warps = (who & kSeveralWarps) || !same_warp(who & kThreadBits, now.thread);
  return static_cast<std::uint16_t>(now.thread | (warps ? kSeveralWarps : kSeveralLanes));
}

// Adds the current thread to those of the bytes in `mask`.
inline void join(std::uint64_t& threads, std::uint8_t mask, std::uint16_t sync, const Warp& w,
                 const Moment& now) {
  const auto first = static_cast<std::uint16_t>(threads);
  if (mask == 15 && threads == copies(first)) {
    threads = copies(joined(w, now, first, sync));
    return;
  }
  for (unsigned left = mask; left != 0; left &= left - 1) {
    const int shift = 16 * std::countr_zero(left);
    const auto who = static_cast<std::uint16_t>(threads >> shift);
    threads = (threads & ~(0xffffull << shift)) | std::uint64_t(joined(w, now, who, sync)) << shift;
  }
}

inline void set_thread(std::uint64_t& threads, std::uint8_t mask, const Moment& now) {
  if (mask == 15) {
    threads = copies(static_cast<std::uint16_t>(now.thread));
    return;
  }
  const std::uint64_t bits = halves(mask);
  threads = (threads & ~bits) | (copies(static_cast<std::uint16_t>(now.thread)) & bits);
}

inline void remember_store(AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask,
                           bool atomic) {
  if (cell.write_time != now.time) {
    cell.write_time = now.time;
    cell.write_mask = mask;
    cell.write_sync = now.sync;
    cell.writers = copies(static_cast<std::uint16_t>(now.thread));
  } else {
    if (atomic && cell.atomic)
      join(cell.writers, mask, cell.write_sync, w, now);
    else
      set_thread(cell.writers, mask, now);
    cell.write_mask |= mask;
    cell.write_sync = std::max(cell.write_sync, now.sync);
  }
  cell.atomic = atomic;
}

inline void remember_load(AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask) {
  if (cell.read_time != now.time) {
    cell.read_time = now.time;
    cell.read_mask = mask;
    cell.read_sync = now.sync;
    cell.readers = copies(static_cast<std::uint16_t>(now.thread));
    return;
  }
  const auto again = static_cast<std::uint8_t>(mask & cell.read_mask);
  if (again != mask) set_thread(cell.readers, static_cast<std::uint8_t>(mask & ~again), now);
  join(cell.readers, again, cell.read_sync, w, now);
  cell.read_mask |= mask;
  cell.read_sync = std::max(cell.read_sync, now.sync);
}

// Returns the thread of the block whose earlier store conflicts with an access, or -1.
inline int conflicting_writer(const AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask,
                              const Access& a, int lane) {
  const auto common = static_cast<std::uint8_t>(cell.write_mask & mask);
  if (cell.write_time != now.time || common == 0 || (a.atomic && cell.atomic)) return -1;
  const int thread = unordered_thread(cell.writers, common, cell.write_sync, w, now);
  return thread >= 0 && same_value(a, lane) ? -1 : thread;
}

// Returns the thread of the block whose earlier load conflicts with a store, or -1.
inline int conflicting_reader(const AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask) {
  const auto common = static_cast<std::uint8_t>(cell.read_mask & mask);
  if (cell.read_time != now.time || common == 0) return -1;
  return unordered_thread(cell.readers, common, cell.read_sync, w, now);
}

}  // namespace ptx
