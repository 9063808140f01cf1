// Races. Two accesses to a word by different threads, one of them a write, must be ordered: within a block by
// bar.sync, or by bar.warp.sync for lanes of a warp (shuffles and lockstep order nothing); between blocks of
// a grid by fence, atomic, atomic on the same address, fence. Grids that overlap are ordered by
// griddepcontrol.wait. Two writes of one value are no race.
#include <algorithm>
#include <bit>
#include <cstring>

#include "machine.h"

namespace ptx {
namespace {

struct Now {  // who accesses
  unsigned thread;
  std::uint32_t time;
  std::uint16_t sync;
};

bool same_warp(unsigned a, unsigned b) { return a / kLanes == b / kLanes; }

// Whether an earlier access of the block, at `time`, is not ordered before this one.
bool unordered(const Now& now, std::uint32_t time, unsigned thread, std::uint16_t sync) {
  if (time != now.time || thread == now.thread) return false;
  return !(same_warp(thread, now.thread) && sync != now.sync);
}

// The thread that a new access conflicts with, or -1; then the cell remembers the access.
int update(SharedCell& cell, const Now& now, std::uint8_t mask, bool is_store, bool same_value) {
  int culprit = -1;
  if ((cell.write_mask & mask) && !same_value &&
      unordered(now, cell.write_time, cell.writer, cell.write_sync))
    culprit = cell.writer;
  if (is_store && (cell.read_mask & mask) && cell.read_time == now.time) {
    const bool others =
        cell.readers == 2 ||
        (cell.readers == 1 && !(same_warp(cell.reader, now.thread) && cell.read_sync != now.sync));
    if (others || unordered(now, cell.read_time, cell.reader, cell.read_sync)) culprit = cell.reader;
  }
  const auto thread = static_cast<std::uint16_t>(now.thread);
  if (is_store) {
    const bool same = cell.write_time == now.time && cell.writer == thread && cell.write_sync == now.sync;
    cell.write_mask = static_cast<std::uint8_t>(same ? cell.write_mask | mask : mask);
    cell.write_time = now.time, cell.writer = thread, cell.write_sync = now.sync;
    cell.written |= mask;
  } else if (cell.read_time != now.time) {
    cell.read_time = now.time, cell.reader = thread, cell.read_sync = now.sync, cell.read_mask = mask,
    cell.readers = 0;
  } else {
    if (cell.reader != thread)
      cell.readers = std::max<std::uint8_t>(cell.readers, same_warp(cell.reader, thread) ? 1 : 2);
    cell.reader = thread, cell.read_sync = now.sync, cell.read_mask |= mask;
  }
  return culprit;
}

std::string conflict(const char* space, bool is_store, std::uint64_t address, const std::string& with) {
  char text[160];
  std::snprintf(text, sizeof text, "race in %s memory at 0x%llx: this %s and an access of %s are not ordered",
                space, static_cast<unsigned long long>(address), is_store ? "store" : "load", with.c_str());
  return text;
}

// Whether a block has seen, through atomics, what a thread of another block had done when it had fenced so
// often.
bool acquired(const Block& block, unsigned thread, unsigned from, unsigned from_thread,
              std::uint16_t fences) {
  const auto found = block.acquired.find(from);
  if (found == block.acquired.end()) return false;
  const auto& released = found->second->fences;
  return from_thread < released.size() && released[from_thread] > fences &&
         block.fences[thread] > block.fences_at_acquire[thread];
}

void check_global(Warp& w, const Instruction& i, int lane, const Access& a, GlobalCell& cell, const Now& now,
                  std::uint8_t mask, std::uint64_t address, bool same_value) {
  const Block& block = *w.block;
  const Grid& grid = *block.grid;
  const auto overlaps = [&](std::uint32_t launch) {
    return launch != 0 && ((launch == grid.predecessor && !w.waited) || launch == grid.successor);
  };
  const auto other_block = [&](std::uint32_t b, unsigned thread) {
    return "block " + std::to_string(b) + ", thread " + std::to_string(thread);
  };
  SharedCell& c = cell.in_block;
  const bool both_atomic = a.atomic && cell.atomic;
  if (cell.write_launch && (c.write_mask & mask) && !same_value && !both_atomic) {
    if (cell.write_launch != grid.id) {
      if (overlaps(cell.write_launch))
        w.fail(i, lane,
               conflict("global", a.store, address,
                        "a grid that runs at the same time (griddepcontrol.wait is missing, or comes late)"));
    } else if (cell.write_block != block.rank &&
               !acquired(block, now.thread, cell.write_block, c.writer, cell.write_fences)) {
      w.fail(i, lane, conflict("global", a.store, address, other_block(cell.write_block, c.writer)));
    }
  }
  if (a.store && cell.read_launch && (c.read_mask & mask)) {
    if (cell.read_launch != grid.id) {
      if (overlaps(cell.read_launch))
        w.fail(i, lane,
               conflict("global", true, address,
                        "a grid that runs at the same time (griddepcontrol.wait is missing, or comes late)"));
    } else if (cell.several_blocks_read ||
               (cell.read_block != block.rank && !block.acquired.contains(cell.read_block))) {
      w.fail(i, lane, conflict("global", true, address, other_block(cell.read_block, c.reader)));
    }
  }
  // Within the block, as in shared memory: what other blocks or launches left does not count.
  if (cell.write_launch != grid.id || cell.write_block != block.rank) c.write_time = 0, c.write_mask = 0;
  if (cell.read_launch != grid.id)
    cell.several_blocks_read = false;
  else if (cell.read_block != block.rank && !a.store)
    cell.several_blocks_read = true;
  if (cell.read_launch != grid.id || cell.read_block != block.rank) c.read_time = 0;
  const int culprit = update(c, now, mask, a.store, same_value || both_atomic);
  if (culprit >= 0)
    w.fail(i, lane,
           conflict("global", a.store, address, "thread " + std::to_string(culprit) + " of the same block"));
  if (a.store) {
    cell.write_launch = grid.id, cell.write_block = block.rank, cell.atomic = a.atomic;
    cell.write_fences = block.fences[now.thread];
  } else {
    cell.read_launch = grid.id, cell.read_block = block.rank;
  }
}

}  // namespace

void check_races(Warp& w, const Instruction& i, Access& a) {
  Block& block = *w.block;
  const Options& options = block.grid->options;
  for (std::uint32_t left = w.active; left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const Now now{w.thread(lane), block.time, w.sync};
    const bool same_value = a.store && !a.atomic && std::memcmp(a.data[lane], a.value[lane], a.bytes) == 0;
    const std::uint64_t address = a.address[lane];
    const auto mask_of = [&](unsigned) {
      return static_cast<std::uint8_t>(a.bytes >= 4 ? 15 : ((1u << a.bytes) - 1) << (address % 4));
    };
    const unsigned words = std::max(1u, a.bytes / 4);
    if (a.space == Space::shared) {
      for (unsigned k = 0; k < words; ++k) {
        SharedCell& cell = block.cells[address / 4 + k];
        if (options.uninitialized && !a.store && (cell.written & mask_of(k)) != mask_of(k))
          w.fail(
              i, lane,
              "load of shared memory that nobody has written, at offset " + std::to_string(address + 4 * k));
        const int culprit = update(cell, now, mask_of(k), a.store, same_value || a.atomic);
        if (culprit >= 0 && options.races)
          w.fail(i, lane, conflict("shared", a.store, address, "thread " + std::to_string(culprit)));
      }
      continue;
    }
    Allocation& memory = *a.allocation[lane];
    if (options.uninitialized) {
      if (memory.written.empty()) memory.written.resize(memory.end - memory.begin);
      for (unsigned k = 0; k < a.bytes; ++k) {
        auto written = memory.written[address - memory.begin + k];
        if (!a.store && !written)
          w.fail(i, lane,
                 "load of global memory that nobody has written: " + block.grid->memory->describe(address));
        if (a.store) written = true;
      }
    }
    if (!options.races) continue;
    if (memory.cells.empty()) memory.cells.resize((memory.end - memory.begin) / 4 + 1);
    for (unsigned k = 0; k < words; ++k)
      check_global(w, i, lane, a, memory.cells[(address - memory.begin) / 4 + k], now, mask_of(k), address,
                   same_value);
  }
}

void acquire_and_release(Warp& w, std::uint64_t address, int) {
  Block& block = *w.block;
  if (!block.grid->options.races) return;
  auto& released = block.grid->released[address];
  for (const auto& [from, what] : released)
    if (from != block.rank) block.acquired[from] = what;
  block.fences_at_acquire = block.fences;
  released[block.rank] = std::make_shared<Released>(Released{block.fences});
}

}  // namespace ptx
