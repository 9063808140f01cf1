// Decodes operations that involve the whole warp: branches, barriers, shuffles, votes.
#include "decode.h"

namespace ptx {
namespace {

// Returns the index of the modifier that the opcode has. The handler's enumeration has the same order.
std::uint8_t mode_of(const Opcode& op, std::initializer_list<std::string_view> names) {
  std::uint8_t k = 0;
  for (const std::string_view name : names) {
    if (op.has(name)) return k;
    ++k;
  }
  throw Refusal{"the mode of the instruction is not supported"};
}

}  // namespace

void Decoder::shuffle(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  i.mode = mode_of(op, {"up", "down", "bfly", "idx"});
  i.operand[0] = slot(first_of(operand_of(s, 0)), 4);
  for (std::size_t k = 1; k < 5; ++k) i.operand[k] = slot(operand_of(s, k), 4);
  if (s.operands[0].second >= 0) i.operand[5] = second_slot(s.operands[0]);
}

void Decoder::vote(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  SyntaxOperand condition = operand_of(s, 1);
  i.mode = mode_of(op, {"all", "any", "uni", "ballot"});
  if (condition.negated) i.mode |= 8;
  condition.negated = false;
  i.operand[0] = slot(operand_of(s, 0), op.has("ballot") ? 4 : 0);
  i.operand[1] = slot(condition, 0);
  i.operand[2] = slot(operand_of(s, 2), 4);
}

Handler Decoder::warp(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  if (op.base == "bra") {
    const auto label = source_.labels.find(operand_of(s, 0).name);
    if (label == source_.labels.end()) throw Refusal{"the label of the branch does not exist"};
    i.target = label->second;
  } else if (op.base == "bar" || op.base == "barrier") {
    i.operand[0] = slot(operand_of(s, 0), 4);
    if (s.operands.size() > 1) throw Refusal{"a barrier of some of the block's threads is not supported"};
  } else if (op.base == "shfl") {
    shuffle(i, op, s);
  } else if (op.base == "vote") {
    vote(i, op, s);
  } else if (op.base == "activemask") {
    i.operand[0] = slot(operand_of(s, 0), 4);
  }
  return warp_handler(op);
}

}  // namespace ptx
