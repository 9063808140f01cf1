// Computes liveness by backward data flow over basic blocks. Lanes may be at different instructions, but each
// lane has its own copy of a register, so the analysis is the same as for a single thread.
#include "liveness.h"

#include <algorithm>

#include "machine.h"

namespace ptx {
namespace {

class Bits {
 public:
  explicit Bits(std::size_t count) : words_(count / 64 + 1) {}
  bool get(int k) const { return words_[std::size_t(k) / 64] >> (k % 64) & 1; }
  void set(int k) { words_[std::size_t(k) / 64] |= 1ull << (k % 64); }
  std::size_t words() const { return words_.size(); }
  std::uint64_t& word(std::size_t k) { return words_[k]; }
  template <class F>
  void for_each(const F& f) const {
    for (std::size_t k = 0; k < words_.size(); ++k)
      for (std::uint64_t left = words_[k]; left; left &= left - 1)
        f(static_cast<int>(64 * k) + __builtin_ctzll(left));
  }

 private:
  std::vector<std::uint64_t> words_;
};

struct BasicBlock {
  BasicBlock(unsigned at, std::size_t registers)
      : begin(at), end(at), uses(registers), defines(registers), in(registers), out(registers) {}
  unsigned begin, end;
  std::vector<unsigned> successors;
  Bits uses, defines, in, out;
};

template <class F>
void for_registers(const SyntaxOperand& o, const F& f) {
  if (o.reg >= 0) f(o.reg);
  if (o.second >= 0) f(o.second);
  for (const SyntaxOperand& e : o.elements) for_registers(e, f);
}

template <class F>
void for_reads(const SyntaxInstruction& i, const F& f) {
  const bool writes = writes_first_operand(i.opcode);
  for (std::size_t k = 0; k < i.operands.size(); ++k)
    // A predicated write preserves the old value in other lanes, so it also counts as a read.
    if (k > 0 || !writes || i.predicate >= 0) for_registers(i.operands[k], f);
  if (i.predicate >= 0) f(i.predicate);
}

template <class F>
void for_writes(const SyntaxInstruction& i, const F& f) {
  if (!i.operands.empty() && writes_first_operand(i.opcode)) for_registers(i.operands[0], f);
}

bool ends_block(const SyntaxInstruction& i) {
  return i.opcode.starts_with("bra") || i.opcode.starts_with("ret") || i.opcode == "exit";
}

// Splits the code into basic blocks. block_at receives the block index of each instruction.
std::vector<BasicBlock> split(const SyntaxKernel& kernel, std::vector<unsigned>& block_at) {
  const unsigned size = static_cast<unsigned>(kernel.code.size());
  std::vector<char> leads(size + 1, 0);
  leads[0] = 1;
  for (const auto& [name, at] : kernel.labels) leads[at] = 1;
  for (unsigned k = 0; k < size; ++k)
    if (ends_block(kernel.code[k])) leads[k + 1] = 1;
  std::vector<BasicBlock> blocks;
  block_at.assign(size + 1, 0);
  for (unsigned k = 0; k < size; ++k) {
    if (leads[k]) blocks.emplace_back(k, kernel.registers.size());
    block_at[k] = static_cast<unsigned>(blocks.size()) - 1;
    blocks.back().end = k + 1;
  }
  return blocks;
}

void connect(const SyntaxKernel& kernel, const std::vector<unsigned>& block_at,
             std::vector<BasicBlock>& blocks) {
  for (unsigned b = 0; b < blocks.size(); ++b) {
    const SyntaxInstruction& last = kernel.code[blocks[b].end - 1];
    if (last.opcode.starts_with("bra") && !last.operands.empty()) {
      const auto target = kernel.labels.find(last.operands[0].name);
      if (target != kernel.labels.end() && target->second < kernel.code.size())
        blocks[b].successors.push_back(block_at[target->second]);
    }
    const bool falls_through = !ends_block(last) || last.predicate >= 0;
    if (falls_through && b + 1 < blocks.size()) blocks[b].successors.push_back(b + 1);
  }
}

void find_uses(const SyntaxKernel& kernel, BasicBlock& block) {
  for (unsigned k = block.begin; k < block.end; ++k) {
    for_reads(kernel.code[k], [&](int r) {
      if (!block.defines.get(r)) block.uses.set(r);
    });
    for_writes(kernel.code[k], [&](int r) { block.defines.set(r); });
  }
}

// Updates a block and returns whether the registers that are live at its start changed.
bool flow(std::vector<BasicBlock>& blocks, BasicBlock& block) {
  bool changed = false;
  for (std::size_t k = 0; k < block.in.words(); ++k) {
    std::uint64_t out = 0;
    for (const unsigned n : block.successors) out |= blocks[n].in.word(k);
    const std::uint64_t in = block.uses.word(k) | (out & ~block.defines.word(k));
    changed |= in != block.in.word(k);
    block.out.word(k) = out;
    block.in.word(k) = in;
  }
  return changed;
}

}  // namespace

std::vector<LiveRange> live_ranges(const SyntaxKernel& kernel) {
  std::vector<unsigned> block_at;
  std::vector<BasicBlock> blocks = split(kernel, block_at);
  connect(kernel, block_at, blocks);
  for (BasicBlock& b : blocks) find_uses(kernel, b);
  for (bool changed = true; changed;) {
    changed = false;
    for (auto b = blocks.rbegin(); b != blocks.rend(); ++b) changed |= flow(blocks, *b);
  }
  std::vector<LiveRange> ranges(kernel.registers.size());
  const auto extend = [&](int r, unsigned at) {
    LiveRange& range = ranges[std::size_t(r)];
    range.begin = std::min(range.begin, at);
    range.end = std::max(range.end, at);
  };
  if (!blocks.empty()) blocks[0].in.for_each([&](int r) { ranges[std::size_t(r)].from_start = true; });
  for (const BasicBlock& b : blocks) {
    b.in.for_each([&](int r) { extend(r, 2 * b.begin); });
    b.out.for_each([&](int r) { extend(r, 2 * b.end); });
    for (unsigned k = b.begin; k < b.end; ++k) {
      for_reads(kernel.code[k], [&](int r) { extend(r, 2 * k); });
      for_writes(kernel.code[k], [&](int r) { extend(r, 2 * k + 1); });
    }
  }
  return ranges;
}

}  // namespace ptx
