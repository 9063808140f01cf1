// Implements operations that involve the whole warp: branches, exits, barriers, shuffles, votes, fences,
// dependent launches.
#include <bit>
#include <limits>

#include "grid.h"

namespace ptx {
namespace {

using std::uint32_t;

std::uint32_t guard(Warp& w, const Instruction& i) {
  const uint32_t p = i.predicate == kNoSlot ? ~0u : w.predicate(i.predicate);
  return (i.negated ? ~p : p) & w.active;
}

void bra(Warp& w, const Instruction& i) {
  const uint32_t taken = guard(w, i);
  if (taken == w.active) {
    w.pc = i.target;
  } else if (taken != 0) {
    ++w.block->grid->counters.divergent_branches;
    w.others.push_back({i.target, taken, false});
    w.set_active(w.active & ~taken);
    w.reschedule();
  }
}

void leave(Warp& w, const Instruction& i) {
  const uint32_t gone = guard(w, i);
  w.live &= ~gone;
  for (Group& g : w.others) g.waiting = false;  // groups that waited for these lanes check again
  w.set_active(w.active & ~gone);
  if (w.active == 0) w.reschedule();
}

// bar.sync is .aligned: all lanes of the warp that have not exited execute it together.
void bar(Warp& w, const Instruction& i) {
  if (w.active != w.live) return w.wait_for_lanes(i, w.live);
  if (w.at<uint32_t>(i.operand[0])[0] != 0)
    w.fail(i, std::countr_zero(w.active), "barriers other than 0 are not supported");
  w.state = State::at_barrier;
}

// Restricts the active lanes to those with the same mask operand as the first one. Returns false if some
// lanes of the mask have not arrived yet; the active lanes then wait for them.
bool gathered(Warp& w, const Instruction& i, Slot mask_operand) {
  const uint32_t* masks = w.at<uint32_t>(mask_operand);
  const uint32_t mask = masks[std::countr_zero(w.active)];
  uint32_t same = 0;
  for (Slot l = 0; l < kLanes; ++l)
    if (w.lane[l] && masks[l] == mask) same |= 1u << l;
  if (same & ~mask) {
    char text[96];
    std::snprintf(text, sizeof text, "the mask 0x%08x does not name the lane itself", mask);
    w.fail(i, std::countr_zero(same & ~mask), text);
  }
  if (same != w.active) {  // lanes that name another mask execute the instruction later
    w.others.push_back({w.pc - 1, w.active & ~same, false});
    w.set_active(same);
  }
  if (same == mask) return true;
  w.wait_for_lanes(i, mask);
  return false;
}

void warp_sync(Warp& w, const Instruction& i) {
  if (!gathered(w, i, i.operand[0])) return;
  if (w.sync == std::numeric_limits<std::uint16_t>::max())
    w.fail(i, std::countr_zero(w.active),
           "more than 65535 warp barriers without a block barrier in between are not supported");
  w.synchronise(w.active);
}

enum ShuffleMode : std::uint8_t { kUp, kDown, kBfly, kIdx };

// Returns the lane that lane l reads, or -1 if it is outside the segment. `b` and `c` are the operands of the
// PTX ISA.
int source_lane(std::uint8_t mode, int l, uint32_t b, uint32_t c) {
  const int shift = int(b & 31), clamp = int(c & 31), segment = int(c >> 8 & 31);
  const int most = (l & segment) | (clamp & ~segment), least = l & segment;
  const int from = mode == kUp     ? l - shift
                   : mode == kDown ? l + shift
                   : mode == kBfly ? l ^ shift
                                   : least | (shift & ~segment);
  const bool inside = mode == kUp ? from >= most : from <= most;
  return inside ? from : -1;
}

// Implements shfl.sync d|p, a, b, c, mask.
void shfl(Warp& w, const Instruction& i) {
  if (!gathered(w, i, i.operand[4])) return;
  const uint32_t* a = w.at<uint32_t>(i.operand[1]);
  const uint32_t* b = w.at<uint32_t>(i.operand[2]);
  const uint32_t* c = w.at<uint32_t>(i.operand[3]);
  uint32_t result[kLanes], valid = 0;
  for (int l = 0; l < int(kLanes); ++l) {
    if (!w.lane[l]) continue;
    const int inside = source_lane(i.mode, l, b[l], c[l]), from = inside >= 0 ? inside : l;
    if (inside >= 0) valid |= 1u << l;
    if (!bit(w.active, Slot(from)))
      w.fail(i, l, "the shuffle reads lane " + std::to_string(from) + ", which does not take part in it");
    result[l] = a[from];
  }
  uint32_t* d = w.at<uint32_t>(i.operand[0]);
  for (Slot l = 0; l < kLanes; ++l)
    if (w.lane[l]) d[l] = result[l];
  if (i.operand[5] != 0) {
    uint32_t& p = w.predicate(i.operand[5]);
    p = (p & ~w.active) | valid;
  }
}

enum VoteMode : std::uint8_t { kAll, kAny, kUni, kBallot };
// Implements vote.sync d, p, mask.
void vote(Warp& w, const Instruction& i) {
  if (!gathered(w, i, i.operand[2])) return;
  uint32_t p = w.predicate(i.operand[1]);
  if (i.mode & 8) p = ~p;
  p &= w.active;
  const int mode = i.mode & 7;
  if (mode == kBallot) {
    uint32_t* d = w.at<uint32_t>(i.operand[0]);
    for (Slot l = 0; l < kLanes; ++l)
      if (w.lane[l]) d[l] = p;
    return;
  }
  const bool yes = mode == kAll ? p == w.active : mode == kAny ? p != 0 : p == 0 || p == w.active;
  uint32_t& d = w.predicate(i.operand[0]);
  d = (d & ~w.active) | (yes ? w.active : 0);
}
void activemask(Warp& w, const Instruction& i) {
  uint32_t* d = w.at<uint32_t>(i.operand[0]);
  for (Slot l = 0; l < kLanes; ++l)
    if (w.lane[l]) d[l] = w.active;
}

// Implements a fence of the whole GPU or system. A fence of the block orders nothing between blocks.
void fence(Warp& w, const Instruction&) {
  Block& block = *w.block;
  for (int l = 0; l < int(kLanes); ++l)
    if (w.lane[l]) block.fences.add(w.thread(l), block.time, w.sync);
  if (!block.stores.empty()) block.stores.fence(w.index, w.active, block.time, w.full_sync);
}

// Implements launch_dependents. Only the first execution in a block has an effect.
void trigger(Warp& w, const Instruction&) {
  Block& block = *w.block;
  Grid& grid = *block.grid;
  if (block.triggered) return;
  block.triggered = true;
  ++grid.triggered_blocks;
  grid.at_trigger.merge(grid.known((w.waited & w.active) != 0));
  if (grid.pauses_at_trigger) w.state = State::paused;
}
void wait_for_grids(Warp& w, const Instruction&) {
  Grid& grid = *w.block->grid;
  w.waited |= w.active;
  grid.any_waited = true;
  if (!grid.predecessor_complete) w.state = State::at_wait;
}
void nothing(Warp&, const Instruction&) {}

}  // namespace

Handler warp_handler(const Opcode& op) {
  const std::string_view b = op.base;
  if (b == "bra") return bra;
  if (b == "ret" || b == "exit") return leave;
  if (b == "shfl" && op.has("sync")) return shfl;
  if (b == "vote" && op.has("sync")) return vote;
  if (b == "activemask") return activemask;
  if ((b == "bar" || b == "barrier") && op.has("warp")) return warp_sync;
  if ((b == "bar" || b == "barrier") && op.has("sync")) return bar;
  if (b == "membar" || b == "fence") return op.has("cta") || op.has("proxy") ? nothing : fence;
  if (b == "griddepcontrol") return op.has("wait") ? wait_for_grids : trigger;
  if (b == "nanosleep") return nothing;
  return nullptr;
}

}  // namespace ptx
