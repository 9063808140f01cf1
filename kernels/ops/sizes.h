// Helpers for the members bytes() of the argument structs in this folder. bytes() returns the minimum number
// of bytes that the kernel reads and writes if it accesses each element once.
#pragma once

#include <cstdint>

#include "gpuvae/types.h"

namespace gpuvae::kernels {

inline double times(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) * static_cast<double>(b);
}
// Returns `elements`, or 0 if the pointer is null.
inline double if_there(const void* pointer, std::int64_t elements) {
  return pointer ? static_cast<double>(elements) : 0;
}
inline double size_in_bytes(DType dtype, double elements) {
  return static_cast<double>(size_of(dtype)) * elements;
}

}  // namespace gpuvae::kernels
