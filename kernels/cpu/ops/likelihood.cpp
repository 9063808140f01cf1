// Negative log likelihoods with their gradient in one pass, and log densities per row with their gradient.
#include "kernels/math/likelihood.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/likelihood.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/continuous_bernoulli-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"
#include "kernels/cpu/simd/simd_math-inl.h"

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
    V p[F::kParameters];
    for (int k = 0; k < F::kParameters; ++k) p[k] = access.load(params + k * stride + i);
    const auto nll = observed_nll<F>(p, access.load(target + i), settings);
    sum.add(access.keep(nll.value));
    if (!d_params) return;
    for (int k = 0; k < F::kParameters; ++k)
      access.store(hn::Mul(weight, nll.slopes[k]), d_params + k * stride + i);
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

// The number of vectors that share one logarithm. Groups of kBatchGroup are always full, and the remaining
// vectors are processed one by one; the last group of kRowGroup may be smaller.
constexpr std::int64_t kBatchGroup = 16, kRowGroup = 8;

// Returns the sum over the elements begin, ..., end - 1.
template <std::int64_t kGroup, class F, class T>
HWY_INLINE double sum_of(const Elements<F, T>& elements, std::int64_t begin, std::int64_t end) {
  Sum<T> sum;
  if constexpr (requires { typename F::template Parts<T>; }) {
    constexpr std::int64_t lanes = Elements<F, T>::kLanes, length = kGroup * lanes;
    for (; begin + length <= end; begin += length) elements.group(begin, begin + length, sum);
    const std::int64_t rest = (end - begin) / lanes * lanes;
    if (kGroup == kRowGroup && rest > 0) elements.group(begin, begin + rest, sum), begin += rest;
  }
  each_vector<T>(begin, end, [&](auto access, std::int64_t i) HWY_ATTR { elements(access, i, sum); });
  return sum.total();
}

template <class F, class T>
void likelihood_of(const LikelihoodArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const std::int64_t width = F::kParameters * g.columns;
  const auto elements = [&](std::int64_t row) HWY_ATTR {
    return Elements<F, T>{as<T>(g.params) + row * width,
                          as<T>(g.target) + row * g.columns,
                          g.d_params ? as<T>(g.d_params) + row * width : nullptr,
                          g.columns,
                          settings_of<V>(g.likelihood),
                          constant<V>(g.weight)};
  };
  const auto whole = [&](std::int64_t begin, std::int64_t end)
                         HWY_ATTR { return sum_of<kBatchGroup>(elements(0), begin, end); };
  const auto by_row = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    double sum = 0;
    for (std::int64_t row = begin; row < end; ++row) sum += sum_of<kBatchGroup>(elements(row), 0, g.columns);
    return sum;
  };
  const std::int64_t size = g.rows * g.columns;
  const bool worth = size >= kCostlyGrain;
  // With one parameter per element, the elements of all rows are contiguous.
  const double loss = F::kParameters == 1 ? parallel_sum(Chunks::of_elements(size), worth, whole)
                                          : parallel_sum(Chunks::of_rows(g.rows, g.columns), worth, by_row);
  *as<T>(g.loss) = static_cast<T>(g.weight * loss);
}

template <class F, class T>
void log_density_of(const LogDensityArgs& g) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const auto settings = settings_of<V>(g.likelihood);
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for (std::int64_t row = begin; row < end; ++row) {
      const Elements<F, T> elements{as<T>(g.params) + row * F::kParameters * g.columns,
                                    as<T>(g.target) + row / g.repeats * g.columns,
                                    nullptr,
                                    g.columns,
                                    settings,
                                    constant<V>(1)};
      as<T>(g.out)[row] = static_cast<T>(-sum_of<kRowGroup>(elements, 0, g.columns));
    }
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

// Writes weight times the derivatives of a row's log density.
template <class F, class T, class V>
HWY_INLINE void row_slopes(const LogDensityBackwardArgs& b, std::int64_t row, T weight,
                           const LikelihoodSettings<V>& settings) {
  const LogDensityArgs& g = b.forward;
  const T* params = as<T>(g.params) + row * F::kParameters * g.columns;
  const T* target = as<T>(g.target) + row / g.repeats * g.columns;
  T* d_params = as<T>(b.d_params) + row * F::kParameters * g.columns;
  if (weight == 0) {
    std::fill_n(d_params, F::kParameters * g.columns, T(0));
    return;
  }
  const V scale = constant<V>(-static_cast<double>(weight));
  each_vector<T>(0, g.columns, [&](auto access, std::int64_t i) HWY_ATTR {
    V p[F::kParameters];
    for (int k = 0; k < F::kParameters; ++k) p[k] = access.load(params + k * g.columns + i);
    const auto nll = observed_nll<F>(p, access.load(target + i), settings);
    for (int k = 0; k < F::kParameters; ++k)
      access.store(hn::Mul(scale, nll.slopes[k]), d_params + k * g.columns + i);
  });
}

template <class F, class T>
void log_density_backward_of(const LogDensityBackwardArgs& b) {
  const LogDensityArgs& g = b.forward;
  const auto settings = settings_of<hn::Vec<hn::ScalableTag<T>>>(g.likelihood);
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for (std::int64_t row = begin; row < end; ++row) row_slopes<F, T>(b, row, as<T>(b.d_rows)[row], settings);
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

void NegativeLogLikelihood(const LikelihoodArgs& g) {
  with_float(g.dtype, "likelihood", [&](auto type) {
    with_likelihood(g.likelihood.kind,
                    [&](auto formula) { likelihood_of<decltype(formula), decltype(type)>(g); });
  });
}
void RowLogDensity(const LogDensityArgs& g) {
  with_float(g.dtype, "log_density", [&](auto type) {
    with_likelihood(g.likelihood.kind,
                    [&](auto formula) { log_density_of<decltype(formula), decltype(type)>(g); });
  });
}
void RowLogDensityBackward(const LogDensityBackwardArgs& b) {
  with_float(b.forward.dtype, "log_density_backward", [&](auto type) {
    with_likelihood(b.forward.likelihood.kind,
                    [&](auto formula) { log_density_backward_of<decltype(formula), decltype(type)>(b); });
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(NegativeLogLikelihood);
HWY_EXPORT(RowLogDensity);
HWY_EXPORT(RowLogDensityBackward);
void CpuBackend::run(const LikelihoodArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(NegativeLogLikelihood)(g);
}
void CpuBackend::run(const LogDensityArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(RowLogDensity)(g); }
void CpuBackend::run(const LogDensityBackwardArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(RowLogDensityBackward)(g);
}
}  // namespace gpuvae::kernels
#endif
