// What the argument structs in this folder count with. Each struct says in bytes() how much its kernel reads
// and writes at least, each element once.
#pragma once

#include <cstdint>

#include "gpuvae/types.h"

namespace gpuvae::kernels {

inline double times(std::int64_t a, std::int64_t b) {
  return static_cast<double>(a) * static_cast<double>(b);
}
// The elements behind a pointer that may be null.
inline double if_there(const void* pointer, std::int64_t elements) {
  return pointer ? static_cast<double>(elements) : 0;
}
inline double size_in_bytes(DType dtype, double elements) {
  return static_cast<double>(size_of(dtype)) * elements;
}

}  // namespace gpuvae::kernels
