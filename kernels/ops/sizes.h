// Helpers with which the argument structs in this folder count bytes. The member bytes() of a struct returns
// the minimum number of bytes that its kernel reads and writes, each element once.
#pragma once

#include <cstdint>

#include "gpuvae/enums.h"

namespace gpuvae::kernels {

inline double times(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) * static_cast<double>(b);
}
// Returns the number of elements behind a pointer, or 0 if it is null.
inline double if_there(const void* pointer, std::int64_t elements) {
  return pointer ? static_cast<double>(elements) : 0;
}
inline double size_in_bytes(DType dtype, double elements) {
  return static_cast<double>(size_of(dtype)) * elements;
}

}  // namespace gpuvae::kernels
