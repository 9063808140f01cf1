// Matrix products with bias and activation, and the backward pass of an activation.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Fuses the ReLU backward pass into the product that computes the input gradient. The layer's own product
// writes one bit per element of its output. The next layer's product of the input gradient is then c = a b
// where the output is positive, else 0, and d_bias[j] = sum over i of c[i, j].
struct ReluMask {
  void* bits = nullptr;          // or null: Backend::relu_mask_bytes(m, n), written forward and read backward
  bool* written = nullptr;       // forward: whether they were; if not, `output` has to do
  const void* output = nullptr;  // backward: [m, n]
  void* d_bias = nullptr;        // backward: [n]
};

// c[m, n] = activation(a b + bias) (+ c). a is [m, k], or [k, m] if transpose_a; b is [k, n], or [n, k] if
// transpose_b. `accumulate` adds to c and goes with neither bias nor activation.
struct GemmArgs {
  DType dtype = DType::f32;
  Precision precision = Precision::f32;  // of large f32 products; small ones may be more precise
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  bool transpose_a = false, transpose_b = false, accumulate = false;
  const void* bias = nullptr;  // [n], or null
  Activation activation = Activation::identity;
  void* activation_input = nullptr;  // [m, n], or null: a b + bias, for an activation whose slope needs it
  void* sums = nullptr;  // [m], or null; with transpose_a: the sums of a's columns, as a bias gradient wants
  ReluMask relu = {};    // with bias and Activation::relu, or alone

  double bytes() const {
    const double elements = times(m, k) + times(k, n) + times(m, n) * (accumulate ? 2 : 1);
    return size_in_bytes(dtype, elements + if_there(bias, n) + if_there(activation_input, m * n));
  }
  double flops() const { return 2 * times(m, n) * static_cast<double>(k); }
};

// d_input[i, j] = d_output[i, j] * activation'(input[i, j]); d_bias[j] (+)= sum over i of d_input[i, j].
struct ActivationBackwardArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  Activation activation = Activation::identity;
  // [rows, columns]: the activation's output where math::slope_from_output(), else its input; may be null for
  // identity.
  const void* saved = nullptr;
  const void* d_output = nullptr;
  void* d_input = nullptr;  // or null; may be d_output
  void* d_bias = nullptr;   // [columns], or null
  bool accumulate_bias = false;

  double bytes() const {
    const bool reads_saved = saved && activation != Activation::identity;
    const double matrices = 1 + (reads_saved ? 1 : 0) + (d_input ? 1 : 0);
    return size_in_bytes(dtype, times(rows, columns) * matrices + if_there(d_bias, columns));
  }
};

}  // namespace gpuvae::kernels
