// Races within a block. Two accesses of a word by different threads, one of them a write, must have a bar.sync
// between them, or a bar.warp.sync if the threads are lanes of one warp. Shuffles and lockstep order nothing.
//
// Two plain stores of one value are not reported: they are a data race by the letter of the memory model, but a
// store of an aligned word is never torn, so that memory holds this value in any order.
#include <algorithm>

#include "grid.h"

namespace ptx {
namespace {

// Whether a bar.warp.sync lies between an access of `thread` of this warp at `sync` and now.
bool warp_synchronised(const Warp& w, unsigned thread, std::uint16_t sync, unsigned now) {
  if (sync < w.full_sync) return true;
  const std::uint32_t both = 1u << thread % kLanes | 1u << now % kLanes;
  return std::any_of(w.partial_syncs.begin(), w.partial_syncs.end(), [&](const PartialSync& p) {
    return p.number > sync && (p.mask & both) == both;
  });
}

bool unordered(const Warp& w, const Moment& now, std::uint32_t time, unsigned thread, std::uint16_t sync) {
  if (time != now.time || thread == now.thread) return false;
  return !same_warp(thread, now.thread) || !warp_synchronised(w, thread, sync, now.thread);
}

bool conflicts_with_readers(const AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask) {
  if (!(cell.read_mask & mask) || cell.read_time != now.time) return false;
  if (cell.readers == 2) return true;
  if (cell.readers == 1) return !same_warp(cell.reader, now.thread) || cell.read_sync >= w.full_sync;
  return unordered(w, now, cell.read_time, cell.reader, cell.read_sync);
}

void remember_store(AccessCell& cell, const Moment& now, std::uint8_t mask, bool atomic) {
  const auto thread = static_cast<std::uint16_t>(now.thread);
  const bool same = cell.write_time == now.time && cell.writer == thread && cell.write_sync == now.sync;
  cell.write_mask = static_cast<std::uint8_t>(same ? cell.write_mask | mask : mask);
  cell.write_time = now.time;
  cell.writer = thread;
  cell.write_sync = now.sync;
  cell.atomic = atomic;
}

void remember_load(AccessCell& cell, const Moment& now, std::uint8_t mask) {
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

}  // namespace

int update_cell(AccessCell& cell, const Warp& w, const Moment& now, std::uint8_t mask, bool store, bool atomic,
                bool same_value) {
  int culprit = -1;
  if ((cell.write_mask & mask) && !same_value && !(atomic && cell.atomic) &&
      unordered(w, now, cell.write_time, cell.writer, cell.write_sync))
    culprit = cell.writer;
  if (store) {
    if (conflicts_with_readers(cell, w, now, mask)) culprit = cell.reader;
    remember_store(cell, now, mask, atomic);
  } else {
    remember_load(cell, now, mask);
  }
  return culprit;
}

}  // namespace ptx
