// Opcodes in parts, and the list of those that are built.
#pragma once

#include <string_view>
#include <vector>

namespace ptx {

struct Opcode {
  explicit Opcode(std::string_view text);
  bool has(std::string_view part) const;
  // The last part, the one before it, ...; empty if there are too few.
  std::string_view type(unsigned from_last = 0) const;
  // Whether an opcode with exactly these modifiers is built. Anything else is refused, because a modifier
  // that a handler does not know (.sat, .ftz, .relu, ...) would be ignored.
  bool is_known() const;

  std::string_view base;
  std::vector<std::string_view> parts;  // behind the base
};

}  // namespace ptx
