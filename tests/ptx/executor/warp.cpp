// Schedules the lanes of a warp. Lanes at the same instruction form a group and run in lockstep. The group
// with the lowest pc runs first, so that lanes reconverge where the paths of control flow join. A group at an
// instruction that needs other lanes (barrier, shuffle, mma) waits there until they arrive. A group that has
// run for long yields to the others, because lanes make independent progress from sm_70 on.
#include <algorithm>
#include <bit>
#include <cstring>

#include "grid.h"

namespace ptx {
namespace {
// The number of masks whose latest bar.warp.sync is remembered. If a warp uses more masks, the oldest entry
// is dropped, and accesses that only this entry orders are reported as races.
constexpr std::size_t kPartialSyncs = 64;
}  // namespace

void Warp::start(Block& of, unsigned number) {
  const Kernel& kernel = *of.grid->kernel;
  block = &of;
  index = number;
  state = State::ready;
  pc = 0;
  other_pc = ~0u;
  sync = full_sync = 0;
  waited = 0;
  counted = 0;
  others.clear();
  partial_syncs.clear();
  registers.resize(kernel.register_bytes + 64);
  const auto begin = reinterpret_cast<std::uintptr_t>(registers.data());
  base[0] = registers.data() + ((begin + 63) / 64 * 64 - begin);
  base[1] = const_cast<char*>(kernel.constants.data());
  for (const UnsetRegister& r : kernel.unset) std::memset(at<char>(r.slot), 0xff, r.bytes);
  locals.assign(kernel.local_bytes * kLanes, static_cast<char>(0xff));
  local_written.assign(kernel.local_bytes * kLanes, 0);
  const unsigned threads = of.threads - number * kLanes;
  live = threads >= kLanes ? ~0u : (1u << threads) - 1;
  set_active(live);
  write_special_registers();
}

void Warp::write_special_registers() {
  const Launch& launch = *block->grid->launch;
  const Dim3 grid = launch.grid, threads = launch.block;
  const auto put = [&](Special s, Slot l, unsigned x) { at<std::uint32_t>(s * 4 * kLanes)[l] = x; };
  const unsigned rank = block->rank;
  for (Slot l = 0; l < kLanes; ++l) {
    const unsigned t = thread(static_cast<int>(l));
    put(kTidX, l, t % threads.x);
    put(kTidY, l, t / threads.x % threads.y);
    put(kTidZ, l, t / threads.x / threads.y);
    put(kNtidX, l, threads.x);
    put(kNtidY, l, threads.y);
    put(kNtidZ, l, threads.z);
    put(kCtaidX, l, rank % grid.x);
    put(kCtaidY, l, rank / grid.x % grid.y);
    put(kCtaidZ, l, rank / grid.x / grid.y);
    put(kNctaidX, l, grid.x);
    put(kNctaidY, l, grid.y);
    put(kNctaidZ, l, grid.z);
    put(kLane, l, l);
    put(kWarp, l, index);
  }
}

void Warp::set_active(std::uint32_t mask) {
  active = mask;
  full = mask == ~0u;
  for (Slot l = 0; l < kLanes; ++l) lane[l] = (mask >> l & 1) ? ~0u : 0;
}

void Warp::reschedule() {
  if (active) others.push_back({pc, active, false});
  std::sort(others.begin(), others.end(), [](const Group& a, const Group& b) { return a.pc < b.pc; });
  std::size_t kept = 0;
  for (const Group& group : others) {
    if (kept > 0 && others[kept - 1].pc == group.pc) {
      others[kept - 1].mask |= group.mask;
      others[kept - 1].waiting &= group.waiting;
    } else {
      others[kept++] = group;
    }
  }
  others.resize(kept);
  const auto next = std::find_if(others.begin(), others.end(), [](const Group& g) { return !g.waiting; });
  if (next == others.end()) {
    set_active(0);
    other_pc = ~0u;
    if (!others.empty()) fail_deadlock();
    state = State::done;
    return;
  }
  pc = next->pc;
  set_active(next->mask);
  others.erase(next);
  other_pc = ~0u;
  for (const Group& g : others) other_pc = g.waiting ? 0 : std::min(other_pc, g.pc);
}

void Warp::rotate_groups() {
  const auto can_run = [&](const Group& g) { return !g.waiting && g.pc != pc; };
  const auto next = std::find_if(others.begin(), others.end(), can_run);
  if (next == others.end() || active == 0) return;
  const Group group = *next;
  others.erase(next);
  others.push_back({pc, active, false});
  pc = group.pc;
  set_active(group.mask);
  other_pc = ~0u;  // the group runs alone until it diverges, waits or exits
}

void Warp::wait_for_lanes(const Instruction& i, std::uint32_t wanted) {
  if (wanted & ~live) {
    char text[96];
    std::snprintf(text, sizeof text, "the instruction waits for lanes 0x%08x, of which 0x%08x have exited",
                  wanted, wanted & ~live);
    fail(i, std::countr_zero(active), text);
  }
  others.push_back({pc - 1, active, true});
  set_active(0);
  reschedule();
}

void Warp::synchronise(std::uint32_t mask) {
  ++sync;
  if (mask == live) {
    full_sync = sync;
    partial_syncs.clear();
  } else {
    // Only the latest synchronisation of each mask is kept: it orders all accesses that the earlier ones of
    // the same mask order.
    std::erase_if(partial_syncs, [&](const PartialSync& p) { return p.mask == mask; });
    if (partial_syncs.size() == kPartialSyncs) partial_syncs.erase(partial_syncs.begin());
    partial_syncs.push_back({sync, mask});
  }
  if (waited & mask) waited |= mask;
}

void Warp::run(std::uint64_t most) {
  Grid& grid = *block->grid;
  const Instruction* code = grid.kernel->code.data();
  std::uint64_t* executed = grid.executed.data();
  std::uint64_t lanes = 0, left = most;
  for (; state == State::ready && left > 0; --left) {
    if (pc >= other_pc) [[unlikely]]
      reschedule();
    const std::uint32_t at = pc++;
    const Instruction& i = code[at];
    ++executed[at];
    lanes += static_cast<unsigned>(std::popcount(active));
    if (i.predicate != kNoSlot && i.cls != Class::branch) [[unlikely]] {
      const std::uint32_t p = predicate(i.predicate), on = (i.negated ? ~p : p) & active;
      if (on == 0) continue;
      if (on != active) {  // the other lanes skip this instruction, and all reconverge after it
        others.push_back({pc, active & ~on, false});
        set_active(on);
        other_pc = std::min(other_pc, pc);
      }
    }
    i.run(*this, i);
  }
  grid.counters.lane_instructions += lanes;
  grid.instructions_left -= std::min(grid.instructions_left, most - left);
}

}  // namespace ptx
