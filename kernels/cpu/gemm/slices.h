// The slices of a matrix product that threads compute independently. kernels/cpu/gemm/gemm.cpp defines them.
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/cpu/ops/bias_activation.h"

namespace gpuvae::kernels {

// Divides 0, ..., size - 1 into `count` parts of nearly equal length. The bounds are multiples of `multiple`.
struct Parts {
  std::int64_t size, count, multiple;
  std::int64_t bound(std::int64_t i) const {
    return i == count ? size : (size * i / count + multiple / 2) / multiple * multiple;
  }
};

// The cut of an f32 product's c into slices. It depends only on the shape, because oneDNN's results depend on
// the size of a slice.
class Slices {
 public:
  explicit Slices(const GemmArgs& g);
  std::int64_t count() const { return rows_.count * columns_.count; }
  Block block(std::int64_t slice) const;

 private:
  Parts rows_, columns_;
};

// Computes a slice of c on the calling thread. Throws Error if oneDNN fails.
void multiply_slice(const GemmArgs& g, const Block& block);

}  // namespace gpuvae::kernels
