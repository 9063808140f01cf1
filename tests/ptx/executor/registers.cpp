// Registers to slots. PTX has as many registers as it has values; a warp's would not fit any cache. Those
// that are never alive at the same place share a slot: live ranges from the usual data flow, then a linear
// scan. Lanes may stand at different places, but a register is a lane's own, so that changes nothing.
#include <algorithm>
#include <array>

#include "machine.h"

namespace ptx {
namespace {

using Bits = std::vector<std::uint64_t>;
bool get(const Bits& b, int k) { return b[std::size_t(k) / 64] >> (k % 64) & 1; }
void set(Bits& b, int k) { b[std::size_t(k) / 64] |= 1ull << (k % 64); }

template <class F>
void for_registers(const SyntaxOperand& o, const F& f) {
  if (o.reg >= 0) f(o.reg);
  if (o.second >= 0) f(o.second);
  for (const SyntaxOperand& e : o.elements) for_registers(e, f);
}
// f(register, whether it is written)
template <class F>
void for_accesses(const SyntaxInstruction& i, const F& f) {
  const bool writes = writes_first_operand(i.opcode);
  for (std::size_t k = 0; k < i.operands.size(); ++k) {
    const bool written = k == 0 && writes;
    for_registers(i.operands[k], [&](int r) {
      if (!written || i.predicate >= 0) f(r, false);  // a guarded write keeps the old value of other lanes
      if (written) f(r, true);
    });
  }
  if (i.predicate >= 0) f(i.predicate, false);
}

struct Piece {  // a basic block
  unsigned begin, end;
  std::vector<unsigned> next;
  Bits uses, defines, in, out;
};

std::vector<Piece> pieces_of(const SyntaxKernel& kernel) {
  const unsigned size = static_cast<unsigned>(kernel.code.size());
  std::vector<char> leads(size + 1, 0);
  leads[0] = 1;
  for (const auto& [name, at] : kernel.labels) leads[at] = 1;
  const auto ends = [&](const SyntaxInstruction& i) {
    return i.opcode.starts_with("bra") || i.opcode == "ret" || i.opcode == "exit";
  };
  for (unsigned k = 0; k < size; ++k)
    if (ends(kernel.code[k])) leads[k + 1] = 1;
  std::vector<Piece> pieces;
  std::vector<unsigned> piece_at(size + 1, 0);
  for (unsigned k = 0; k < size; ++k) {
    if (leads[k]) pieces.push_back({k, k, {}, {}, {}, {}, {}});
    piece_at[k] = static_cast<unsigned>(pieces.size()) - 1;
    pieces.back().end = k + 1;
  }
  for (unsigned p = 0; p < pieces.size(); ++p) {
    const SyntaxInstruction& last = kernel.code[pieces[p].end - 1];
    if (last.opcode.starts_with("bra"))
      if (const auto target = kernel.labels.find(last.operands.at(0).name);
          target != kernel.labels.end() && target->second < size)
        pieces[p].next.push_back(piece_at[target->second]);
    if ((!ends(last) || last.predicate >= 0) && p + 1 < pieces.size()) pieces[p].next.push_back(p + 1);
  }
  return pieces;
}

}  // namespace

std::vector<Slot> allocate_registers(const SyntaxKernel& kernel, Slot first, std::size_t& bytes) {
  const std::size_t count = kernel.registers.size(), words = count / 64 + 1;
  std::vector<Piece> pieces = pieces_of(kernel);
  for (Piece& p : pieces) {
    p.uses.resize(words), p.defines.resize(words), p.in.resize(words), p.out.resize(words);
    for (unsigned k = p.begin; k < p.end; ++k) {
      for_accesses(kernel.code[k], [&](int r, bool written) {
        if (!written && !get(p.defines, r)) set(p.uses, r);
      });
      for_accesses(kernel.code[k], [&](int r, bool written) {
        if (written) set(p.defines, r);
      });
    }
  }
  for (bool changed = true; changed;) {
    changed = false;
    for (auto p = pieces.rbegin(); p != pieces.rend(); ++p)
      for (std::size_t k = 0; k < words; ++k) {
        std::uint64_t out = 0;
        for (const unsigned n : p->next) out |= pieces[n].in[k];
        const std::uint64_t in = p->uses[k] | (out & ~p->defines[k]);
        changed |= in != p->in[k];
        p->out[k] = out, p->in[k] = in;
      }
  }

  struct Range {
    unsigned begin = ~0u, end = 0;
    int reg = 0;
  };
  std::vector<Range> ranges(count);
  const auto extend = [&](int r, unsigned at) {
    ranges[std::size_t(r)].begin = std::min(ranges[std::size_t(r)].begin, at),
    ranges[std::size_t(r)].end = std::max(ranges[std::size_t(r)].end, at);
  };
  for (const Piece& p : pieces) {
    for (std::size_t k = 0; k < words; ++k) {
      for (std::uint64_t b = p.in[k]; b; b &= b - 1)
        extend(static_cast<int>(64 * k) + __builtin_ctzll(b), 2 * p.begin);
      for (std::uint64_t b = p.out[k]; b; b &= b - 1)
        extend(static_cast<int>(64 * k) + __builtin_ctzll(b), 2 * p.end);
    }
    for (unsigned k = p.begin; k < p.end; ++k)  // reads before writes: a result may take an operand's slot
      for_accesses(kernel.code[k], [&](int r, bool written) { extend(r, 2 * k + (written ? 1 : 0)); });
  }
  for (std::size_t r = 0; r < count; ++r) ranges[r].reg = static_cast<int>(r);
  std::vector<Range> order(ranges);
  std::sort(order.begin(), order.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });

  constexpr Slot kSizes[4] = {4, 2 * kLanes, 4 * kLanes, 8 * kLanes};  // by kind
  std::array<std::vector<Slot>, 4> free_slots;
  std::array<std::vector<std::pair<unsigned, Slot>>, 4> used;  // heaps by end
  std::vector<Slot> slots(count, kNoSlot);
  Slot next = first, next_predicate = 0;
  std::vector<std::pair<int, Slot>> predicates;
  for (const Range& range : order) {
    if (range.begin == ~0u) break;
    const unsigned width = kernel.registers[std::size_t(range.reg)], kind = width == 0   ? 0
                                                                            : width <= 2 ? 1
                                                                            : width <= 4 ? 2
                                                                                         : 3;
    auto& heap = used[kind];
    const auto later = [](const auto& a, const auto& b) { return a.first > b.first; };
    while (!heap.empty() && heap.front().first < range.begin) {
      std::pop_heap(heap.begin(), heap.end(), later);
      free_slots[kind].push_back(heap.back().second);
      heap.pop_back();
    }
    Slot slot;
    if (!free_slots[kind].empty())
      slot = free_slots[kind].back(), free_slots[kind].pop_back();
    else if (kind == 0)
      slot = next_predicate, next_predicate += 4;
    else
      slot = next, next += kSizes[kind];
    heap.push_back({range.end, slot});
    std::push_heap(heap.begin(), heap.end(), later);
    slots[std::size_t(range.reg)] = slot;
  }
  for (std::size_t r = 0; r < count; ++r)
    if (kernel.registers[r] == 0 && slots[r] != kNoSlot) slots[r] += next;
  bytes = next + next_predicate;
  return slots;
}

}  // namespace ptx
