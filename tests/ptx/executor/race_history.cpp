// Checks the accesses of a warp for races. Most words need only the rules of race_words.h. The history of the
// others moves into a cell, is checked by the full rules (race.cpp), and stays there until it fits into
// records again.
#include <bit>

#include "race_cells.h"
#include "race_words.h"

namespace ptx {
namespace {

using std::size_t, std::uint32_t, std::uint64_t;

constexpr uint64_t kNobody = kInCell - 1;  // an owner that no word has

uint64_t who_of(uint64_t threads) { return threads & 0xffff; }
bool are_alike(uint64_t threads, std::uint8_t mask) {
  return mask == 15 && threads == copies(static_cast<std::uint16_t>(threads));
}

void set_write(AccessCell& cell, Record r) {
  cell.writers = copies(static_cast<std::uint16_t>(r & kWhoBits));
  cell.write_time = static_cast<uint32_t>(time_of(r));
  cell.write_sync = static_cast<std::uint16_t>(sync_of(r));
  cell.write_mask = r == 0 ? 0 : 15;
  cell.atomic = (r & kAtomicWrite) != 0;
}
void set_read(AccessCell& cell, Record r) {
  cell.readers = copies(static_cast<std::uint16_t>(r & kWhoBits));
  cell.read_time = static_cast<uint32_t>(time_of(r));
  cell.read_sync = static_cast<std::uint16_t>(sync_of(r));
  cell.read_mask = r == 0 ? 0 : 15;
}
Record write_of(const AccessCell& cell) {
  return record_of(cell.write_time, cell.write_sync, who_of(cell.writers) | (cell.atomic ? kAtomicWrite : 0));
}
Record read_of(const AccessCell& cell) {
  return record_of(cell.read_time, cell.read_sync, who_of(cell.readers));
}

template <class Cell>
Cell& cell_at(std::vector<Cell>& cells, size_t word, size_t words) {
  if (cells.size() < words) cells.resize(words);
  return cells[word];
}

// The history excludes accesses before the last barrier.
void check_by_cell(const WordAccess& a, SharedHistory& history, size_t word) {
  AccessCell cell;
  if (history.writes[word] == kInCell) {
    cell = history.cells[word];
  } else {
    set_write(cell, history.writes[word]);
    set_read(cell, history.reads[word]);
  }
  check_cell(a, cell);
  const bool written = cell.write_time == a.now.time, read = cell.read_time == a.now.time;
  if ((written && !are_alike(cell.writers, cell.write_mask)) ||
      (read && !are_alike(cell.readers, cell.read_mask))) {
    cell_at(history.cells, word, history.writes.size()) = cell;
    history.writes[word] = history.reads[word] = kInCell;
  } else {
    history.writes[word] = written ? write_of(cell) : 0;
    history.reads[word] = read ? read_of(cell) : 0;
  }
}

// The history excludes launches that were complete before any running grid.
void check_by_cell(const WordAccess& a, GlobalHistory& history, size_t word) {
  GlobalCell cell;
  if (history.write_owners[word] == kInCell) {
    cell = history.cells[word];
  } else {
    set_write(cell.in_block, history.writes[word]);
    set_read(cell.in_block, history.reads[word]);
    cell.write_launch = static_cast<uint32_t>(history.write_owners[word] >> 32);
    cell.write_block = static_cast<uint32_t>(history.write_owners[word]);
    cell.read_launch = static_cast<uint32_t>(history.read_owners[word] >> 32);
    cell.read_block = static_cast<uint32_t>(history.read_owners[word]);
  }
  check_cell(a, cell);
  const AccessCell& c = cell.in_block;
  const uint32_t first = a.warp.block->grid->first_of_run;
  const bool written = cell.write_launch >= first, read = cell.read_launch >= first;
  if ((written && (cell.write_fences != 0 || !are_alike(c.writers, c.write_mask))) ||
      (read && (cell.read_fences != 0 || !are_alike(c.readers, c.read_mask)))) {
    cell_at(history.cells, word, history.writes.size()) = cell;
    history.write_owners[word] = kInCell;
  } else {
    history.writes[word] = written ? write_of(c) : 0;
    history.reads[word] = read ? read_of(c) : 0;
    history.write_owners[word] = written ? owner_of(cell.write_launch, cell.write_block) : 0;
    history.read_owners[word] = read ? owner_of(cell.read_launch, cell.read_block) : 0;
  }
}

// Checks all words of one lane, starting at word `first` of the history.
template <class History>
void check_by_cells(Warp& w, const Instruction& i, const Access& a, int lane, History& history,
                    size_t first) {
  WordAccess word{w, i, a, lane, a.address[lane], 15, moment_of(w, lane)};
  if (a.bytes < 4) word.mask = static_cast<std::uint8_t>(((1u << a.bytes) - 1) << (word.address % 4));
  const size_t words = a.bytes < 4 ? 1 : a.bytes / 4;
  for (size_t k = 0; k < words; ++k, word.address += 4) check_by_cell(word, history, first + k);
}

// Returns the lanes with the same address as the previous lane.
uint32_t same_as_before(const uint64_t (&address)[kLanes]) {
  uint32_t bits[kLanes] = {};
#pragma GCC ivdep
  for (Slot lane = 1; lane < kLanes; ++lane)
    bits[lane] = address[lane] == address[lane - 1] ? 1u << lane : 0u;
  uint32_t same = 0;
  for (const uint32_t b : bits) same |= b;
  return same;
}

// Returns the lanes of a load that need no check. In a run of adjacent lanes that read the same address,
// these are all lanes except the first, the second and the last. The first lane is checked in addition to the
// second, because it may itself have written the word.
uint32_t redundant_lanes(const Warp& w, const Access& a) {
  if (a.store || !w.partial_syncs.empty()) return 0;
  if (a.is_uniform()) {
    const uint32_t behind_first = w.active & (w.active - 1),
                   behind_second = behind_first & (behind_first - 1);
    return behind_second & ~(1u << a.last);
  }
  if (!w.full) return 0;
  const uint32_t same = same_as_before(a.address);
  return same & same << 1 & same >> 1;
}

Current current(const Warp& w) { return {record_of(w.block->time, w.sync, w.thread(0)), w.full_sync}; }
Current in_lane(Current now, int lane) {
  now.record += static_cast<unsigned>(lane);
  return now;
}

// Returns whether the rules of race_words.h hold for an access.
bool is_simple(const Warp& w, const Access& a) {
  return a.bytes >= 4 && !a.atomic && w.partial_syncs.empty();
}

template <unsigned kShift, bool kStore>
void check_shared(Warp& w, const Instruction& i, const Access& a) {
  SharedHistory& history = w.block->history;
  const bool simple = is_simple(w, a);
  const Current now = current(w);
  Record* const writes = history.writes.data();
  Record* const reads = history.reads.data();
  constexpr unsigned kWords = 1u << kShift;
  if (simple && a.is_contiguous() &&
      check_shared_words<kShift, kStore>(writes + a.low / 4, reads + a.low / 4, in_lane(now, a.first),
                                         a.lanes() * kWords))
    return;
  for (uint32_t left = w.active & ~redundant_lanes(w, a); left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    const size_t word = a.address[lane] / 4;
    const Current here = in_lane(now, lane);
    if (simple && access_quiet_words<kStore>(writes + word, reads + word, here.record, now.full_sync, kWords))
      continue;
    if (!simple || !check_shared_words<kShift, kStore>(writes + word, reads + word, here, kWords))
      check_by_cells(w, i, a, lane, history, word);
  }
}

GlobalHistory& history_of(Allocation& memory) {
  if (memory.history.writes.empty()) memory.history.resize(memory.word(memory.end + 3) + 1);
  return memory.history;
}

template <unsigned kShift, bool kStore>
void check_global(Warp& w, const Instruction& i, const Access& a) {
  const Block& block = *w.block;
  const uint32_t waited = w.waited & w.active;
  const bool simple = is_simple(w, a) && !block.fences.any() && (waited == 0 || waited == w.active);
  const Current now = current(w);
  const uint64_t owner = owner_of(block.grid->id, block.rank);
  const CurrentLaunch launch{owner, i.non_coherent ? kNobody : owner,
                             block.grid->known(waited != 0).all_before()};
  const auto check = [&](GlobalHistory& history, size_t word, int lane, unsigned count) {
    return simple && check_global_words<kShift, kStore>(history, word, in_lane(now, lane), launch, count);
  };
  if (a.memory && a.is_contiguous() &&
      check(history_of(*a.memory), a.memory->word(a.low), a.first, a.lanes() << kShift))
    return;
  for (uint32_t left = simple ? w.active & ~redundant_lanes(w, a) : w.active; left; left &= left - 1) {
    const int lane = std::countr_zero(left);
    Allocation& memory = a.allocation(lane);
    GlobalHistory& history = history_of(memory);
    const size_t word = memory.word(a.address[lane]);
    if (!check(history, word, lane, 1u << kShift)) check_by_cells(w, i, a, lane, history, word);
  }
}

template <unsigned kShift, bool kStore>
void check(Warp& w, const Instruction& i, const Access& a) {
  if (a.space == Space::shared)
    check_shared<kShift, kStore>(w, i, a);
  else
    check_global<kShift, kStore>(w, i, a);
}

}  // namespace

void GlobalHistory::resize(size_t words) {
  writes.resize(words);
  reads.resize(words);
  write_owners.resize(words);
  read_owners.resize(words);
}

void check_races(Warp& w, const Instruction& i, const Access& a) {
  if (a.bytes <= 4) return a.store ? check<0, true>(w, i, a) : check<0, false>(w, i, a);
  if (a.bytes == 8) return a.store ? check<1, true>(w, i, a) : check<1, false>(w, i, a);
  return a.store ? check<2, true>(w, i, a) : check<2, false>(w, i, a);
}

}  // namespace ptx
