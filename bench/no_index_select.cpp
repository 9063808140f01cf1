// Replaces index_select.cu in programs without CUDA kernels.
#include "bench/index_select.h"
#include "kernels/check.h"

namespace gpuvae::bench {

void index_select(const std::uint8_t*, const std::int32_t*, std::int64_t, std::int64_t, std::uint8_t*,
                  kernels::StreamHandle) {
  fail("index_select", "expected a program with CUDA kernels, got one without");
}

}  // namespace gpuvae::bench
