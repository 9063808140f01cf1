// The log density of each row of a target, given a row of a likelihood's parameters. No gradient: made for
// evaluations over many samples of each image.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/log_density.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/continuous_bernoulli-inl.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Up to eight vectors share a logarithm, as in bce.cpp.
template <class T>
double bernoulli_row(const T* logits, const T* target, std::int64_t columns) {
  constexpr std::int64_t lanes = HWY_LANES(T), kGroup = 8 * lanes;
  const std::int64_t whole = columns / lanes * lanes;
  const Whole<T> access;
  Sum<T> nll;
  for (std::int64_t i = 0; i < whole;) {
    auto odds = hn::Zero(access.d), values = hn::Zero(access.d);
    for (const std::int64_t end = std::min(whole, i + kGroup); i < end; i += lanes)
      values = hn::Add(values, bce_with_logits(access.load(logits + i), access.load(target + i), odds).value);
    nll.add(hn::Add(values, log_of_odds(odds)));
  }
  each_vector<T>(whole, columns, [&](auto part, std::int64_t i) HWY_ATTR {
    nll.add(part.keep(bce_with_logits(part.load(logits + i), part.load(target + i)).value));
  });
  return -nll.total();
}

template <class T>
double continuous_bernoulli_row(const T* logits, const T* target, std::int64_t columns) {
  Sum<T> nll;
  each_vector<T>(0, columns, [&](auto access, std::int64_t i) HWY_ATTR {
    nll.add(access.keep(continuous_bernoulli_nll(access.load(logits + i), access.load(target + i)).value));
  });
  return -nll.total();
}

template <class T>
double gaussian_row(const LogDensityArgs& g, const T* params, const T* target) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const V low = constant<V>(g.low), high = constant<V>(g.high);
  Sum<T> nll;
  each_vector<T>(0, g.columns, [&](auto access, std::int64_t i) HWY_ATTR {
    const V raw = access.load(params + i), log_variance = access.load(params + g.columns + i);
    const V mean = g.sigmoid_mean ? sigmoid(raw) : raw;
    nll.add(access.keep(
        HWY_NAMESPACE::gaussian_nll(mean, log_variance, access.load(target + i), low, high).value));
  });
  return -nll.total();
}

template <class T>
void log_density_of(const LogDensityArgs& g) {
  const std::int64_t width = g.density == Density::gaussian ? 2 * g.columns : g.columns;
  const auto rows = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    for (std::int64_t row = begin; row < end; ++row) {
      const T* params = as<T>(g.params) + row * width;
      const T* target = as<T>(g.target) + row / g.repeats * g.columns;
      const double value = g.density == Density::bernoulli ? bernoulli_row(params, target, g.columns)
                           : g.density == Density::gaussian
                               ? gaussian_row(g, params, target)
                               : continuous_bernoulli_row(params, target, g.columns);
      as<T>(g.out)[row] = static_cast<T>(value);
    }
  };
  parallel_chunks(Chunks::of_rows(g.rows, g.columns), g.rows * g.columns >= kCostlyGrain, rows);
}

void RowLogDensity(const LogDensityArgs& g) {
  with_float(g.dtype, "log_density", [&](auto type) { log_density_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(RowLogDensity);
void CpuBackend::run(const LogDensityArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(RowLogDensity)(g);
}
}  // namespace gpuvae::kernels
#endif
