// Part of each row of one matrix to part of each row of another; rows repeated.
#include <algorithm>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"

namespace gpuvae::kernels {

void CpuBackend::copy_columns(const ColumnsArgs& g, StreamHandle) {
  with_float(g.dtype, "columns", [&]<class T>(T) {
    parallel_for(g.rows, g.rows * g.columns >= kCheapGrain, [&](std::int64_t row) {
      const T* x = as<T>(g.x) + row * g.x_width + g.x_first;
      T* out = as<T>(g.out) + row * g.out_width + g.out_first;
      for (std::int64_t c = 0; c < g.columns; ++c) out[c] = g.accumulate ? out[c] + x[c] : x[c];
    });
  });
}

void CpuBackend::repeat_rows(const RepeatRowsArgs& g, StreamHandle) {
  with_float(g.dtype, "repeat_rows", [&]<class T>(T) {
    const std::int64_t rows = g.rows * g.times;
    parallel_for(rows, rows * g.columns >= kCheapGrain, [&](std::int64_t row) {
      const T* x = as<T>(g.x) + row / g.times * g.columns;
      std::copy(x, x + g.columns, as<T>(g.out) + row * g.columns);
    });
  });
}

}  // namespace gpuvae::kernels
