// Assigns slots to registers. PTX uses a new register for every value, and the registers of a warp would not
// fit into the cache. A linear scan over live ranges lets registers that are never live at the same time
// share a slot.
#include <algorithm>
#include <array>
#include <numeric>

#include "liveness.h"
#include "machine.h"

namespace ptx {
namespace {

// A pool of slots of one size.
class SlotPool {
 public:
  // Returns a slot that is free at `range.begin`, or a new one at `next`, which it advances.
  Slot take(const LiveRange& range, Slot& next, Slot size) {
    while (!used_.empty() && used_.front().end < range.begin) {
      std::pop_heap(used_.begin(), used_.end());
      free_.push_back(used_.back().slot);
      used_.pop_back();
    }
    Slot slot = next;
    if (free_.empty()) {
      next += size;
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    used_.push_back({range.end, slot});
    std::push_heap(used_.begin(), used_.end());
    return slot;
  }

 private:
  struct Used {
    unsigned end;
    Slot slot;
    // The range that ends first is at the front of the heap.
    bool operator<(const Used& other) const { return end > other.end; }
  };
  std::vector<Used> used_;
  std::vector<Slot> free_;
};

// Sizes of a predicate and of values of 2, 4 and 8 bytes.
constexpr Slot kSizes[] = {4, 2 * kLanes, 4 * kLanes, 8 * kLanes};
std::size_t size_index(unsigned width) { return width == 0 ? 0 : width <= 2 ? 1 : width <= 4 ? 2 : 3; }

}  // namespace

std::vector<Slot> allocate_registers(Kernel& decoded, Slot first) {
  const SyntaxKernel& kernel = *decoded.syntax;
  const std::vector<LiveRange> ranges = live_ranges(kernel);
  std::vector<std::size_t> order(ranges.size());
  std::iota(order.begin(), order.end(), std::size_t(0));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return ranges[a].begin < ranges[b].begin; });

  std::array<SlotPool, 4> pools;
  std::vector<Slot> slots(ranges.size(), kNoSlot);
  Slot next = first;
  Slot next_predicate = 0;
  for (const std::size_t r : order) {
    if (!ranges[r].is_used()) break;
    const std::size_t kind = size_index(kernel.registers[r]);
    slots[r] = pools[kind].take(ranges[r], kind == 0 ? next_predicate : next, kSizes[kind]);
  }
  for (std::size_t r = 0; r < slots.size(); ++r)  // predicates come after all other registers
    if (kernel.registers[r] == 0 && slots[r] != kNoSlot) slots[r] += next;
  decoded.register_bytes = next + next_predicate;
  for (std::size_t r = 0; r < slots.size(); ++r)
    if (ranges[r].from_start) decoded.unset.push_back({slots[r], kSizes[size_index(kernel.registers[r])]});
  return slots;
}

}  // namespace ptx
