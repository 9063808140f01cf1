// Log densities of categorical variables, and their gradient.
#include <algorithm>
#include <cmath>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/math/categorical.h"

namespace gpuvae::kernels {
namespace {

template <class T>
void log_density_of(const CategoricalArgs& g) {
  const auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* logits = as<T>(g.logits) + row * g.columns;
      const T* target = as<T>(g.target) + row / g.repeats * g.columns;
      double sum = 0;
      for (std::int64_t i = 0; i < g.groups; ++i) {
        const int first = g.starts[i], columns = g.starts[i + 1] - first;
        sum +=
            static_cast<double>(math::categorical_group(logits + first, target + first, columns).log_density);
      }
      as<T>(g.out)[row] = static_cast<T>(sum);
    }
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

template <class T>
void backward_of(const CategoricalBackwardArgs& b) {
  const CategoricalArgs& g = b.forward;
  const auto row_slopes = [&](std::int64_t row, T weight) {
    const T* logits = as<T>(g.logits) + row * g.columns;
    const T* target = as<T>(g.target) + row / g.repeats * g.columns;
    T* d_logits = as<T>(b.d_logits) + row * g.columns;
    if (weight == T(0)) {
      std::fill_n(d_logits, g.columns, T(0));
      return;
    }
    for (std::int64_t i = 0; i < g.groups; ++i) {
      const int first = g.starts[i], end = g.starts[i + 1];
      const auto of = math::categorical_group(logits + first, target + first, end - first);
      for (int j = first; j < end; ++j)
        d_logits[j] = weight * math::categorical_slope(of, logits[j], target[j]);
    }
  };
  const auto rows = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) row_slopes(row, as<T>(b.d_rows)[row]);
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

}  // namespace

void CpuBackend::run(const CategoricalArgs& g, StreamHandle) {
  with_float(g.dtype, "categorical", [&](auto type) { log_density_of<decltype(type)>(g); });
}
void CpuBackend::run(const CategoricalBackwardArgs& b, StreamHandle) {
  with_float(b.forward.dtype, "categorical_backward", [&](auto type) { backward_of<decltype(type)>(b); });
}

}  // namespace gpuvae::kernels
