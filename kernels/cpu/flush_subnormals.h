// Treats numbers below 1.2e-38 as zero while one lives, on this thread.
//
// An optimiser's states decay geometrically where the gradient is zero, as at pixels that are always black.
// After some 900 steps they are subnormal, where x86 multiplies a hundred times slower, and yet too small to
// move a parameter.
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
  FlushSubnormals() {}  // others multiply them at full speed
#endif

 public:
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;
};

}  // namespace gpuvae::kernels
