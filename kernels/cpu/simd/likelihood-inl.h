// Negative log likelihoods with their gradient in one pass, and log densities per row with their gradient.
// This file is included once per instruction set, like Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_LIKELIHOOD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_LIKELIHOOD_INL_H
#undef GPUVAE_KERNELS_CPU_LIKELIHOOD_INL_H
#else
#define GPUVAE_KERNELS_CPU_LIKELIHOOD_INL_H
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/ops/likelihood.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/continuous_bernoulli-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"
#include "kernels/math/likelihood.h"
#include "kernels/ops/likelihood.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

#define GPUVAE_FORMULA HWY_INLINE
#include "gpuvae/device/likelihood_formulas.h"

#include "gpuvae/device/discrete_formulas.h"

#include "kernels/math/likelihood.h"
#undef GPUVAE_FORMULA

// The sum of log(1 + e) over several e in [0, 1] is computed as one log(1 + odds), where 1 + odds is the
// product of all 1 + e. This is as accurate near zero, and it cannot overflow for fewer than 120 factors.
template <class V>
HWY_INLINE V multiply_odds(V odds, V e) {
  return hn::MulAdd(odds, e, hn::Add(odds, e));
}

// Contiguous elements. The k-th parameter of an element is k * `stride` elements after its first parameter.
template <class F, class T>
struct Elements {
  using V = hn::Vec<hn::ScalableTag<T>>;
  static constexpr std::int64_t kLanes = HWY_LANES(T);

  const T* params;
  const T* target;
  T* d_params;  // or null
  std::int64_t stride;
  LikelihoodSettings<V> settings;
  V weight;

  // Adds the values of one vector to the sum and writes its slopes to d_params.
  template <class Access>
  HWY_INLINE void operator()(Access access, std::int64_t i, Sum<T>& sum) const {
    const auto of = nll(access, i);
    sum.add(access.keep(of.value));
    if (!d_params) return;
    for (int k = 0; k < F::kParameters; ++k)
      access.store(hn::Mul(weight, of.slopes[k]), d_params + k * stride + i);
  }
  // Writes the slopes of one vector.
  template <class Access>
  HWY_INLINE void slopes(Access access, std::int64_t i) const {
    const auto of = nll(access, i);
    for (int k = 0; k < F::kParameters; ++k)
      access.store(hn::Mul(weight, of.slopes[k]), d_params + k * stride + i);
  }
  template <class Access>
  HWY_INLINE Nll<V, F::kParameters> nll(Access access, std::int64_t i) const {
    V p[F::kParameters];
    for (int k = 0; k < F::kParameters; ++k) p[k] = access.load(params + k * stride + i);
    return observed_nll<F>(p, access.load(target + i), settings);
  }
  // Processes full vectors that share a logarithm.
  HWY_INLINE void group(std::int64_t begin, std::int64_t end, Sum<T>& sum) const {
    const Whole<T> access;
    V odds = hn::Zero(access.d), values = hn::Zero(access.d);
    for (std::int64_t i = begin; i < end; i += kLanes) {
      const V x = access.load(target + i);
      const auto missing = is_nan(x);
      const auto parts = F::parts(access.load(params + i), zero_if(missing, x));
      odds = multiply_odds(odds, zero_if(missing, parts.e));
      values = hn::Add(values, zero_if(missing, parts.linear));
      if (d_params) access.store(hn::Mul(weight, zero_if(missing, parts.slope)), d_params + i);
    }
    sum.add(hn::Add(values, log1p(odds)));
  }
};

// A buffer for elements that do not fill a vector. Missing values, which have neither a value nor slopes,
// fill the remaining lanes.
template <class F, class T>
struct LastVector {
  static constexpr std::int64_t kLanes = Elements<F, T>::kLanes;

  T params[F::kParameters * kLanes], target[kLanes], d_params[F::kParameters * kLanes];

  HWY_INLINE Elements<F, T> load(const Elements<F, T>& from, std::int64_t begin, std::int64_t count) {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    std::fill_n(params, F::kParameters * kLanes, T(0));
    std::fill_n(target, kLanes, std::numeric_limits<T>::quiet_NaN());
    std::memcpy(target, from.target + begin, bytes);
    for (int k = 0; k < F::kParameters; ++k)
      std::memcpy(params + k * kLanes, from.params + k * from.stride + begin, bytes);
    return {params, target, from.d_params ? d_params : nullptr, kLanes, from.settings, from.weight};
  }
  HWY_INLINE void store_slopes(const Elements<F, T>& to, std::int64_t begin, std::int64_t count) const {
    const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
    for (int k = 0; k < F::kParameters; ++k)
      std::memcpy(to.d_params + k * to.stride + begin, d_params + k * kLanes, bytes);
  }
};

// Processes the elements begin, ..., end - 1 of a costly formula. The same loop processes full vectors and
// the last, incomplete one, so that the compiler inlines the formula only once. Cheap formulas would become
// slower, because this keeps the compiler from holding constants in registers.
template <class F, class T>
HWY_INLINE void each_costly(const Elements<F, T>& all, std::int64_t begin, std::int64_t end, Sum<T>* sum) {
  constexpr std::int64_t lanes = Elements<F, T>::kLanes;
  const std::int64_t last = begin + (end - begin) / lanes * lanes, count = end - last;
  LastVector<F, T> buffer;
  Elements<F, T> elements = all;
  std::int64_t i = begin, stop = last;
  for (bool buffered = false;; buffered = true) {
    for (; i < stop; i += lanes) {
      if (sum)
        elements(Whole<T>(), i, *sum);
      else
        elements.slopes(Whole<T>(), i);
    }
    if (buffered || count == 0) break;
    elements = buffer.load(all, last, count);
    i = 0;
    stop = lanes;
  }
  if (count > 0 && all.d_params) buffer.store_slopes(all, last, count);
}

// The number of vectors that share one logarithm. Groups of kBatchGroup are always full, and the remaining
// vectors are processed one by one; the last group of kRowGroup may be smaller.
constexpr std::int64_t kBatchGroup = 16, kRowGroup = 8;

// Returns the sum over the elements begin, ..., end - 1, and writes their slopes to d_params.
template <std::int64_t kGroup, class F, class T>
HWY_INLINE double sum_of(const Elements<F, T>& elements, std::int64_t begin, std::int64_t end) {
  Sum<T> sum;
  if constexpr (requires { typename F::template Parts<T>; }) {
    constexpr std::int64_t lanes = Elements<F, T>::kLanes, length = kGroup * lanes;
    for (; begin + length <= end; begin += length) elements.group(begin, begin + length, sum);
    const std::int64_t rest = (end - begin) / lanes * lanes;
    if (kGroup == kRowGroup && rest > 0) elements.group(begin, begin + rest, sum), begin += rest;
  }
  if constexpr (requires { F::kCostly; }) {
    each_costly(elements, begin, end, &sum);
  } else {
    each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR { elements(access, i, sum); });
  }
  return sum.total();
}

template <class F, class T>
void likelihood_of(const LikelihoodArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const std::int64_t width = F::kParameters * g.columns, size = g.rows * g.columns;
  const auto elements = [&](std::int64_t row) HWY_ATTR {
    return Elements<F, T>{as<T>(g.params) + row * width,
                          as<T>(g.target) + row * g.columns,
                          g.d_params ? as<T>(g.d_params) + row * width : nullptr,
                          g.columns,
                          settings_of<V>(g.likelihood),
                          constant<V>(g.weight)};
  };
  const bool worth = size >= kCostlyGrain;
  double loss;
  // With one parameter per element, the elements of all rows are contiguous.
  if constexpr (F::kParameters == 1) {
    const auto whole = [&](std::int64_t begin, std::int64_t end)
                           HWY_ATTR { return sum_of<kBatchGroup>(elements(0), begin, end); };
    loss = parallel_sum(Chunks::of_elements(size), worth, whole);
  } else {
    const auto by_row = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
      double sum = 0;
      for (std::int64_t row = begin; row < end; ++row)
        sum += sum_of<kBatchGroup>(elements(row), 0, g.columns);
      return sum;
    };
    loss = parallel_sum(Chunks::of_rows(g.rows, g.columns), worth, by_row);
  }
  *as<T>(g.loss) = static_cast<T>(g.weight * loss);
}

// Returns the elements of a row of a log density.
template <class F, class T, class V>
HWY_INLINE Elements<F, T> row_of(const LogDensityArgs& g, std::int64_t row,
                                 const LikelihoodSettings<V>& settings) {
  return {as<T>(g.params) + row * F::kParameters * g.columns,
          as<T>(g.target) + row / g.repeats * g.columns,
          nullptr,
          g.columns,
          settings,
          constant<V>(1)};
}

template <class F, class T>
void log_density_of(const LogDensityArgs& g) {
  const auto settings = settings_of<hn::Vec<hn::ScalableTag<T>>>(g.likelihood);
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for (std::int64_t row = begin; row < end; ++row)
      as<T>(g.out)[row] = static_cast<T>(-sum_of<kRowGroup>(row_of<F, T>(g, row, settings), 0, g.columns));
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

// Writes weight times the derivatives of a row's log density.
template <class F, class T>
HWY_INLINE void row_slopes(Elements<F, T> elements, T weight, T* d_params) {
  if (weight == 0) {
    std::fill_n(d_params, F::kParameters * elements.stride, T(0));
    return;
  }
  elements.d_params = d_params;
  elements.weight = constant<typename Elements<F, T>::V>(-static_cast<double>(weight));
  if constexpr (requires { F::kCostly; }) {
    each_costly<F, T>(elements, 0, elements.stride, nullptr);
  } else {
    each_vector<T>(0, elements.stride,
                   [&](auto access, std::int64_t i) HWY_ATTR { elements.slopes(access, i); });
  }
}

template <class F, class T>
void log_density_backward_of(const LogDensityBackwardArgs& b) {
  const LogDensityArgs& g = b.forward;
  const auto settings = settings_of<hn::Vec<hn::ScalableTag<T>>>(g.likelihood);
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for (std::int64_t row = begin; row < end; ++row) {
      T* d_params = as<T>(b.d_params) + row * F::kParameters * g.columns;
      row_slopes(row_of<F, T>(g, row, settings), as<T>(b.d_rows)[row], d_params);
    }
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

template <class F, class T>
LikelihoodKernels likelihood_kernels() {
  return {likelihood_of<F, T>, log_density_of<F, T>, log_density_backward_of<F, T>};
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
