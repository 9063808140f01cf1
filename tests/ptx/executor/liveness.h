// Live ranges of registers.
#pragma once

#include <vector>

#include "syntax.h"

namespace ptx {

// The first and the last position at which a register is live. Instruction n reads at 2 n and writes at 2 n +
// 1, so a result may take the slot of an operand whose range ends there.
struct LiveRange {
  unsigned begin = ~0u, end = 0;
  bool from_start = false;  // some path reads the register before it is written
  bool is_used() const { return begin != ~0u; }
};

std::vector<LiveRange> live_ranges(const SyntaxKernel& kernel);  // by register

}  // namespace ptx
