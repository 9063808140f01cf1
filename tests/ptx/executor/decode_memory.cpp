// Decodes loads, stores, atomics and conversions of addresses.
#include <algorithm>

#include "decode.h"

namespace ptx {

Space space_of(const Opcode& op) {
  for (const std::string_view p : op.parts) {
    if (p == "global" || p == "const") return Space::global;
    if (p == "shared" || p == "shared::cta") return Space::shared;
    if (p == "local") return Space::local;
    if (p == "param") return Space::param;
  }
  return Space::generic;
}

void Decoder::address(Instruction& i, const SyntaxOperand& o) {
  if (o.kind != SyntaxOperand::address) throw Refusal{"expected an address in brackets"};
  i.operand[4] = kNoSlot;
  i.offset = o.offset;
  if (o.reg >= 0) {
    i.operand[4] = slots_[std::size_t(o.reg)];
    i.wide_address = width_of(o) == 8;
  } else if (!o.name.empty()) {
    const Variable& v = variable(o.name);
    i.offset += static_cast<std::int64_t>(v.address);
    if (i.space == Space::generic) i.space = v.space;
  }
}

unsigned Decoder::data_element(Instruction& i, int k, const SyntaxOperand& e, unsigned type) {
  if (e.kind == SyntaxOperand::register_) {
    i.operand[k] = e.reg >= 0 ? slots_[std::size_t(e.reg)] : kNoSlot;
    return width_of(e);
  }
  i.operand[k] = slot(e, std::max(2u, type));
  return std::max(2u, type);
}

// All registers of a vector must have the same width. An element '_' has no register.
unsigned Decoder::data(Instruction& i, const SyntaxOperand& o, unsigned type) {
  if (o.kind != SyntaxOperand::vector) return data_element(i, 0, o, type);
  if (o.elements.size() != 2 && o.elements.size() != 4) throw Refusal{"expected a vector of 2 or 4 elements"};
  i.count = static_cast<std::uint8_t>(o.elements.size());
  unsigned bytes = 0;
  for (std::size_t k = 0; k < o.elements.size(); ++k) {
    const unsigned width = data_element(i, static_cast<int>(k), o.elements[k], type);
    if (width != 0 && bytes != 0 && width != bytes)
      throw Refusal{"expected a vector of registers of one width"};
    bytes = std::max(bytes, width);
  }
  return bytes;
}

Handler Decoder::memory(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  const bool is_load = op.base == "ld";
  const unsigned type = type_bytes(op.type());
  i.bytes = static_cast<std::uint8_t>(type);
  i.non_coherent = op.has("nc");
  address(i, operand_of(s, is_load ? 1 : 0));
  const unsigned register_bytes = data(i, operand_of(s, is_load ? 0 : 1), type);
  const std::size_t count = op.has("v2") ? 2 : op.has("v4") ? 4 : 1;
  if (i.count != count) throw Refusal{"expected " + std::to_string(count) + " elements of data"};
  return memory_handler(op, register_bytes);
}

Handler Decoder::atomic(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  constexpr std::string_view kModes[] = {"add",  "min", "max", "inc", "dec",
                                         "exch", "cas", "and", "or",  "xor"};
  const auto* mode =
      std::find_if(std::begin(kModes), std::end(kModes), [&](std::string_view m) { return op.has(m); });
  const unsigned type = type_bytes(op.type());
  const std::size_t first = op.base == "atom" ? 1 : 0;  // red has no result
  i.bytes = static_cast<std::uint8_t>(type);
  i.mode = static_cast<std::uint8_t>(mode - kModes);
  i.operand[0] = first == 1 ? slot(operand_of(s, 0), type) : kNoSlot;
  address(i, operand_of(s, first));
  i.operand[1] = slot(operand_of(s, first + 1), type);
  i.operand[2] = op.has("cas") ? slot(operand_of(s, first + 2), type) : kNoSlot;
  return memory_handler(op, type);
}

Handler Decoder::to_generic(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  const std::uint64_t window = i.space == Space::shared  ? kSharedWindow
                               : i.space == Space::local ? kLocalWindow
                               : i.space == Space::param ? kParamWindow
                                                         : 0;
  i.offset = static_cast<std::int64_t>(op.has("to") ? -window : window);
  i.operand[0] = slot(operand_of(s, 0), 8);
  i.operand[1] = slot(operand_of(s, 1), 8);
  return memory_handler(op, 8);
}

namespace {

// Returns whether the n-th instruction after `first` continues the run of adjacent accesses that begins at
// `first`.
bool continues(const std::vector<Instruction>& code, std::size_t first, std::size_t n) {
  const Instruction& a = code[first];
  const Instruction& b = code[first + n];
  return a.source->opcode == b.source->opcode && b.operand[4] == a.operand[4] && b.operand[4] != kNoSlot &&
         b.count == 1 && b.predicate == kNoSlot &&
         b.offset == a.offset + static_cast<std::int64_t>(n) * a.bytes &&
         code[first + n - 1].operand[0] != a.operand[4];
}

}  // namespace

// Marks two or four neighbouring accesses of 4 or 8 bytes, which ptxas merges if they are aligned.
void Decoder::mark_neighbours() {
  auto& code = kernel_.code;
  for (std::size_t k = 0; k < code.size(); ++k) {
    const Instruction& i = code[k];
    const bool single = (i.cls == Class::shared || i.cls == Class::global) && i.count == 1 && i.bytes >= 4 &&
                        i.predicate == kNoSlot;
    if (!single) continue;
    std::size_t n = 1;
    while (n < 16u / i.bytes && k + n < code.size() && continues(code, k, n)) ++n;
    code[k].merged = static_cast<std::uint8_t>(n == 3 ? 2 : n);
    k += code[k].merged - 1u;
  }
}

}  // namespace ptx
