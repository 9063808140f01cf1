// The rows of a batch, copied on a GPU by a separate kernel, as in programs that do not fuse this copy with
// the conversion to floating point.
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace gpuvae::bench {

// to[i] = from[rows[i]] for `count` rows of `width` bytes. All arrays are in the memory of the current
// device. Throws Error if the kernel cannot be launched, or if the program contains no CUDA kernels.
void index_select(const std::uint8_t* from, const std::int32_t* rows, std::int64_t count, std::int64_t width,
                  std::uint8_t* to, kernels::StreamHandle stream);

}  // namespace gpuvae::bench
