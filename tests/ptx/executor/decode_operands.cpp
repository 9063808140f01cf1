// Decodes operands: slots of registers, constants and special registers.
#include <algorithm>
#include <cstring>

#include "decode.h"

namespace ptx {

unsigned Decoder::width_of(const SyntaxOperand& o) const {
  return o.reg >= 0 ? source_.registers[std::size_t(o.reg)] : 0;
}

Slot Decoder::register_slot(const SyntaxOperand& o, unsigned bytes) const {
  if (o.reg < 0) throw Refusal{"expected a register, got '_'"};
  if (width_of(o) != bytes)
    throw Refusal{"expected a register of " + std::to_string(bytes) + " bytes, got one of " +
                  std::to_string(width_of(o)) + " bytes"};
  return slots_[std::size_t(o.reg)];
}

Slot Decoder::slot(const SyntaxOperand& o, unsigned bytes) {
  if (o.negated) throw Refusal{"expected an operand without '!'"};
  if (o.second >= 0) throw Refusal{"expected an operand without '|'"};
  switch (o.kind) {
    case SyntaxOperand::register_:
      return register_slot(o, bytes);
    case SyntaxOperand::immediate:
      return constant(o.bits, bytes);
    case SyntaxOperand::symbol:
      return constant(variable(o.name).address, bytes);
    case SyntaxOperand::special:
      return special_register(o.name);
    default:
      throw Refusal{"expected a register, a constant or a name"};
  }
}

Slot Decoder::second_slot(const SyntaxOperand& o) const {
  return o.second >= 0 ? slots_[std::size_t(o.second)] : kNoSlot;
}

// A constant repeats its value for each lane; a constant predicate is a mask of lanes.
Slot Decoder::constant(std::uint64_t bits, unsigned bytes) {
  const auto [at, is_new] = constants_.try_emplace({bits, bytes}, 0);
  if (!is_new) return at->second;
  const std::size_t begin = kernel_.constants.size();
  const std::size_t lanes = bytes == 0 ? 1 : kLanes;
  const std::size_t width = bytes == 0 ? 4 : std::max(2u, bytes);
  if (bytes == 0) bits = bits ? ~0ull : 0;
  kernel_.constants.resize((begin + lanes * width + 63) / 64 * 64);
  for (std::size_t l = 0; l < lanes; ++l)
    std::memcpy(kernel_.constants.data() + begin + l * width, &bits, width);
  return at->second = static_cast<Slot>(begin) | 1;
}

Slot Decoder::special_register(std::string_view name) const {
  constexpr std::string_view kNames[] = {"%tid.x",    "%tid.y",    "%tid.z",   "%ntid.x",  "%ntid.y",
                                         "%ntid.z",   "%ctaid.x",  "%ctaid.y", "%ctaid.z", "%nctaid.x",
                                         "%nctaid.y", "%nctaid.z", "%laneid",  "%warpid"};
  for (Slot k = 0; k < kSpecials; ++k)
    if (kNames[k] == name) return k * 4 * kLanes;
  throw Refusal{"special register " + std::string(name) + " is not supported"};
}

}  // namespace ptx
