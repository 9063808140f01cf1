// Treats subnormal numbers (floats below 1.2e-38 in magnitude) as zero on this thread while a FlushSubnormals
// object exists.
//
// The states of an optimiser decay geometrically where the gradient is zero, for example for pixels that are
// always zero, and are subnormal after some 900 steps. They are then too small to change a parameter, but x86
// multiplies subnormal numbers about a hundred times more slowly than others.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace gpuvae::kernels {

class FlushSubnormals {
 public:
#if defined(__SSE2__)
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | 0x8040); }  // flush results and operands
  ~FlushSubnormals() { _mm_setcsr(before_); }

 private:
  unsigned before_;
#else
  FlushSubnormals() {}  // other processors multiply subnormal numbers at full speed
#endif

 public:
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

}  // namespace gpuvae::kernels
