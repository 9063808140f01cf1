// Decodes arithmetic, comparisons, conversions and moves.
#include <algorithm>

#include "decode.h"

namespace ptx {
namespace {

// Returns the size of operand k in bytes. Most operands have the size of the instruction's type.
unsigned operand_bytes(const Opcode& op, std::size_t k, unsigned type) {
  if (op.has("wide") && (k == 0 || k == 3)) return 2 * type;
  if (any_of(op.base, {"popc", "clz"}) && k == 0) return 4;
  if (any_of(op.base, {"shl", "shr"}) && k == 2) return 4;
  if (op.base == "bfe" && k >= 2) return 4;
  if (op.base == "bfi" && k >= 3) return 4;
  if (op.base == "selp" && k == 3) return 0;
  return type;
}

std::size_t operand_count(std::string_view base) {
  if (any_of(base, {"fma", "mad", "selp", "bfe", "shf", "prmt"})) return 4;
  if (any_of(base, {"bfi", "lop3"})) return 5;
  if (any_of(base, {"abs", "neg", "not", "mov", "popc", "clz", "brev", "rcp", "sqrt", "rsqrt", "sin", "cos",
                    "lg2", "ex2", "tanh"}))
    return 2;
  return 3;
}

}  // namespace

Handler Decoder::arithmetic(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  if (s.operands.size() != operand_count(op.base))
    throw Refusal{"expected " + std::to_string(operand_count(op.base)) + " operands"};
  const unsigned type = type_bytes(op.type());
  for (std::size_t k = 0; k < s.operands.size(); ++k)
    i.operand[k] = slot(s.operands[k], operand_bytes(op, k, type));
  for (const auto family : {approximate_handler, float_handler, move_handler, bit_handler, integer_handler})
    if (const Handler found = family(op)) return found;
  return nullptr;
}

// D, A, B and C have 4, 4, 2 and 4 registers.
Handler Decoder::matrix(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  constexpr std::size_t kRegisters[] = {4, 4, 2, 4};
  if (s.operands.size() != std::size(kRegisters)) throw Refusal{"expected 4 operands"};
  std::size_t k = 0;
  for (std::size_t v = 0; v < s.operands.size(); ++v) {
    if (s.operands[v].elements.size() != kRegisters[v])
      throw Refusal{"expected fragments of 4, 4, 2 and 4 registers"};
    for (const SyntaxOperand& e : s.operands[v].elements) i.operand[k++] = slot(e, 4);
  }
  return matrix_handler(op);
}

Handler Decoder::compare(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  const unsigned type = type_bytes(op.type());
  const std::size_t combined = op.has("and") ? 1 : op.has("or") ? 2 : op.has("xor") ? 3 : 0;
  if (s.operands.size() != (combined ? 4u : 3u))
    throw Refusal{combined ? "expected 4 operands" : "expected 3 operands"};
  i.operand[0] = slot(first_of(s.operands[0]), 0);
  i.operand[1] = slot(s.operands[1], type);
  i.operand[2] = slot(s.operands[2], type);
  i.operand[4] = second_slot(s.operands[0]);
  i.mode = static_cast<std::uint8_t>(combined);
  if (combined) {
    SyntaxOperand condition = s.operands[3];
    if (condition.negated) i.mode |= 8;
    condition.negated = false;
    i.operand[3] = slot(condition, 0);
  }
  return compare_handler(op);
}

namespace {

// Integer registers may be wider than their types. All other registers have the size of their types.
void check_width(std::string_view type, unsigned width) {
  const bool is_integer = type[0] == 's' || type[0] == 'u';
  const unsigned bytes = type == "bf16x2" ? 4 : type_bytes(type);
  if (width < bytes || (!is_integer && width != bytes))
    throw Refusal{"expected a register of " + std::to_string(bytes) + " bytes for its type " +
                  std::string(type) + ", got one of " + std::to_string(width) + " bytes"};
}
void check_widths(const Opcode& op, unsigned to_bytes, unsigned from_bytes) {
  check_width(op.type(1), to_bytes);
  check_width(op.type(), from_bytes);
}

}  // namespace

Handler Decoder::convert(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  const std::size_t inputs = op.has("bf16x2") ? 2 : 1;
  if (s.operands.size() != inputs + 1) throw Refusal{"expected " + std::to_string(inputs) + " inputs"};
  const SyntaxOperand& from = s.operands[1];
  const bool is_register = from.kind == SyntaxOperand::register_ && from.reg >= 0;
  i.from_bytes =
      static_cast<std::uint8_t>(is_register ? width_of(from) : std::max(2u, type_bytes(op.type())));
  i.to_bytes = static_cast<std::uint8_t>(width_of(s.operands[0]));
  check_widths(op, i.to_bytes, i.from_bytes);
  i.operand[0] = slot(s.operands[0], i.to_bytes);
  i.operand[1] = slot(from, i.from_bytes);
  if (inputs == 2) i.operand[2] = slot(s.operands[2], 4);
  return convert_handler(op);
}

// Decodes a mov between a register and a vector of its parts.
Handler Decoder::pack(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  const bool pack = operand_of(s, 1).kind == SyntaxOperand::vector;
  const auto& parts = s.operands[pack ? 1 : 0].elements;
  if (op.base != "mov" || (parts.size() != 2 && parts.size() != 4)) return nullptr;
  const unsigned whole = type_bytes(op.type());
  const unsigned part = whole / static_cast<unsigned>(parts.size());
  i.operand[0] = slot(s.operands[pack ? 0 : 1], whole);
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const bool sink = !pack && parts[k].kind == SyntaxOperand::register_ && parts[k].reg < 0;
    i.operand[1 + k] = sink ? kNoSlot : slot(parts[k], part);
  }
  return pack_handler(whole, part, pack);
}

}  // namespace ptx
