// One product by cuBLASLt, described from scratch and run once. It does not share the library's descriptors
// (kernels/cuda/gemm/matmul.cpp), so a mistake there is not repeated here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "gpuvae/device.h"
#include "gpuvae/types.h"

namespace gpuvae::bench {

enum class LtEpilogue {
  none,
  bias,
  relu,          // ReLU after a bias
  relu_mask,     // ReLU after a bias; the mask has one bit per element, set where the value passed
  sums,          // sums over the rows of a, with transpose_a: a bias gradient
  through_relu,  // the gradient of a ReLU, computed from its mask, and the bias gradient
};

// c[m, n] = a b, row-major; a is [k, m] if transpose_a, b is [n, k] if transpose_b.
struct LtProduct {
  std::int64_t m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false;
  LtEpilogue epilogue = LtEpilogue::none;
  Precision precision = Precision::f32;

  std::int64_t mask_stride() const { return (n + 127) / 128 * 128; }  // bits per row
  std::size_t mask_bytes() const { return static_cast<std::size_t>(mask_stride() / 8 * m); }
};

struct LtAnswer {
  int found = 0;  // number of algorithms that the heuristic returns, at most 8
  std::string status;
  std::size_t workspace_bytes = 0;  // of the first algorithm
  double waves = 0;
  bool usable() const { return status == "ok"; }
};

// Runs the heuristic's first algorithm and waits for it. `vector` [max(m, n)] holds the bias or receives the
// sums.
LtAnswer run_product(const LtProduct& product, const void* a, const void* b, void* c, void* vector,
                     void* mask, Device device);

}  // namespace gpuvae::bench
