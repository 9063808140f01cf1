// Runs a single matrix product with cuBLASLt. The descriptors are independent of the library's
// (kernels/cuda/gemm/matmul.cpp), so that a mistake there is not repeated here.
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
  relu_mask,     // ReLU after a bias; writes a mask with one bit per element, set where the input is positive
  sums,          // writes the sums of the columns of a, a bias gradient; requires transpose_a
  through_relu,  // multiplies by the derivative of a ReLU, given its mask, and writes the bias gradient
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
  int found = 0;                    // number of algorithms that the heuristic returned, at most 8
  std::string status;               // "ok", or the error
  std::size_t workspace_bytes = 0;  // of the first algorithm
  double waves = 0;                 // wave count of the first algorithm, as cuBLASLt reports it
  bool usable() const { return status == "ok"; }
};

// Runs the first algorithm that the heuristic returns and waits for the result. `vector` [max(m, n)] holds
// the bias or receives the bias gradient; `mask` has mask_bytes() bytes.
LtAnswer run_product(const LtProduct& product, const void* a, const void* b, void* c, void* vector,
                     void* mask, Device device);

}  // namespace gpuvae::bench
