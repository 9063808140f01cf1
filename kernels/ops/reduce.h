// Arguments of sums along an axis, of softmax, and of gradient clipping by the global norm.
#pragma once

#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Computes out = scale * (the sum of x [rows, columns] over `axis`), and adds the previous out if
// `accumulate` is true. The shape of out is [1] for Axis::all, [columns] for Axis::rows and [rows] for
// Axis::columns.
struct ReduceArgs {
  DType dtype = DType::f32;
  Axis axis = Axis::all;
  std::int64_t rows = 0, columns = 0;
  double scale = 1;
  const void* x = nullptr;
  void* out = nullptr;
  bool accumulate = false;

  double bytes() const {
    const double results = axis == Axis::all ? 1 : static_cast<double>(axis == Axis::rows ? columns : rows);
    return size_in_bytes(dtype, times(rows, columns) + results * (accumulate ? 2 : 1));
  }
};

// Computes log_sum_exp[r] = log(sum over c of exp(x[r, c])) and softmax[r, c] = exp(x[r, c] -
// log_sum_exp[r]). To avoid overflow, the largest element of the row is subtracted before the exponential.
// For a row that is empty or contains only -inf, log_sum_exp is -inf and softmax is 0.
struct SoftmaxArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  const void* x = nullptr;
  void* log_sum_exp = nullptr;  // [rows], or null
  void* softmax = nullptr;      // [rows, columns], or null; may be x

  double bytes() const {
    return size_in_bytes(dtype, times(rows, columns) * (softmax ? 2 : 1) + if_there(log_sum_exp, rows));
  }
};

// Computes *norm = ||x|| and *scale = min(1, max_norm / ||x||), the factor that clips gradients x by their
// global norm (Pascanu et al., 2013). A guarded update (OptimizerArgs::guarded) needs finite losses and a
// finite scaled gradient whose squared norm does not overflow; otherwise *scale becomes NaN.
inline constexpr int kMaxGuardedLosses = 2;
struct ClipArgs {
  DType dtype = DType::f32;
  std::int64_t size = 0;
  double max_norm = 1;
  const void* x = nullptr;
  void* scale = nullptr;  // [1]
  void* norm = nullptr;   // [1]
  bool guard = false;
  const void* losses[kMaxGuardedLosses] = {};  // [1] each, or null; only read if `guard` is true

  double bytes() const { return size_in_bytes(dtype, static_cast<double>(size) + 2); }
};

}  // namespace gpuvae::kernels
