// Warps, blocks and grids at work.
//
// Lanes of a warp that stand at one instruction are a group and run in lockstep; the group with the lowest pc
// goes on, so that lanes meet again where control flow does. A group that needs other lanes (barrier,
// shuffle, mma) waits for them to arrive at the same instruction.
#include <cxxabi.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <list>
#include <numeric>

#include "machine.h"

namespace ptx {

void Warp::set_active(std::uint32_t mask) {
  active = mask, full = mask == ~0u;
  for (Slot l = 0; l < kLanes; ++l) lane[l] = (mask >> l & 1) ? ~0u : 0;
}

void Warp::reschedule() {
  if (active) others.push_back({pc, active, false});
  std::sort(others.begin(), others.end(), [](const Group& a, const Group& b) { return a.pc < b.pc; });
  std::size_t kept = 0;
  for (std::size_t k = 0; k < others.size(); ++k) {
    if (kept > 0 && others[kept - 1].pc == others[k].pc)
      others[kept - 1].mask |= others[k].mask, others[kept - 1].waiting &= others[k].waiting;
    else
      others[kept++] = others[k];
  }
  others.resize(kept);
  const auto next = std::find_if(others.begin(), others.end(), [](const Group& g) { return !g.waiting; });
  if (next == others.end()) {
    set_active(0);
    other_pc = ~0u;
    if (others.empty()) {
      state = State::done;
      return;
    }
    std::string where;
    for (const Group& g : others) {
      char text[48];
      std::snprintf(text, sizeof text, "; lanes 0x%08x wait at PTX line %u", g.mask,
                    block->grid->kernel->code[g.pc].source->line);
      where += text;
    }
    fail(block->grid->kernel->code[others[0].pc], std::countr_zero(others[0].mask),
         "deadlock: it waits for lanes of its warp that do not come" + where);
  }
  pc = next->pc;
  set_active(next->mask);
  others.erase(next);
  other_pc = ~0u;
  for (const Group& g : others) other_pc = g.waiting ? 0 : std::min(other_pc, g.pc);
}

void Warp::wait_for_lanes(const Instruction& i, std::uint32_t wanted) {
  if (wanted & ~live) {
    char text[96];
    std::snprintf(text, sizeof text, "its mask 0x%08x names lanes that have exited: 0x%08x", wanted,
                  wanted & ~live);
    fail(i, std::countr_zero(active), text);
  }
  others.push_back({pc - 1, active, true});
  set_active(0);
  reschedule();
}

void Warp::run(unsigned most) {
  Grid& grid = *block->grid;
  const Instruction* code = grid.kernel->code.data();
  std::uint64_t* executed = grid.executed.data();
  std::uint64_t lanes = 0;
  for (; state == State::ready && most > 0; --most) {
    if (pc >= other_pc) [[unlikely]]
      reschedule();
    const std::uint32_t at = pc++;
    const Instruction& i = code[at];
    ++executed[at];
    lanes += static_cast<unsigned>(std::popcount(active));
    if (i.predicate != kNoSlot && i.cls != Class::branch) [[unlikely]] {
      const std::uint32_t p = predicate(i.predicate), on = (i.negated ? ~p : p) & active;
      if (on == 0) continue;
      if (on != active) {  // the rest goes on behind this instruction, where both meet
        others.push_back({pc, active & ~on, false});
        set_active(on);
        other_pc = std::min(other_pc, pc);
      }
    }
    i.run(*this, i);
  }
  grid.counters.lane_instructions += lanes;
}

void Warp::fail(const Instruction& i, int l, const std::string& what) {
  const Grid& grid = *block->grid;
  int status = 1;
  char* plain = abi::__cxa_demangle(grid.kernel->name.c_str(), nullptr, nullptr, &status);
  std::string name = status == 0 ? plain : grid.kernel->name;
  std::free(plain);
  const std::uint32_t t = at<std::uint32_t>(kTidX * 4 * kLanes)[l];
  const auto special = [&](Special s) { return std::to_string(at<std::uint32_t>(s * 4 * kLanes)[l]); };
  std::string source;
  if (i.source->source_line) {
    const auto& files = grid.kernel->program->syntax.files;
    const auto file = files.find(i.source->source_file);
    source =
        " (" + (file == files.end() ? "?" : file->second) + ":" + std::to_string(i.source->source_line) + ")";
  }
  throw Error(name + ": " + what + "\n  PTX line " + std::to_string(i.source->line) + source + ": " +
              std::string(i.source->text) + "\n  block (" + special(kCtaidX) + ", " + special(kCtaidY) +
              ", " + special(kCtaidZ) + "), thread (" + std::to_string(t) + ", " + special(kTidY) + ", " +
              special(kTidZ) + ")");
}

void Block::start(unsigned number) {
  const Kernel& kernel = *grid->kernel;
  const Dim3 dims = grid->launch->grid, block = grid->launch->block;
  rank = number, threads = static_cast<unsigned>(block.count());
  warps.resize((threads + kLanes - 1) / kLanes);
  shared.assign(grid->limit + 16, static_cast<char>(0xff));
  if (grid->options.races || grid->options.uninitialized) cells.assign(grid->limit / 4 + 4, {});
  fences.assign(warps.size() * kLanes, 0), fences_at_acquire.assign(warps.size() * kLanes, 0);
  acquired.clear();
  ++time;
  for (unsigned n = 0; n < warps.size(); ++n) {
    Warp& w = warps[n];
    w.block = this, w.index = n, w.state = State::ready, w.pc = 0, w.other_pc = ~0u, w.sync = 0,
    w.counted = 0, w.triggered = w.waited = false;
    w.others.clear();
    w.registers.resize(kernel.register_bytes + 64);
    w.base[0] =
        reinterpret_cast<char*>((reinterpret_cast<std::uintptr_t>(w.registers.data()) + 63) / 64 * 64);
    w.base[1] = const_cast<char*>(kernel.constants.data());
    w.locals.assign(kernel.local_bytes * kLanes, static_cast<char>(0xff));
    w.live = threads - n * kLanes >= kLanes ? ~0u : (1u << (threads - n * kLanes)) - 1;
    w.set_active(w.live);
    const auto put = [&](Special s, Slot l, unsigned x) { w.at<std::uint32_t>(s * 4 * kLanes)[l] = x; };
    for (Slot l = 0; l < kLanes; ++l) {
      const unsigned t = n * kLanes + l;
      put(kTidX, l, t % block.x), put(kTidY, l, t / block.x % block.y), put(kTidZ, l, t / block.x / block.y);
      put(kNtidX, l, block.x), put(kNtidY, l, block.y), put(kNtidZ, l, block.z);
      put(kCtaidX, l, rank % dims.x), put(kCtaidY, l, rank / dims.x % dims.y),
          put(kCtaidZ, l, rank / dims.x / dims.y);
      put(kNctaidX, l, dims.x), put(kNctaidY, l, dims.y), put(kNctaidZ, l, dims.z);
      put(kLane, l, l), put(kWarp, l, n);
    }
  }
}

bool Block::done() const {
  return std::all_of(warps.begin(), warps.end(), [](const Warp& w) { return w.state == State::done; });
}

bool Block::run(bool until_trigger) {
  const bool shuffled = grid->options.order == Order::random;
  for (;;) {
    bool progress = false;
    std::size_t arrived = 0, finished = 0, paused = 0;
    const std::size_t first = shuffled ? grid->random() % warps.size() : 0;
    for (std::size_t n = 0; n < warps.size(); ++n) {
      Warp& w = warps[(first + n) % warps.size()];
      if (w.state == State::paused && !until_trigger) w.state = State::ready;
      if (w.state == State::at_wait && grid->predecessor_done) w.state = State::ready;
      if (w.state == State::ready) {
        progress = true;
        w.run(shuffled ? 1 + static_cast<unsigned>(grid->random() % 64) : ~0u);
        if (shuffled && w.state == State::ready) break;  // on with any warp
      }
      arrived += w.state == State::at_barrier, finished += w.state == State::done,
          paused += w.state == State::paused;
    }
    if (finished == warps.size()) return true;
    if (progress && arrived + finished < warps.size()) continue;
    if (arrived > 0 && arrived + finished == warps.size()) {
      ++time, ++grid->counters.barriers;
      const bool waited = std::any_of(warps.begin(), warps.end(), [](const Warp& w) { return w.waited; });
      for (Warp& w : warps)
        if (w.state == State::at_barrier) w.state = State::ready, w.waited |= waited;
      continue;
    }
    const bool all_triggered = std::all_of(
        warps.begin(), warps.end(), [](const Warp& w) { return w.triggered || w.state == State::done; });
    if (paused == 0 || all_triggered) return false;  // at a griddepcontrol.wait, or triggered
    for (Warp& w : warps)
      if (w.state == State::paused) w.state = State::ready;  // others have still to trigger
  }
}

namespace {

struct Running {
  Grid grid;
  std::list<Block> blocks;  // those alive at the same time
  std::vector<unsigned> order;
};

std::unique_ptr<Running> begin(Memory& memory, const Launch& launch, const Options& options) {
  static std::uint32_t launches = 0;
  auto r = std::make_unique<Running>();
  Grid& g = r->grid;
  const Kernel& k = *launch.kernel;
  if (launch.grid.count() == 0 || launch.block.count() == 0 || launch.block.count() > 1024)
    throw Error(k.name + ": bad launch configuration");
  if (launch.block.count() > k.syntax->max_threads)
    throw Error(k.name + ": more threads than its __launch_bounds__");
  g.memory = &memory, g.launch = &launch, g.kernel = &k, g.options = options, g.id = ++launches;
  g.limit = k.static_shared + launch.dynamic_shared;
  g.hits.assign(k.code.size(), nullptr), g.sites.resize(k.code.size()), g.executed.assign(k.code.size(), 0);
  g.random.seed(options.seed);
  g.counters.kernel = k.name, g.counters.blocks = launch.grid.count();
  g.counters.warps = launch.grid.count() * ((launch.block.count() + kLanes - 1) / kLanes);
  for (const auto& [name, v] : k.program->syntax.variables)
    if (v.space == Space::global) memory.adopt(reinterpret_cast<void*>(v.address), v.size, v.name);
  r->order.resize(launch.grid.count());
  std::iota(r->order.begin(), r->order.end(), 0u);
  if (options.order == Order::random) std::shuffle(r->order.begin(), r->order.end(), g.random);
  if (options.order == Order::descending) std::reverse(r->order.begin(), r->order.end());
  return r;
}

Counters finish(Running& r) {
  Counters& c = r.grid.counters;
  const auto& code = r.grid.kernel->code;
  for (std::size_t k = 0; k < code.size(); ++k) {
    c.warp_instructions += r.grid.executed[k];
    c.instructions[std::size_t(code[k].cls)] += r.grid.executed[k];
    if (r.grid.sites[k].accesses.requests) c.by_line[code[k].source->line] += r.grid.sites[k].accesses;
  }
  return c;
}

void stuck(Running& r) {
  throw Error(r.grid.kernel->name + ": deadlock: its blocks wait for a grid that has ended");
}

}  // namespace

std::vector<Counters> run(Memory& memory, std::span<const Launch> launches, const Options& options) {
  std::vector<Counters> results;
  std::unique_ptr<Running> before;  // its blocks stand behind their launch_dependents
  const auto end_before = [&] {
    if (!before) return;
    for (Block& b : before->blocks)
      if (!b.run(false)) stuck(*before);
    results.push_back(finish(*before));
    before.reset();
  };
  for (std::size_t n = 0; n < launches.size(); ++n) {
    auto now = begin(memory, launches[n], options);
    const bool keeps = n + 1 < launches.size() && launches[n + 1].programmatic;
    if (!launches[n].programmatic) end_before();
    if (before) {
      now->grid.predecessor = before->grid.id, before->grid.successor = now->grid.id;
      now->grid.predecessor_done = false;
    }
    if (before || keeps) {  // all blocks are alive
      for (const unsigned rank : now->order) {
        Block& b = now->blocks.emplace_back();
        b.grid = &now->grid;
        b.start(rank);
        b.run(true);
      }
      end_before();
      now->grid.predecessor_done = true;
      for (Block& b : now->blocks) b.run(true);
      before = std::move(now);
      if (!keeps) end_before();
    } else {  // one after another
      Block b;
      b.grid = &now->grid;
      for (const unsigned rank : now->order) {
        b.start(rank);
        if (!b.run(false)) stuck(*now);
      }
      results.push_back(finish(*now));
    }
  }
  end_before();
  return results;
}

}  // namespace ptx
