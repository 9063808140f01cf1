// Arguments of the kernels for categorical variables, which are groups of one-hot columns.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// out[r] = the sum over groups of the log density of the categorical distribution with the group's logits at
// target[r / repeats]. A group whose target is all zeros, or has a NaN, is missing and contributes 0.
struct CategoricalArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0, groups = 0, repeats = 1;
  const std::int32_t* starts = nullptr;  // [groups + 1]: first column of each group, then `columns`
  const void* logits = nullptr;          // [rows, columns]
  const void* target = nullptr;          // [rows / repeats, columns]
  void* out = nullptr;                   // [rows]

  double bytes() const {
    const double matrices = 1 + 1 / static_cast<double>(repeats);
    return size_in_bytes(dtype, times(rows, columns) * matrices + static_cast<double>(rows));
  }
};
// d_logits[r] = d_rows[r] * the derivative of out[r]. Where d_rows is 0, so is the gradient.
struct CategoricalBackwardArgs {
  CategoricalArgs forward = {};  // `out` is unused
  const void* d_rows = nullptr;  // [rows]
  void* d_logits = nullptr;      // [rows, columns]

  double bytes() const {
    const CategoricalArgs& f = forward;
    const double matrices = 2 + 1 / static_cast<double>(f.repeats);
    return size_in_bytes(f.dtype, times(f.rows, f.columns) * matrices + static_cast<double>(f.rows));
  }
};

}  // namespace gpuvae::kernels
