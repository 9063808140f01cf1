#include "decode.h"

#include <algorithm>
#include <bit>

namespace ptx {
namespace {

// Replaces a refused instruction. It never runs, because a launch of its kernel is refused first.
void refused(Warp& w, const Instruction& i) {
  w.fail(i, std::countr_zero(w.active), "this instruction is not supported");
}

}  // namespace

bool any_of(std::string_view x, std::initializer_list<std::string_view> of) {
  return std::find(of.begin(), of.end(), x) != of.end();
}

SyntaxOperand first_of(SyntaxOperand o) {
  o.second = -1;
  return o;
}

const SyntaxOperand& operand_of(const SyntaxInstruction& s, std::size_t k) {
  if (k >= s.operands.size()) throw Refusal{"expected at least " + std::to_string(k + 1) + " operands"};
  return s.operands[k];
}

Class class_of(const Opcode& op, Space space) {
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

Decoder::Decoder(Kernel& kernel, const Syntax& syntax)
    : kernel_(kernel), syntax_(syntax), source_(*kernel.syntax) {}

void Decoder::run() {
  place_variables();
  slots_ = allocate_registers(kernel_, kSpecialBytes);
  kernel_.code.reserve(source_.code.size() + 1);
  for (const SyntaxInstruction& s : source_.code) instruction(s);
  mark_neighbours();
  end_of_kernel();
  for (const Instruction& i : kernel_.code) kernel_.classes.push_back(i.cls);
}

std::string Decoder::refusal_text(const SyntaxInstruction& s, const std::string& reason) const {
  std::string text = "[";
  text += readable_name(kernel_.name) + "] refused instruction " + std::string(s.opcode) + " in PTX line ";
  return text + std::to_string(s.line) + ", " + reason + ": " + std::string(s.text);
}

void Decoder::instruction(const SyntaxInstruction& s) {
  const Opcode op(s.opcode);
  Instruction i;
  i.source = &s;
  i.negated = s.negated;
  if (s.predicate >= 0) i.predicate = slots_[std::size_t(s.predicate)];
  i.space = space_of(op);
  std::string reason = "it is not supported";
  try {
    i.run = is_known(op, s.opcode) ? handler(i, op, s) : nullptr;
  } catch (const Refusal& refusal) {
    i.run = nullptr;
    reason = refusal.reason;
  }
  i.cls = class_of(op, i.space);
  if (!i.run) {
    i.run = refused;
    // A call comes first, because it is the reason why the accesses to its arguments are refused.
    kernel_.refusals.insert(op.base == "call" ? kernel_.refusals.begin() : kernel_.refusals.end(),
                            refusal_text(s, reason));
  }
  kernel_.code.push_back(i);
}

bool Decoder::is_known(const Opcode& op, std::string_view text) {
  const auto [at, is_new] = known_.try_emplace(text, false);
  if (is_new) at->second = op.is_known();
  return at->second;
}

Handler Decoder::handler(Instruction& i, const Opcode& op, const SyntaxInstruction& s) {
  if (any_of(op.base, {"ld", "st"})) return memory(i, op, s);
  if (any_of(op.base, {"atom", "red"})) return atomic(i, op, s);
  if (op.base == "cvta") return to_generic(i, op, s);
  if (any_of(op.base, {"bra", "ret", "exit", "bar", "barrier", "shfl", "vote", "activemask", "membar",
                       "fence", "griddepcontrol", "nanosleep"}))
    return warp(i, op, s);
  if (op.base == "mma") return matrix(i, op, s);
  if (op.base == "setp") return compare(i, op, s);
  if (op.base == "cvt") return convert(i, op, s);
  const bool vector =
      operand_of(s, 0).kind == SyntaxOperand::vector || operand_of(s, 1).kind == SyntaxOperand::vector;
  return vector ? pack(i, op, s) : arithmetic(i, op, s);
}

// A kernel ends after its last instruction if that is not a branch.
void Decoder::end_of_kernel() {
  static const SyntaxInstruction kEnd{.opcode = "exit", .text = "(end of the kernel)"};
  Instruction& end = kernel_.code.emplace_back();
  end.run = warp_handler(Opcode("exit"));
  end.cls = Class::branch;
  end.source = &kEnd;
}

bool writes_first_operand(std::string_view opcode) {
  return !any_of(Opcode(opcode).base,
                 {"st", "red", "bra", "ret", "exit", "bar", "barrier", "membar", "fence", "griddepcontrol",
                  "nanosleep", "call", "trap", "brkpt", "prefetch", "brx", "cp"});
}

void decode(Kernel& kernel, const Syntax& syntax) { Decoder(kernel, syntax).run(); }

}  // namespace ptx
