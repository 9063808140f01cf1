// Races within a block. Two accesses of a word by different threads, one of them a write, must have a
// bar.sync between them, or a bar.warp.sync if the threads are lanes of one warp. Shuffles and lockstep order
// nothing.
//
// Two plain stores of one value are not reported: they are a data race by the letter of the memory model, but
// a store of an aligned word is never torn, so that memory holds this value in any order.
#pragma once

#include <algorithm>
#include <cstring>

#include "grid.h"

namespace ptx {

// Whether a plain store leaves memory as it is.
inline bool same_value(const Access& a, int lane) {
  return a.store && !a.atomic && std::memcmp(a.data[lane], a.value[lane], a.bytes) == 0;
}

// Whether a bar.warp.sync lies between an access of `thread` of this warp at `sync` and now.
inline bool warp_synchronised(const Warp& w, unsigned thread, std::uint16_t sync, unsigned now) {
  if (sync < w.full_sync) return true;
  const std::uint32_t both = 1u << thread % kLanes | 1u << now % kLanes;
  return std::any_of(w.partial_syncs.begin(), w.partial_syncs.end(),
                     [&](const PartialSync& p) { return p.number > sync && (p.mask & both) == both; });
}

inline bool unordered(const Warp& w, const Moment& now, std::uint32_t time, unsigned thread,
                      std::uint16_t sync) {
  if (time != now.time || thread == now.thread) return false;
  return !same_warp(thread, now.thread) || !warp_synchronised(w, thread, sync, now.thread);
}

inline bool conflicts_with_readers(const AccessCell& cell, const Warp& w, const Moment& now,
                                   std::uint8_t mask) {
  if (!(cell.read_mask & mask) || cell.read_time != now.time) return false;
  if (cell.readers == 2) return true;
  if (cell.readers == 1) return !same_warp(cell.reader, now.thread) || cell.read_sync >= w.full_sync;
  return unordered(w, now, cell.read_time, cell.reader, cell.read_sync);
}

inline void remember_store(AccessCell& cell, const Moment& now, std::uint8_t mask, bool atomic) {
  const auto thread = static_cast<std::uint16_t>(now.thread);
  const bool same = cell.write_time == now.time && cell.writer == thread && cell.write_sync == now.sync;
  cell.write_mask = static_cast<std::uint8_t>(same ? cell.write_mask | mask : mask);
  cell.write_time = now.time;
  cell.writer = thread;
  cell.write_sync = now.sync;
  cell.atomic = atomic;
}

inline void remember_load(AccessCell& cell, const Moment& now, std::uint8_t mask) {
  const auto thread = static_cast<std::uint16_t>(now.thread);
  if (cell.read_time != now.time) {
    cell.read_time = now.time;
    cell.read_mask = mask;
    cell.readers = 0;
  } else {
    if (cell.reader != thread)
      cell.readers = std::max<std::uint8_t>(cell.readers, same_warp(cell.reader, thread) ? 1 : 2);
    cell.read_mask |= mask;
  }
  cell.reader = thread;
  cell.read_sync = now.sync;
}

// The conflicting thread of the same block, or -1; the cell remembers the access.
inline int update_cell(AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask, const Access& a,
                       int lane) {
  int culprit = -1;
  if ((cell.write_mask & mask) && unordered(w, now, cell.write_time, cell.writer, cell.write_sync) &&
      !(a.atomic && cell.atomic) && !same_value(a, lane))
    culprit = cell.writer;
  if (a.store) {
    if (conflicts_with_readers(cell, w, now, mask)) culprit = cell.reader;
    remember_store(cell, now, mask, a.atomic);
  } else {
    remember_load(cell, now, mask);
  }
  return culprit;
}

}  // namespace ptx
