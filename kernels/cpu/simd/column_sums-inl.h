// Sums over the rows of a matrix whose elements are computed on the fly. This file is included once per
// instruction set, like Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_COLUMN_SUMS_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_COLUMN_SUMS_INL_H
#undef GPUVAE_KERNELS_CPU_COLUMN_SUMS_INL_H
#else
#define GPUVAE_KERNELS_CPU_COLUMN_SUMS_INL_H
#endif

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Calls element(access, i) once for each vector of the row-major matrix and store(column, sum) once for each
// column. Threads share the columns. Each column is summed from top to bottom, in T over blocks of 64 rows
// and in double across the blocks.
template <class T, class Element, class Store>
void column_sums(std::int64_t rows, std::int64_t columns, const Element& element, const Store& store) {
  constexpr std::int64_t kWidth = 64, kBlock = 64, kRows = 4;
  const std::int64_t strips = (columns + kWidth - 1) / kWidth;
  parallel_for(strips, rows * columns >= kCheapGrain, [&](std::int64_t strip) HWY_ATTR {
    const std::int64_t first = strip * kWidth, last = std::min(columns, first + kWidth);
    double total[kWidth] = {};
    for (std::int64_t top = 0; top < rows; top += kBlock) {
      HWY_ALIGN T sum[kWidth] = {};
      const std::int64_t bottom = std::min(rows, top + kBlock);
      // Adds several rows while the sums are in registers.
      const auto add_rows = [&]<std::int64_t count>(std::int64_t row) HWY_ATTR {
        each_vector<T>(first, last, [&](auto access, std::int64_t column) HWY_ATTR {
          T* partial = sum + (column - first);
          auto s = access.load(partial);
          for (std::int64_t i = 0; i < count; ++i)
            s = hn::Add(s, element(access, (row + i) * columns + column));
          access.store(s, partial);
        });
      };
      std::int64_t row = top;
      for (; row + kRows <= bottom; row += kRows) add_rows.template operator()<kRows>(row);
      for (; row < bottom; ++row) add_rows.template operator()<1>(row);
      for (std::int64_t i = 0; i < last - first; ++i) total[i] += static_cast<double>(sum[i]);
    }
    for (std::int64_t i = 0; i < last - first; ++i) store(first + i, total[i]);
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
