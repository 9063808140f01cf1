// Helpers that the floating-point instructions share.
#pragma once

#include <cmath>
#include <limits>

#include "machine.h"

namespace ptx {

// .ftz flushes a subnormal f32 to a zero of the same sign.
template <bool kFtz, class T>
inline T flushed(T x) {
  if constexpr (kFtz && sizeof(T) == 4)
    return std::fabs(x) < std::numeric_limits<T>::min() ? std::copysign(T(0), x) : x;
  else
    return x;
}

// Handles add, sub, mul and fma of f32 with .rm, .rz or .rp.
Handler directed_handler(const Opcode& op);

}  // namespace ptx
