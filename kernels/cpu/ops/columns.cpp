// Copies of columns, transposition, repeated rows and their sums.
#include <algorithm>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"

namespace gpuvae::kernels {

void CpuBackend::run(const ColumnsArgs& g, StreamHandle) {
  with_float(g.dtype, "columns", [&]<class T>(T) {
    parallel_for(g.rows, g.rows * g.columns >= kCheapGrain, [&](std::int64_t row) {
      const T* x = as<T>(g.x) + row * g.x_width + g.x_first;
      T* out = as<T>(g.out) + row * g.out_width + g.out_first;
      for (std::int64_t c = 0; c < g.columns; ++c) out[c] = g.accumulate ? out[c] + x[c] : x[c];
    });
  });
}

// Transposes tiles that fit in the first-level cache, so that neither matrix is accessed along a whole
// column.
void CpuBackend::run(const TransposeArgs& g, StreamHandle) {
  with_float(g.dtype, "transpose", [&]<class T>(T) {
    constexpr std::int64_t kTile = 32;
    const T* x = as<T>(g.x);
    T* out = as<T>(g.out);
    const std::int64_t across = (g.columns + kTile - 1) / kTile, down = (g.rows + kTile - 1) / kTile;
    parallel_for(across * down, g.rows * g.columns >= kCheapGrain, [&](std::int64_t tile) {
      const std::int64_t left = tile / down * kTile, right = std::min(left + kTile, g.columns);
      const std::int64_t top = tile % down * kTile, bottom = std::min(top + kTile, g.rows);
      for (std::int64_t column = left; column < right; ++column)
        for (std::int64_t row = top; row < bottom; ++row)
          out[column * g.rows + row] = x[row * g.columns + column];
    });
  });
}

void CpuBackend::run(const RepeatRowsArgs& g, StreamHandle) {
  with_float(g.dtype, "repeat_rows", [&]<class T>(T) {
    const std::int64_t rows = g.rows * g.times;
    parallel_for(rows, rows * g.columns >= kCheapGrain, [&](std::int64_t row) {
      const T* x = as<T>(g.x) + row / g.times * g.columns;
      std::copy(x, x + g.columns, as<T>(g.out) + row * g.columns);
    });
  });
}

void CpuBackend::run(const SumRepeatsArgs& g, StreamHandle) {
  with_float(g.dtype, "sum_repeats", [&]<class T>(T) {
    parallel_for(g.rows, g.rows * g.times * g.columns >= kCheapGrain, [&](std::int64_t row) {
      T* out = as<T>(g.out) + row * g.columns;
      std::fill_n(out, g.columns, T(0));
      for (std::int64_t i = 0; i < g.times; ++i) {
        const T* x = as<T>(g.x) + (row * g.times + i) * g.columns;
        for (std::int64_t c = 0; c < g.columns; ++c) out[c] += x[c];
      }
    });
  });
}

}  // namespace gpuvae::kernels
