// Implements moves, selections, logic of predicates, and packing of registers.
#include <cstring>

#include "machine.h"

namespace ptx {
namespace {

using std::uint16_t, std::uint32_t, std::uint64_t;

template <class T>
void mov(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return a; });
}

template <class T>
void selp(Warp& w, const Instruction& i) {
  T* d = w.at<T>(i.operand[0]);
  const T* a = w.at<T>(i.operand[1]);
  const T* b = w.at<T>(i.operand[2]);
  const uint32_t p = w.predicate(i.operand[3]);
  const uint32_t active = w.active;
#pragma GCC ivdep
  for (Slot l = 0; l < kLanes; ++l) {
    const T r = bit(p, l) ? a[l] : b[l];
    d[l] = bit(active, l) ? r : d[l];
  }
}

// A predicate is a mask of lanes.
void set_predicate(Warp& w, const Instruction& i, uint32_t value) {
  uint32_t& d = w.predicate(i.operand[0]);
  d = (d & ~w.active) | (value & w.active);
}
void predicate_and(Warp& w, const Instruction& i) {
  set_predicate(w, i, w.predicate(i.operand[1]) & w.predicate(i.operand[2]));
}
void predicate_or(Warp& w, const Instruction& i) {
  set_predicate(w, i, w.predicate(i.operand[1]) | w.predicate(i.operand[2]));
}
void predicate_xor(Warp& w, const Instruction& i) {
  set_predicate(w, i, w.predicate(i.operand[1]) ^ w.predicate(i.operand[2]));
}
void predicate_not(Warp& w, const Instruction& i) { set_predicate(w, i, ~w.predicate(i.operand[1])); }
void predicate_mov(Warp& w, const Instruction& i) { set_predicate(w, i, w.predicate(i.operand[1])); }

Handler predicate_handler(std::string_view base) {
  if (base == "and") return predicate_and;
  if (base == "or") return predicate_or;
  if (base == "xor") return predicate_xor;
  if (base == "not") return predicate_not;
  if (base == "mov") return predicate_mov;
  return nullptr;
}

template <class Whole, class Part, bool kPack>
void move_parts(Warp& w, const Instruction& i) {
  for (std::size_t k = 0; k < sizeof(Whole) / sizeof(Part); ++k) {
    if (i.operand[1 + k] == kNoSlot) continue;
    char* whole = w.at<char>(i.operand[0]) + k * sizeof(Part);
    Part* part = w.at<Part>(i.operand[1 + k]);
    for (Slot l = 0; l < kLanes; ++l) {
      if (!w.lane[l]) continue;
      if (kPack)
        std::memcpy(whole + l * sizeof(Whole), part + l, sizeof(Part));
      else
        std::memcpy(part + l, whole + l * sizeof(Whole), sizeof(Part));
    }
  }
}

template <class Whole, class Part>
Handler parts_handler(bool pack) {
  return pack ? move_parts<Whole, Part, true> : move_parts<Whole, Part, false>;
}

}  // namespace

Handler move_handler(const Opcode& op) {
  if (op.type() == "pred") return predicate_handler(op.base);
  const bool select = op.base == "selp";
  if (!select && op.base != "mov") return nullptr;
  switch (type_bytes(op.type())) {
    case 2:
      return select ? selp<uint16_t> : mov<uint16_t>;
    case 4:
      return select ? selp<uint32_t> : mov<uint32_t>;
    case 8:
      return select ? selp<uint64_t> : mov<uint64_t>;
  }
  return nullptr;
}

Handler pack_handler(unsigned whole, unsigned part, bool pack) {
  if (whole == 8 && part == 4) return parts_handler<uint64_t, uint32_t>(pack);
  if (whole == 8 && part == 2) return parts_handler<uint64_t, uint16_t>(pack);
  if (whole == 4 && part == 2) return parts_handler<uint32_t, uint16_t>(pack);
  return nullptr;
}

}  // namespace ptx
