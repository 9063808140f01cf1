// Matrix products with bias and activation, and the backward pass of an activation.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Fuses the ReLU backward pass into the product that computes the input gradient. The layer's own product
// writes one bit per element of its output. The next layer's product of the input gradient is then c = a b
// where the output is positive, else 0, and d_bias[j] = sum over i of c[i, j].
struct ReluMask {
  // Backend::relu_mask_bytes(m, n) or null: written in the forward and read in the backward pass.
  void* bits = nullptr;
  // Forward: receives whether the bits were written. If they were not, the backward pass uses `output`.
  bool* written = nullptr;
  const void* output = nullptr;  // backward: [m, n]
  void* d_bias = nullptr;        // backward: [n]
};

// c[m, n] = activation(a b + bias) (+ c). a is [m, k], or [k, m] if transpose_a; b is [k, n], or [n, k] if
// transpose_b. `accumulate` adds to c and excludes bias and activation.
struct GemmArgs {
  DType dtype = DType::f32;
  Precision precision = Precision::f32;  // of large f32 products; small products may be more precise
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  bool transpose_a = false, transpose_b = false, accumulate = false;
  const void* bias = nullptr;  // [n], or null
  Activation activation = Activation::identity;
  // [m, n] or null: receives a b + bias, for activations whose slope needs it.
  void* activation_input = nullptr;
  // [m] or null: receives the sums of a's columns, as for a bias gradient. Requires transpose_a.
  void* sums = nullptr;
  ReluMask relu = {};  // with bias and Activation::relu, or without both

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
  // [rows, columns]: the activation's output if math::slope_from_output(), otherwise its input. It may be
  // null for identity.
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
