// One product by cuBLASLt, described afresh and run once. Apart from the library's own descriptors
// (kernels/cuda/matmul.cpp), so that a mistake in those does not repeat itself here.
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
  relu,          // behind a bias
  relu_mask,     // behind a bias; a bit per element says where it let the value through
  sums,          // over the rows of a, transposed: a bias gradient
  through_relu,  // the gradient of a ReLU by its mask, and its bias gradient
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
  int found = 0;  // algorithms that the heuristic names, of at most 8
  std::string status;
  std::size_t workspace_bytes = 0;  // of the first
  double waves = 0;
  bool usable() const { return status == "ok"; }
};

// Runs the heuristic's first algorithm and waits. `vector` is the bias or takes the sums, [max(m, n)].
LtAnswer run_product(const LtProduct& product, const void* a, const void* b, void* c, void* vector,
                     void* mask, Device device);

}  // namespace gpuvae::bench
