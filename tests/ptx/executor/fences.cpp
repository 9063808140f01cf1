// Ordering between the blocks of a grid. An access of one block precedes an access of another if the first
// block executes a fence and then an atomic, and the second block later executes an atomic on the same
// address and then a fence. Within each block a barrier may pass the ordering from one thread to another.
// Only fences with GPU or system scope count. Any thread of a block may execute the fence.
#include <algorithm>

#include "grid.h"

namespace ptx {

void Fences::start(unsigned threads) {
  threads_.assign(threads, {});
  newest_time_ = older_time_ = 0;
}

void Fences::add(unsigned thread, std::uint32_t time, std::uint16_t sync) {
  Thread& t = threads_[thread];
  if (t.time != time) t.count_before_time = t.count;
  ++t.count;
  t.time = time;
  t.sync = sync;
  if (newest_time_ != time) older_time_ = newest_time_;
  newest_time_ = time;
}

std::uint16_t Fences::count_before(unsigned thread, std::uint32_t time) const {
  const Thread& t = threads_[thread];
  return t.time < time ? t.count : t.count_before_time;
}

std::vector<std::uint16_t> Fences::counts_before(std::uint32_t time) const {
  std::vector<std::uint16_t> counts(threads_.size());
  for (unsigned t = 0; t < counts.size(); ++t) counts[t] = count_before(t, time);
  return counts;
}

bool Release::covers(const Moment& access) const {
  if (access.time < fence_time || fences[access.thread] > access.fences) return true;
  if (access.thread == atomic.thread) return atomic.fences > access.fences;
  return same_warp(access.thread, atomic.thread) && own_fence_time == access.time &&
         own_fence_sync > access.sync;
}

bool Acquire::visible(const Moment& now, const Fences& fences) const {
  if (now.thread == atomic.thread && now.fences > atomic.fences) return true;
  if (fences.count_before(atomic.thread, now.time) > atomic.fences) return true;
  if (fences.last_time(now.thread) > atomic.time || fences.last_before(now.time) > atomic.time) return true;
  return same_warp(now.thread, atomic.thread) && fences.last_time(now.thread) == atomic.time &&
         fences.last_sync(now.thread) > atomic.sync;
}

// Records an atomic of a lane. The atomic acquires what earlier atomics on this address released, if there
// are any, and releases what the fences of its own block cover, if there are any.
void acquire_and_release(Warp& w, std::uint64_t address, int lane) {
  Block& block = *w.block;
  AtomicHistory& history = block.grid->atomics[address];
  const Moment now = moment_of(w, lane);
  const auto known = [&](const Acquire& a) {
    return a.history == &history && a.seen == history.releases.size() && a.atomic.thread == now.thread;
  };
  if (!history.releases.empty() && std::none_of(block.acquires.begin(), block.acquires.end(), known))
    block.acquires.push_back({&history, history.releases.size(), now});
  if (!block.fences.any()) return;
  const std::uint32_t own = block.fences.last_time(now.thread);
  history.by_block[block.rank].push_back(history.releases.size());
  history.releases.push_back({block.rank, now, block.fences.counts_before(block.time),
                              std::max(own, block.fences.last_before(block.time)), own,
                              block.fences.last_sync(now.thread)});
}

bool ordered_by_atomics(const Block& block, const Moment& now, unsigned from_block, const Moment& access) {
  for (const Acquire& acquire : block.acquires) {
    const auto found = acquire.history->by_block.find(from_block);
    if (found == acquire.history->by_block.end() || !acquire.visible(now, block.fences)) continue;
    for (const std::size_t index : found->second)
      if (index < acquire.seen && acquire.history->releases[index].covers(access)) return true;
  }
  return false;
}

// Returns whether an atomic of this block followed releases by all other blocks. A cell does not record each
// of several blocks that accessed a word, so the accesses are ordered only if those of all other blocks are.
bool ordered_behind_all_blocks(const Block& block, const Moment& now) {
  const std::size_t others = block.grid->launch->grid.count() - 1;
  return std::any_of(block.acquires.begin(), block.acquires.end(), [&](const Acquire& acquire) {
    std::size_t before = 0;
    for (const auto& [rank, indices] : acquire.history->by_block)
      before += rank != block.rank && indices.front() < acquire.seen;
    return before == others && acquire.visible(now, block.fences);
  });
}

}  // namespace ptx
