// Argument structs of the kernels that copy memory or columns, transpose, repeat rows, and sum repeated rows.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/ops/sizes.h"

namespace gpuvae::kernels {

// Copies `count` bytes from `from` to `to`, both in the memory of the backend's device.
struct CopyArgs {
  void* to = nullptr;
  const void* from = nullptr;
  std::size_t count = 0;  // bytes

  double bytes() const { return 2 * static_cast<double>(count); }
};

// Copies columns of one matrix to another: out[r, out_first + c] = x[r, x_first + c] for c < `columns`, or +=
// if `accumulate` is true. x_width and out_width are the numbers of columns of the matrices.
struct ColumnsArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;
  const void* x = nullptr;
  std::int64_t x_width = 0, x_first = 0;
  void* out = nullptr;
  std::int64_t out_width = 0, out_first = 0;
  bool accumulate = false;

  double bytes() const { return size_in_bytes(dtype, times(rows, columns) * (accumulate ? 3 : 2)); }
};

// out[c, r] = x[r, c].
struct TransposeArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0;  // of x
  const void* x = nullptr;
  void* out = nullptr;

  double bytes() const { return size_in_bytes(dtype, 2 * times(rows, columns)); }
};

// out[r * times + i] = x[r] for i < `times`: repeats each row of a matrix.
struct RepeatRowsArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0, times = 1;  // rows of x
  const void* x = nullptr;
  void* out = nullptr;

  double bytes() const {
    return size_in_bytes(dtype, kernels::times(rows, columns) * static_cast<double>(1 + times));
  }
};

// out[r] = the sum of x[r * times + i] over i < `times`: the gradient of repeat_rows.
struct SumRepeatsArgs {
  DType dtype = DType::f32;
  std::int64_t rows = 0, columns = 0, times = 1;  // rows of out
  const void* x = nullptr;
  void* out = nullptr;

  double bytes() const {
    return size_in_bytes(dtype, kernels::times(rows, columns) * static_cast<double>(1 + times));
  }
};

}  // namespace gpuvae::kernels
