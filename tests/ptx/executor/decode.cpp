// From syntax to instructions: a handler, slots of operands, targets of branches, places of variables.
#include <algorithm>
#include <cstring>

#include "machine.h"

namespace ptx {

bool Opcode::has(std::string_view part) const {
  return std::find(parts.begin(), parts.end(), part) != parts.end();
}
std::string_view Opcode::type(unsigned from_last) const {
  return parts.size() > from_last ? parts[parts.size() - 1 - from_last] : std::string_view();
}

namespace {

Opcode split(std::string_view text) {
  Opcode op;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t dot = std::min(text.find('.', at), text.size());
    if (at == 0)
      op.base = text.substr(0, dot);
    else
      op.parts.push_back(text.substr(at, dot - at));
    at = dot + 1;
  }
  return op;
}

bool any_of(std::string_view x, std::initializer_list<std::string_view> of) {
  return std::find(of.begin(), of.end(), x) != of.end();
}

void unsupported(Warp& w, const Instruction& i) {
  w.fail(i, __builtin_ctz(w.active), "this instruction is not supported");
}

// mov between a register and its parts.
template <class Whole, class Part, bool kPack>
void move_parts(Warp& w, const Instruction& i) {
  constexpr int kParts = sizeof(Whole) / sizeof(Part);
  for (int k = 0; k < kParts; ++k) {
    const Slot part = i.operand[1 + k];
    if (part == kNoSlot) continue;
    char* whole = w.at<char>(i.operand[0]) + k * static_cast<int>(sizeof(Part));
    Part* p = w.at<Part>(part);
    for (Slot l = 0; l < kLanes; ++l) {
      if (!w.lane[l]) continue;
      if (kPack)
        std::memcpy(whole + l * sizeof(Whole), p + l, sizeof(Part));
      else
        std::memcpy(p + l, whole + l * sizeof(Whole), sizeof(Part));
    }
  }
}

class Decoder {
 public:
  Decoder(Kernel& kernel, const Syntax& syntax) : kernel_(kernel), syntax_(syntax), source_(*kernel.syntax) {}

  void run() {
    place_variables();
    slots_ = allocate_registers(source_, kSpecialBytes, kernel_.register_bytes);
    kernel_.code.reserve(source_.code.size() + 1);
    for (const SyntaxInstruction& s : source_.code) instruction(s);
    find_neighbours();
    static const SyntaxInstruction kEnd{.opcode = "exit", .text = "(end of the kernel)"};
    Instruction& end = kernel_.code.emplace_back();
    end.run = warp_handler(split("exit")), end.cls = Class::branch, end.source = &kEnd;
  }

 private:
  // Two or four accesses of 4 or 8 bytes side by side.
  void find_neighbours() {
    auto& code = kernel_.code;
    const auto continues = [&](std::size_t first, std::size_t n) {
      const Instruction &a = code[first], &b = code[first + n];
      return a.source->opcode == b.source->opcode && b.operand[4] == a.operand[4] &&
             b.operand[4] != kNoSlot && b.count == 1 && b.predicate == kNoSlot &&
             b.offset == a.offset + static_cast<std::int64_t>(n) * a.bytes &&
             code[first + n - 1].operand[0] != a.operand[4];
    };
    for (std::size_t k = 0; k < code.size(); ++k) {
      const Instruction& i = code[k];
      if ((i.cls != Class::shared && i.cls != Class::global) || i.count != 1 || i.bytes < 4 ||
          i.predicate != kNoSlot)
        continue;
      std::size_t n = 1;
      while (n < 16u / i.bytes && k + n < code.size() && continues(k, n)) ++n;
      code[k].merged = static_cast<std::uint8_t>(n == 3 ? 2 : n);
      k += code[k].merged - 1u;
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error("ptx line " + std::to_string(now_->line) + ": " + what + ": " + std::string(now_->text));
  }

  // Static shared variables stand apart, so that an overrun of one does not hit the next; dynamic memory is
  // last.
  void place_variables() {
    std::size_t shared = 0;
    const auto place = [&](std::string_view name, bool dynamic) {
      if (places_.contains(name)) return;
      const Variable* v = find(name);
      if (!v || v->dynamic != dynamic || (v->space != Space::shared && v->space != Space::local)) return;
      Variable placed = *v;
      if (v->space == Space::local) {
        placed.address = (kernel_.local_bytes + v->align - 1) / v->align * v->align;
        kernel_.local_bytes = (placed.address + v->size + 15) / 16 * 16;
      } else if (dynamic) {
        placed.address = shared;
      } else {
        placed.address = shared;
        shared = (shared + v->size + 16 + 127) / 128 * 128;
        kernel_.gaps.resize(shared / 4, 1);
        for (std::size_t k = placed.address; k < placed.address + v->size; ++k) kernel_.gaps[k / 4] = 0;
      }
      if (v->space == Space::shared) kernel_.shared.push_back(placed);
      places_[name] = placed;
    };
    for (const bool dynamic : {false, true}) {
      for (const SyntaxInstruction& s : source_.code)
        for (const SyntaxOperand& o : s.operands)
          if (!o.name.empty() && o.reg < 0) place(o.name, dynamic);
      kernel_.static_shared = shared;
    }
  }

  const Variable* find(std::string_view name) const {
    if (const auto p = places_.find(name); p != places_.end()) return &p->second;
    if (const auto v = source_.variables.find(name); v != source_.variables.end()) return &v->second;
    if (const auto v = syntax_.variables.find(name); v != syntax_.variables.end()) return &v->second;
    return nullptr;
  }

  Slot constant(std::uint64_t bits, unsigned bytes) {
    const auto [at, is_new] = constants_.try_emplace({bits, bytes}, 0);
    if (!is_new) return at->second;
    const std::size_t begin = kernel_.constants.size(), lanes = bytes == 0 ? 1 : kLanes,
                      width = bytes == 0 ? 4 : std::max(2u, bytes);
    if (bytes == 0) bits = bits ? ~0ull : 0;
    kernel_.constants.resize((begin + lanes * width + 63) / 64 * 64);
    for (std::size_t l = 0; l < lanes; ++l)
      std::memcpy(kernel_.constants.data() + begin + l * width, &bits, width);
    return at->second = static_cast<Slot>(begin) | 1;
  }

  unsigned width_of(const SyntaxOperand& o) const {
    return o.reg >= 0 ? source_.registers[std::size_t(o.reg)] : 0;
  }

  // Its slot, as a value of so many bytes; 0 is a predicate.
  Slot slot(const SyntaxOperand& o, unsigned bytes) {
    switch (o.kind) {
      case SyntaxOperand::register_:
        if (o.reg < 0) return kNoSlot;
        if (width_of(o) != bytes)
          fail("register of " + std::to_string(width_of(o)) + " bytes where " + std::to_string(bytes) +
               " are expected");
        return slots_[std::size_t(o.reg)];
      case SyntaxOperand::immediate:
        return constant(o.bits, bytes);
      case SyntaxOperand::symbol: {
        const Variable* v = find(o.name);
        if (!v) fail("unknown name " + std::string(o.name));
        return constant(v->address, bytes);
      }
      case SyntaxOperand::special:
        return special(o.name);
      default:
        fail("operand of an unexpected kind");
    }
  }

  Slot special(std::string_view name) const {
    constexpr std::string_view kNames[] = {"%tid.x",    "%tid.y",    "%tid.z",   "%ntid.x",  "%ntid.y",
                                           "%ntid.z",   "%ctaid.x",  "%ctaid.y", "%ctaid.z", "%nctaid.x",
                                           "%nctaid.y", "%nctaid.z", "%laneid",  "%warpid"};
    for (Slot k = 0; k < kSpecials; ++k)
      if (kNames[k] == name) return k * 4 * kLanes;
    fail("special register " + std::string(name) + " is not modelled");
  }

  void address(Instruction& i, const SyntaxOperand& o) {
    i.operand[4] = kNoSlot;
    i.offset = o.offset;
    if (o.reg >= 0) {
      i.operand[4] = slots_[std::size_t(o.reg)];
      i.wide_address = width_of(o) == 8;
    } else if (!o.name.empty()) {
      const Variable* v = find(o.name);
      if (!v) fail("unknown name " + std::string(o.name));
      i.offset += static_cast<std::int64_t>(v->address);
      if (i.space == Space::generic) i.space = v->space;
    }
  }

  void data(Instruction& i, const SyntaxOperand& o, unsigned& register_bytes, unsigned type) {
    const auto one = [&](const SyntaxOperand& e, int k) {
      if (e.kind == SyntaxOperand::register_ && e.reg >= 0)
        register_bytes = width_of(e), i.operand[k] = slots_[std::size_t(e.reg)];
      else if (e.kind == SyntaxOperand::register_)
        i.operand[k] = kNoSlot;
      else
        register_bytes = std::max(2u, type), i.operand[k] = slot(e, register_bytes);
    };
    if (o.kind == SyntaxOperand::vector)
      for (std::size_t k = 0; k < o.elements.size(); ++k) one(o.elements[k], static_cast<int>(k));
    else
      one(o, 0);
    i.count = static_cast<std::uint8_t>(o.kind == SyntaxOperand::vector ? o.elements.size() : 1);
  }

  Space space_of(const Opcode& op) const {
    for (const std::string_view p : op.parts) {
      if (p == "global" || p == "const") return Space::global;
      if (p == "shared" || p == "shared::cta") return Space::shared;
      if (p == "local") return Space::local;
      if (p == "param") return Space::param;
    }
    return Space::generic;
  }

  static Class class_of(const Opcode& op, Space space) {
    const std::string_view b = op.base;
    if (any_of(b, {"ld", "st", "atom", "red"}))
      return space == Space::shared  ? Class::shared
             : space == Space::local ? Class::local
             : space == Space::param ? Class::param
                                     : Class::global;
    if (any_of(b, {"bra", "ret", "exit"})) return Class::branch;
    if (b == "mma") return Class::matrix;
    if (any_of(b, {"shfl", "vote"})) return Class::shuffle;
    if (any_of(b, {"bar", "barrier", "membar", "fence"})) return Class::barrier;
    if (any_of(b, {"mov", "selp", "cvta"})) return Class::move;
    if (b == "cvt") return Class::convert;
    if (b == "setp" || op.type() == "pred") return Class::compare;
    if (any_of(b, {"ex2", "lg2", "rcp", "rsqrt", "sqrt", "sin", "cos", "tanh"}) ||
        (b == "div" && op.type() == "f32"))
      return Class::special;
    return op.type() == "f64" ? Class::float64 : op.type() == "f32" ? Class::float32 : Class::integer;
  }

  void instruction(const SyntaxInstruction& s) {
    now_ = &s;
    Instruction i;
    i.source = &s;
    i.negated = s.negated;
    if (s.predicate >= 0) i.predicate = slots_[std::size_t(s.predicate)];
    const Opcode op = split(s.opcode);
    i.space = space_of(op);
    try {
      i.run = any_of(op.base, {"ld", "st", "atom", "red", "cvta"}) ? memory(i, op, s)
              : any_of(op.base, {"bra", "ret", "exit", "bar", "barrier", "shfl", "vote", "activemask",
                                 "membar", "fence", "griddepcontrol", "nanosleep"})
                  ? warp(i, op, s)
                  : arithmetic(i, op, s);
    } catch (const std::out_of_range&) {
      fail("too few operands");
    }
    i.cls = class_of(op, i.space);
    if (!i.run) i.run = unsupported;
    kernel_.code.push_back(i);
  }

  Handler memory(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
    const unsigned type = type_bytes(op.type());
    if (op.base == "cvta") {
      const std::int64_t window = i.space == Space::shared  ? kSharedWindow
                                  : i.space == Space::local ? kLocalWindow
                                  : i.space == Space::param ? kParamWindow
                                                            : 0;
      i.offset = op.has("to") ? -window : window;
      i.operand[0] = slot(s.operands.at(0), type), i.operand[1] = slot(s.operands.at(1), type);
      return type == 8 ? memory_handler(op, 8) : nullptr;
    }
    unsigned register_bytes = type;
    i.bytes = static_cast<std::uint8_t>(type);
    if (op.base == "ld")
      data(i, s.operands.at(0), register_bytes, type), address(i, s.operands.at(1));
    else if (op.base == "st")
      address(i, s.operands.at(0)), data(i, s.operands.at(1), register_bytes, type);
    else {
      const bool returns = op.base == "atom";
      constexpr std::string_view kModes[] = {"add",  "min", "max", "inc", "dec",
                                             "exch", "cas", "and", "or",  "xor"};
      const auto* mode =
          std::find_if(std::begin(kModes), std::end(kModes), [&](std::string_view m) { return op.has(m); });
      if (mode == std::end(kModes)) return nullptr;
      i.mode = static_cast<std::uint8_t>(mode - kModes);
      i.operand[0] = returns ? slot(s.operands.at(0), type) : kNoSlot;
      address(i, s.operands.at(returns ? 1 : 0));
      i.operand[1] = slot(s.operands.at(returns ? 2 : 1), type);
      const std::size_t third = returns ? 3 : 2;
      i.operand[2] = s.operands.size() > third ? slot(s.operands[third], type) : kNoSlot;
    }
    return memory_handler(op, register_bytes);
  }

  Handler warp(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
    const auto code_of = [&](std::initializer_list<std::string_view> names) {
      std::uint8_t k = 0;
      for (const std::string_view n : names) {
        if (op.has(n)) i.mode = k;
        ++k;
      }
    };
    if (op.base == "bra") {
      const auto label = source_.labels.find(s.operands.at(0).name);
      if (label == source_.labels.end()) fail("unknown label");
      i.target = label->second;
    } else if (op.base == "bar" || op.base == "barrier") {
      i.operand[0] = slot(s.operands.at(0), 4);
      if (!op.has("warp") && s.operands.size() > 1) return nullptr;
    } else if (op.base == "shfl") {
      code_of({"up", "down", "bfly", "idx"});
      for (int k = 0; k < 5; ++k) i.operand[k] = slot(first(s.operands.at(std::size_t(k))), 4);
      if (s.operands[0].second >= 0) i.operand[5] = slots_[std::size_t(s.operands[0].second)];
    } else if (op.base == "vote") {
      code_of({"all", "any", "uni", "ballot"});
      i.mode = static_cast<std::uint8_t>(i.mode | (s.operands.at(1).negated ? 8 : 0));
      i.operand[0] = slot(s.operands.at(0), op.has("ballot") ? 4 : 0);
      i.operand[1] = slot(s.operands.at(1), 0), i.operand[2] = slot(s.operands.at(2), 4);
    } else if (op.base == "activemask") {
      i.operand[0] = slot(s.operands.at(0), 4);
    }
    return warp_handler(op);
  }

  static SyntaxOperand first(SyntaxOperand o) { return o.second = -1, o; }

  Handler arithmetic(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
    const unsigned type = type_bytes(op.type());
    const auto& o = s.operands;
    if (op.base == "mma") {
      int k = 0;
      for (const SyntaxOperand& v : o)
        for (const SyntaxOperand& e : v.elements)
          if (k < 14) i.operand[k++] = slot(e, 4);
      return k == 14 ? matrix_handler(op) : nullptr;
    }
    if (op.base == "setp") {
      i.operand[0] = slot(first(o.at(0)), 0);
      if (o[0].second >= 0) i.operand[4] = slots_[std::size_t(o[0].second)];
      i.operand[1] = slot(o.at(1), type), i.operand[2] = slot(o.at(2), type);
      i.count = static_cast<std::uint8_t>(o.size());
      if (o.size() > 3)
        i.operand[3] = slot(o[3], 0), i.mode = static_cast<std::uint8_t>((op.has("and")  ? 1
                                                                          : op.has("or") ? 2
                                                                                         : 3) |
                                                                         (o[3].negated ? 8 : 0));
      return compare_handler(op);
    }
    if (op.base == "cvt") {
      const std::string_view to = op.type(1);
      i.from_bytes = static_cast<std::uint8_t>(o.at(1).reg >= 0 ? width_of(o[1]) : std::max(2u, type));
      i.to_bytes = static_cast<std::uint8_t>(width_of(o.at(0)));
      i.operand[0] = slot(o[0], i.to_bytes), i.operand[1] = slot(o[1], i.from_bytes);
      if (o.size() > 2) i.operand[2] = slot(o[2], 4);
      (void)to;
      return convert_handler(op, i.to_bytes, i.from_bytes);
    }
    if (op.base == "mov" &&
        (o.at(0).kind == SyntaxOperand::vector || o.at(1).kind == SyntaxOperand::vector)) {
      const bool pack = o[1].kind == SyntaxOperand::vector;
      const auto& parts = o[pack ? 1 : 0].elements;
      const unsigned part = type / static_cast<unsigned>(parts.size());
      i.operand[0] = slot(o[pack ? 0 : 1], type);
      for (std::size_t k = 0; k < parts.size(); ++k) i.operand[1 + k] = slot(parts[k], part);
      if (type == 8 && part == 4)
        return pack ? move_parts<std::uint64_t, std::uint32_t, true>
                    : move_parts<std::uint64_t, std::uint32_t, false>;
      if (type == 4 && part == 2)
        return pack ? move_parts<std::uint32_t, std::uint16_t, true>
                    : move_parts<std::uint32_t, std::uint16_t, false>;
      if (type == 8 && part == 2)
        return pack ? move_parts<std::uint64_t, std::uint16_t, true>
                    : move_parts<std::uint64_t, std::uint16_t, false>;
      return nullptr;
    }
    for (std::size_t k = 0; k < o.size() && k < 14; ++k) {
      unsigned bytes = type;
      if (op.has("wide") && (k == 0 || k == 3)) bytes = 2 * type;
      if (any_of(op.base, {"popc", "clz"}) && k == 0) bytes = 4;
      if (any_of(op.base, {"shl", "shr"}) && k == 2) bytes = 4;
      if (op.base == "bfe" && k >= 2) bytes = 4;
      if (op.base == "bfi" && k >= 3) bytes = 4;
      if (op.base == "selp" && k == 3) bytes = 0;
      i.operand[k] = slot(o[k], bytes);
    }
    const Handler found = float_handler(op);
    return found ? found : integer_handler(op);
  }

  Kernel& kernel_;
  const Syntax& syntax_;
  const SyntaxKernel& source_;
  const SyntaxInstruction* now_ = nullptr;
  std::vector<Slot> slots_;
  std::map<std::string_view, Variable> places_;
  std::map<std::pair<std::uint64_t, unsigned>, Slot> constants_;
};

}  // namespace

bool writes_first_operand(std::string_view opcode) {
  const std::string_view base = opcode.substr(0, opcode.find('.'));
  return !any_of(base, {"st", "red", "bra", "ret", "exit", "bar", "barrier", "membar", "fence",
                        "griddepcontrol", "nanosleep", "call", "trap", "brkpt", "prefetch", "brx", "cp"});
}

void decode(Kernel& kernel, const Syntax& syntax) { Decoder(kernel, syntax).run(); }

}  // namespace ptx
