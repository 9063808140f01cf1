// Decodes syntax into instructions: handlers, slots of operands, branch targets, addresses of variables.
#pragma once

#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "machine.h"

namespace ptx {

// Why an instruction cannot be run.
struct Refusal {
  std::string reason;
};

class Decoder {
 public:
  Decoder(Kernel& kernel, const Syntax& syntax);
  void run();

 private:
  // decode.cpp
  void instruction(const SyntaxInstruction& s);
  bool is_known(const Opcode& op, std::string_view text);
  Handler handler(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  std::string refusal_text(const SyntaxInstruction& s, const std::string& reason) const;
  void end_of_kernel();

  // decode_operands.cpp
  unsigned width_of(const SyntaxOperand& o) const;
  // Returns the slot of a value of `bytes` bytes; 0 bytes mean a predicate.
  Slot slot(const SyntaxOperand& o, unsigned bytes);
  Slot register_slot(const SyntaxOperand& o, unsigned bytes) const;
  Slot constant(std::uint64_t bits, unsigned bytes);
  Slot special_register(std::string_view name) const;
  // Returns the slot of p in d|p, or kNoSlot.
  Slot second_slot(const SyntaxOperand& o) const;

  // place_variables.cpp
  void place_variables();
  void place(std::string_view name, bool dynamic);
  const Variable* find(std::string_view name) const;
  const Variable& variable(std::string_view name) const;

  // decode_memory.cpp
  Handler memory(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  Handler atomic(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  Handler to_generic(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  void address(Instruction& i, const SyntaxOperand& o);
  // Returns the size of the data's registers in bytes.
  unsigned data(Instruction& i, const SyntaxOperand& o, unsigned type);
  unsigned data_element(Instruction& i, int k, const SyntaxOperand& e, unsigned type);
  void mark_neighbours();

  // decode_warp.cpp
  Handler warp(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  void shuffle(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  void vote(Instruction& i, const Opcode& op, const SyntaxInstruction& s);

  // decode_arithmetic.cpp
  Handler arithmetic(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  Handler matrix(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  Handler compare(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  Handler convert(Instruction& i, const Opcode& op, const SyntaxInstruction& s);
  Handler pack(Instruction& i, const Opcode& op, const SyntaxInstruction& s);

  Kernel& kernel_;
  const Syntax& syntax_;
  const SyntaxKernel& source_;
  std::vector<Slot> slots_;  // slot of each register
  std::map<std::string_view, Variable> places_;
  std::map<std::pair<std::uint64_t, unsigned>, Slot> constants_;
  std::unordered_map<std::string_view, bool> known_;  // whether an opcode is known
  std::size_t shared_bytes_ = 0;
};

bool any_of(std::string_view x, std::initializer_list<std::string_view> of);
// Returns the operand d of d|p.
SyntaxOperand first_of(SyntaxOperand o);
// Returns operand k, or throws a Refusal if there are too few.
const SyntaxOperand& operand_of(const SyntaxInstruction& s, std::size_t k);
Space space_of(const Opcode& op);
Class class_of(const Opcode& op, Space space);

}  // namespace ptx
