// Matrix products with bias and activation, and the backward pass of an activation.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Fuses the backward pass of a layer's ReLU into the product of the next layer that computes the gradient of
// this layer's output. In the forward pass, the layer's own product writes one bit per output: whether it is
// positive. In the backward pass, the next layer's product computes c = a b where the output is positive and
// 0 elsewhere, and d_bias[j] = sum over i of c[i, j].
struct ReluMask {
  // Backend::relu_mask_bytes(m, n) bytes, or null. Written in the forward pass and read in the backward pass.
  void* bits = nullptr;
  // Forward pass: receives whether the bits were written. If they were not, `bits` must be null in the
  // backward pass, which then uses `output`.
  bool* written = nullptr;
  const void* output = nullptr;  // backward pass: the layer's output, [m, n]
  void* d_bias = nullptr;        // backward pass: [n]
};

// c[m, n] = activation(a b + bias) (+ c). a is [m, k], or [k, m] if transpose_a; b is [k, n], or [n, k] if
// transpose_b. With `accumulate`, the product is added to c; bias and activation are then not allowed.
struct GemmArgs {
  DType dtype = DType::f32;
  Precision precision = Precision::f32;  // small products may be computed more precisely
  std::int64_t m = 0, n = 0, k = 0;
  const void* a = nullptr;
  const void* b = nullptr;
  void* c = nullptr;
  bool transpose_a = false, transpose_b = false, accumulate = false;
  const void* bias = nullptr;  // [n], or null
  Activation activation = Activation::identity;
  // [m, n] or null: receives a b + bias, for activations whose derivative is computed from it.
  void* activation_input = nullptr;
  // [m] or null: receives the sums of the columns of a ([k, m]), which are the bias gradient if a is
  // d_output. Requires transpose_a.
  void* sums = nullptr;
  ReluMask relu = {};  // forward pass: requires bias and Activation::relu; backward pass: excludes both

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
