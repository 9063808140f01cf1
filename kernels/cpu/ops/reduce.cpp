// Sums over the axes of a matrix, and clipping by the global norm.
#include <cmath>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/reduce.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/column_sums-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <class T>
double sum_of(const T* x, std::int64_t begin, std::int64_t end) {
  Sum<T> sum;
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR { sum.add(access.load(x + i)); });
  return sum.total();
}

template <class T>
void reduce_of(const ReduceArgs& g) {
  const T* x = as<T>(g.x);
  const std::int64_t size = g.rows * g.columns;
  const bool worth = size >= kCheapGrain;
  const auto store = [&](std::int64_t i, double sum) {
    T& out = as<T>(g.out)[i];
    out = static_cast<T>(g.scale * sum + (g.accumulate ? static_cast<double>(out) : 0.0));
  };
  switch (g.axis) {
    case Axis::all:
      return store(0,
                   parallel_sum(Chunks::of_elements(size), worth,
                                [&](std::int64_t begin, std::int64_t end) { return sum_of(x, begin, end); }));
    case Axis::rows:
      return column_sums<T>(
          g.rows, g.columns, [=](auto access, std::int64_t i) HWY_ATTR { return access.load(x + i); }, store);
    case Axis::columns:
      return parallel_chunks(Chunks::of_rows(g.rows, g.columns), worth,
                             [&](std::int64_t begin, std::int64_t end) {
                               for (std::int64_t row = begin; row < end; ++row)
                                 store(row, sum_of(x, row * g.columns, (row + 1) * g.columns));
                             });
  }
}
void Reduce(const ReduceArgs& g) {
  with_float(g.dtype, "reduce", [&](auto type) { reduce_of<decltype(type)>(g); });
}

template <class T>
void clip_of(const ClipArgs& g) {
  const T* x = as<T>(g.x);
  const auto squares = [=](std::int64_t begin, std::int64_t end) HWY_ATTR {
    Sum<T> sum;
    each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
      const auto v = access.load(x + i);
      sum.add(hn::Mul(v, v));
    });
    return sum.total();
  };
  const auto chunks = Chunks::of_elements(g.size);
  double sum = parallel_sum(chunks, g.size >= kCheapGrain, squares);
  // Exploding gradients exceed the square root of the largest float, so their squares are computed in double.
  if (!std::isfinite(sum))
    sum = parallel_sum(chunks, g.size >= kCheapGrain, [=](std::int64_t begin, std::int64_t end) {
      double part = 0;
      for (std::int64_t i = begin; i < end; ++i)
        part += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      return part;
    });
  const double norm = std::sqrt(sum);
  *as<T>(g.norm) = static_cast<T>(norm);
  const double scale = norm <= g.max_norm ? 1 : g.max_norm / norm;  // NaN if the norm is NaN
  const double scaled = scale * norm;
  bool finite = std::isfinite(static_cast<T>(scaled * scaled));
  for (const void* loss : g.losses) finite = finite && std::isfinite(value_or<T>(loss, 0));
  *as<T>(g.scale) = static_cast<T>(g.guard && !finite ? NAN : scale);
}
void Clip(const ClipArgs& g) {
  with_float(g.dtype, "clip", [&](auto type) { clip_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Reduce);
HWY_EXPORT(Clip);
void CpuBackend::run(const ReduceArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Reduce)(g); }
void CpuBackend::run(const ClipArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Clip)(g); }
}  // namespace gpuvae::kernels
#endif
