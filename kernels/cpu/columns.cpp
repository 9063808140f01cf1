// Part of each row of one matrix to part of each row of another.
#include <cstring>

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

}  // namespace gpuvae::kernels
