// Arguments of the kernels for the gate of a gated dense layer.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// y = h * sigmoid(g)
struct GateArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  const void* x = nullptr;  // [rows, 2 columns]: h, then g
  void* y = nullptr;        // [rows, columns]

  double bytes() const { return size_in_bytes(dtype, 3 * times(rows, columns)); }
};
// The gradient with respect to x, given d_y.
struct GateBackwardArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  const void* x = nullptr;    // [rows, 2 columns]
  const void* d_y = nullptr;  // [rows, columns]
  void* d_x = nullptr;        // [rows, 2 columns]; may be x

  double bytes() const { return size_in_bytes(dtype, 5 * times(rows, columns)); }
};

}  // namespace gpuvae::kernels
