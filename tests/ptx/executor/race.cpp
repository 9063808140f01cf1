// The full race check: it compares one word of an access with the earlier accesses of other threads, blocks
// and grids.
//
// Blocks of a grid are ordered by fences and atomics (fences.cpp). Overlapping grids are ordered only by
// griddepcontrol.wait: it waits until the preceding grid is complete and its memory is visible.
#include <bit>

#include "race_cells.h"

namespace ptx {
namespace {

std::string conflict(const Access& a, std::uint64_t address, const std::string& with) {
  return std::string("race in ") + name_of(a.space) + " memory at " + hex(address) + ": this " +
         (a.atomic  ? "atomic"
          : a.store ? "store"
                    : "load") +
         " and an earlier access by " + with + " are not ordered";
}

std::string thread_of_block(const Block& block, unsigned rank, unsigned thread) {
  return "block " + coordinates(rank, block.grid->launch->grid) + ", thread " +
         coordinates(thread, block.grid->launch->block);
}

// Returns whether another launch that may be incomplete accessed the word.
bool overlaps(const WordAccess& a, std::uint32_t launch) {
  const Grid& grid = *a.warp.block->grid;
  return launch != 0 && launch != grid.id && !grid.known(a.waited()).contains(launch);
}

void check_grids(const WordAccess& a, const GlobalCell& cell) {
  const bool after_write = (cell.in_block.write_mask & a.mask) != 0 && overlaps(a, cell.write_launch);
  const bool after_read =
      a.access.store && (cell.in_block.read_mask & a.mask) != 0 && overlaps(a, cell.read_launch);
  if ((after_write && !same_value(a.access, a.lane)) || after_read)
    a.fail(std::string("a grid that runs at the same time (") +
           (a.waited() ? "the preceding grid has not waited for that grid itself)"
                       : "griddepcontrol.wait is missing or comes late)"));
}

unsigned first_of(std::uint64_t threads, unsigned mask) {
  return static_cast<unsigned>(threads >> 16 * std::countr_zero(mask)) & kThreadBits;
}

// Checks an earlier access by one block, or by several of them.
void check_block(const WordAccess& a, std::uint32_t by, const Moment& access) {
  const Block& block = *a.warp.block;
  if (by == kSeveralBlocks) {
    if (!ordered_behind_all_blocks(block, a.now)) a.fail("several blocks");
  } else if (by != block.rank && !ordered_by_atomics(block, a.now, by, access)) {
    a.fail(thread_of_block(block, by, access.thread));
  }
}

void check_blocks(const WordAccess& a, const GlobalCell& cell) {
  const Block& block = *a.warp.block;
  const AccessCell& c = cell.in_block;
  const std::uint32_t launch = block.grid->id;
  if (cell.write_launch == launch && (c.write_mask & a.mask) && !same_value(a.access, a.lane) &&
      !(a.access.atomic && c.atomic))
    check_block(a, cell.write_block,
                {first_of(c.writers, c.write_mask & a.mask), c.write_time, c.write_sync, cell.write_fences});
  if (a.access.store && cell.read_launch == launch && (c.read_mask & a.mask))
    check_block(a, cell.read_block,
                {first_of(c.readers, c.read_mask & a.mask), c.read_time, c.read_sync, cell.read_fences});
}

// ld.global.nc may only read memory that is not written while the kernel runs.
void check_read_only(const WordAccess& a, const GlobalCell& cell) {
  if (a.access.store || cell.write_launch != a.warp.block->grid->id || !(cell.in_block.write_mask & a.mask))
    return;
  if (a.instruction.non_coherent)
    a.warp.fail(a.instruction, a.lane,
                "non-coherent load at " + hex(a.address) + " from memory that this kernel has written: " +
                    a.warp.block->grid->memory->describe(a.address));
}

// Returns whether other blocks of the same launch accessed the same bytes before.
bool joins(const WordAccess& a, std::uint32_t launch, std::uint32_t by, std::uint8_t mask) {
  const Block& block = *a.warp.block;
  return launch == block.grid->id && by != block.rank && (mask & a.mask) != 0;
}

void remember(const WordAccess& a, GlobalCell& cell, bool written_here, bool read_here) {
  const Block& block = *a.warp.block;
  AccessCell& c = cell.in_block;
  if (a.access.store) {
    const bool several =
        a.access.atomic && c.atomic && joins(a, cell.write_launch, cell.write_block, c.write_mask);
    if (!written_here) c.write_time = 0;
    remember_store(c, a.warp, a.now, a.mask, a.access.atomic);
    cell.write_launch = block.grid->id;
    cell.write_block = several ? kSeveralBlocks : block.rank;
    cell.write_fences = a.now.fences;
  } else {
    const bool several = joins(a, cell.read_launch, cell.read_block, c.read_mask);
    if (!read_here) c.read_time = 0;
    remember_load(c, a.warp, a.now, a.mask);
    cell.read_launch = block.grid->id;
    cell.read_block = several ? kSeveralBlocks : block.rank;
    cell.read_fences = a.now.fences;
  }
}

}  // namespace

void WordAccess::fail(const std::string& with) const {
  const std::string place =
      access.space == Space::global ? ", " + warp.block->grid->memory->describe(address) : "";
  warp.fail(instruction, lane, conflict(access, address, with) + place);
}

void check_cell(const WordAccess& a, GlobalCell& cell) {
  const Block& block = *a.warp.block;
  const std::uint32_t launch = block.grid->id;
  const bool written_here = cell.write_launch == launch && cell.write_block == block.rank;
  const bool read_here = cell.read_launch == launch && cell.read_block == block.rank;
  if (!written_here || !read_here) {
    check_grids(a, cell);
    check_blocks(a, cell);
  }
  check_read_only(a, cell);
  int culprit = -1;
  if (written_here) culprit = conflicting_writer(cell.in_block, a.warp, a.now, a.mask, a.access, a.lane);
  if (culprit < 0 && read_here && a.access.store)
    culprit = conflicting_reader(cell.in_block, a.warp, a.now, a.mask);
  if (culprit >= 0) a.fail(thread_of_block(block, block.rank, static_cast<unsigned>(culprit)));
  remember(a, cell, written_here, read_here);
}

void check_cell(const WordAccess& a, AccessCell& cell) {
  int culprit = conflicting_writer(cell, a.warp, a.now, a.mask, a.access, a.lane);
  if (culprit < 0 && a.access.store) culprit = conflicting_reader(cell, a.warp, a.now, a.mask);
  if (culprit >= 0)
    a.fail("thread " + coordinates(static_cast<unsigned>(culprit), a.warp.block->grid->launch->block));
  if (a.access.store)
    remember_store(cell, a.warp, a.now, a.mask, a.access.atomic);
  else
    remember_load(cell, a.warp, a.now, a.mask);
}

}  // namespace ptx
