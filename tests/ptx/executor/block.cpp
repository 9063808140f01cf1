// A block: its warps take turns, meet at barriers, and wait for preceding grids.
#include <algorithm>
#include <bit>

#include "grid.h"

namespace ptx {
namespace {

// Maximum number of instructions per turn of a warp, so that a spinning warp does not starve the others.
constexpr std::uint64_t kTurn = 1 << 16;
constexpr std::uint64_t kRandomTurn = 64;  // largest turn in random order
constexpr unsigned kTurnsBetweenRotations = 16;
constexpr std::uint8_t kUnwrittenByte = 0xff;  // unwritten floats are NaN, even if the check is disabled

}  // namespace

void Block::start(Grid& of, unsigned number) {
  grid = &of;
  rank = number;
  threads = static_cast<unsigned>(of.launch->block.count());
  warps.resize((threads + kLanes - 1) / kLanes);
  const std::size_t words = of.shared_bytes / 4 + 4;
  shared.assign(of.shared_bytes + 16, static_cast<char>(kUnwrittenByte));
  shared_written.assign(words, 0);
  if (history.writes.size() < words) {  // entries of earlier blocks are older than `time`
    history.writes.resize(words);
    history.reads.resize(words);
  }
  fences.start(static_cast<unsigned>(warps.size()) * kLanes);
  acquires.clear();
  triggered = false;
  ++time;
  for (unsigned n = 0; n < warps.size(); ++n) warps[n].start(*this, n);
}

void Block::finish() {
  if (!stores.empty()) grid->keep_stores(std::move(stores));
  stores = {};
  if (triggered) return;
  ++grid->triggered_blocks;
  const bool waited = std::any_of(warps.begin(), warps.end(), [](const Warp& w) { return w.waited != 0; });
  grid->at_trigger.merge(grid->known(waited));
}

void Block::resume() {
  for (Warp& w : warps)
    if (w.state == State::paused || (w.state == State::at_wait && grid->predecessor_complete))
      w.state = State::ready;
}

// Gives each runnable warp a turn, in the order of the options. Returns whether any warp ran.
bool Block::run_warps() {
  const Order order = grid->options.order;
  const std::size_t count = warps.size();
  const std::size_t first = order == Order::random ? grid->random() % count : 0;
  bool progress = false;
  for (std::size_t k = 0; k < count; ++k) {
    Warp& w = warps[order == Order::descending ? count - 1 - k : (first + k) % count];
    if (w.state == State::at_wait && grid->predecessor_complete) w.state = State::ready;
    if (w.state != State::ready) continue;
    progress = true;
    const std::uint64_t turn = order == Order::random ? 1 + grid->random() % kRandomTurn : kTurn;
    w.run(std::min(turn, grid->instructions_left));
    if (grid->instructions_left == 0 && w.state == State::ready) grid->fail_hang();
    if (w.state == State::paused) return true;
    if (w.state != State::ready) continue;
    if (order != Order::random) {
      w.rotate_groups();
      continue;
    }
    if (grid->random() % kTurnsBetweenRotations == 0) w.rotate_groups();
    return true;  // any warp of any block may be next
  }
  return progress;
}

// Lets the warps pass a barrier if all threads of the block have arrived at the same one.
bool Block::pass_barrier() {
  Warp* first = nullptr;
  const Warp* missing = nullptr;
  std::uint32_t waited = 0;
  for (Warp& w : warps) {
    waited |= w.waited;
    if (w.state != State::at_barrier && w.state != State::done) return false;
    const std::uint32_t all =
        threads - w.index * kLanes >= kLanes ? ~0u : (1u << (threads - w.index * kLanes)) - 1;
    if (w.live != all && !missing) missing = &w;
    if (w.state == State::at_barrier && !first) first = &w;
  }
  if (!first) return false;
  const auto& code = grid->kernel->code;
  const int lane = std::countr_zero(first->active);
  if (missing)
    first->fail(code[first->pc - 1], lane,
                "deadlock: the block waits at a barrier for threads that have exited, such as thread " +
                    coordinates(missing->thread(std::countr_one(missing->live)), grid->launch->block));
  for (const Warp& w : warps)
    if (w.pc != first->pc)
      first->fail(code[first->pc - 1], lane,
                  "warps of the block wait at different barriers; warp " + std::to_string(w.index) +
                      " waits at " + place_of(*grid->kernel, code[w.pc - 1]));
  ++time;
  ++grid->counters.barriers;
  for (Warp& w : warps) {
    w.state = State::ready;
    w.partial_syncs.clear();
    w.sync = w.full_sync = 0;
    if (waited) w.waited = ~0u;
  }
  return true;
}

Outcome Block::run() {
  for (;;) {
    const bool progress = run_warps();
    std::size_t done = 0;
    bool paused = false;
    for (const Warp& w : warps) {
      done += w.state == State::done;
      paused |= w.state == State::paused;
    }
    if (paused) return Outcome::paused;
    if (done == warps.size()) {
      finish();
      return Outcome::done;
    }
    if (pass_barrier()) continue;
    if (!progress) return Outcome::blocked;
    if (grid->options.order == Order::random) return Outcome::running;
  }
}

}  // namespace ptx
