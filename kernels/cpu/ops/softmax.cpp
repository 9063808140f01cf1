// Softmax and log-sum-exp of rows.
#include <cmath>

#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/softmax.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Returns the largest element. NaN may be ignored here, because the sum of exponentials includes it.
template <class T>
T largest_of(const T* x, std::int64_t begin, std::int64_t end) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const V lowest = constant<V>(-std::numeric_limits<double>::infinity());
  V largest = lowest;
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
    largest = hn::Max(largest, access.keep(access.load(x + i), lowest));
  });
  return hn::GetLane(hn::MaxOfLanes(hn::ScalableTag<T>(), largest));
}

// Returns the number that is subtracted before the exponential: the largest element, or 0 if that is
// infinite, because inf - inf is NaN.
template <class T>
T shift_of(T largest) {
  return std::isinf(largest) ? T(0) : largest;
}

template <class T>
double sum_of_exp(const T* x, T shift, std::int64_t begin, std::int64_t end) {
  Sum<T> sum;
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR {
    sum.add(access.keep(HWY_NAMESPACE::exp(hn::Sub(access.load(x + i), hn::Set(access.d, shift)))));
  });
  return sum.total();
}

template <class T>
void exp_of(const T* x, T shift, double sum, T* out, std::int64_t begin, std::int64_t end) {
  const T scale = sum == 0 ? T(0) : static_cast<T>(1 / sum);
  each_vector<T>(begin, end, [=](auto access, std::int64_t i) HWY_ATTR {
    const auto e = HWY_NAMESPACE::exp(hn::Sub(access.load(x + i), hn::Set(access.d, shift)));
    access.store(hn::Mul(e, hn::Set(access.d, scale)), out + i);
  });
}

// Processes one row of `size` elements, in chunks that threads share if `worth` is true.
template <class T>
void softmax_row(std::int64_t size, const T* x, T* log_sum_exp, T* softmax, bool worth) {
  const Chunks chunks = Chunks::of_elements(size);
  std::array<T, Chunks::kLargest> each;
  parallel_for(chunks.count(), worth, [&](std::int64_t i) {
    each[static_cast<std::size_t>(i)] = largest_of(x, chunks.begin(i), chunks.end(i));
  });
  T largest = -std::numeric_limits<T>::infinity();
  for (std::int64_t i = 0; i < chunks.count(); ++i)
    largest = std::max(largest, each[static_cast<std::size_t>(i)]);
  const T shift = shift_of(largest);
  const double sum = parallel_sum(
      chunks, worth, [&](std::int64_t begin, std::int64_t end) { return sum_of_exp(x, shift, begin, end); });
  if (log_sum_exp) *log_sum_exp = static_cast<T>(static_cast<double>(shift) + std::log(sum));
  if (softmax)
    parallel_chunks(chunks, worth, [&](std::int64_t begin, std::int64_t end) {
      exp_of(x, shift, sum, softmax, begin, end);
    });
}

template <class T>
void softmax_of(const SoftmaxArgs& g) {
  const bool worth = g.rows * g.columns >= kCostlyGrain;
  const auto row = [&](std::int64_t r, bool share) {
    softmax_row(g.columns, as<T>(g.x) + r * g.columns, g.log_sum_exp ? as<T>(g.log_sum_exp) + r : nullptr,
                g.softmax ? as<T>(g.softmax) + r * g.columns : nullptr, share);
  };
  if (g.rows == 1) return row(0, worth);
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), worth, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) row(r, false);
  });
}

void Softmax(const SoftmaxArgs& g) {
  with_float(g.dtype, "softmax", [&](auto type) { softmax_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Softmax);
void CpuBackend::run(const SoftmaxArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Softmax)(g); }
}  // namespace gpuvae::kernels
#endif
