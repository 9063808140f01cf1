// Live ranges of registers.
#pragma once

#include <vector>

#include "syntax.h"

namespace ptx {

// The first and the last place where a register is alive. Instruction n reads at 2 n and writes at 2 n + 1,
// so that a result may take the slot of an operand that ends there.
struct LiveRange {
  unsigned begin = ~0u, end = 0;
  bool from_start = false;  // some path reads the register before anything is written to it
  bool is_used() const { return begin != ~0u; }
};

std::vector<LiveRange> live_ranges(const SyntaxKernel& kernel);  // by register

}  // namespace ptx
