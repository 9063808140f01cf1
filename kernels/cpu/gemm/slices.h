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

// The cut of an f32 product into slices. It depends only on the shape, because oneDNN's results depend on the
// size of a slice.
//
// Weights have a row per output of their layer. Forward products and gradients of weights are cut along these
// rows where possible, and the gradient of a layer's input, which is a sum over them, is computed in two
// halves. A thread therefore works on the same rows of the weights in all products and in their update
// (kernels/cpu/ops/optimizer.cpp), and they stay in its cache.
class Slices {
 public:
  explicit Slices(const GemmArgs& g);
  std::int64_t count() const { return halves_ * rows_.count * columns_.count; }
  // Whether there are two slices for each block of c, one for the first half of k and one for the second.
  bool halved() const { return halves_ == 2; }

  struct Slice {
    Block block;
    std::int64_t first_k, end_k;
    bool of_second_half() const { return first_k > 0; }
  };
  // The slices of the first half come first.
  Slice slice(std::int64_t i) const;

 private:
  Parts rows_, columns_;
  std::int64_t halves_ = 1, k_;
};

}  // namespace gpuvae::kernels
