// Opcodes, split into parts, and the list of supported opcodes.
#pragma once

#include <string_view>
#include <vector>

namespace ptx {

struct Opcode {
  explicit Opcode(std::string_view text);
  bool has(std::string_view part) const;
  // Returns the last part, or an earlier one counted from the end; empty if there are too few.
  std::string_view type(unsigned from_last = 0) const;
  // Returns whether an opcode with exactly these modifiers is supported. Others are refused, because a
  // handler would silently ignore a modifier that it does not know (.sat, .ftz, .relu, ...).
  bool is_known() const;

  std::string_view base;
  std::vector<std::string_view> parts;  // the modifiers after the base
};

}  // namespace ptx
