// Gaussian negative log likelihood with a predicted log variance, and its gradient, in one pass.
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/gaussian_nll.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd_loop-inl.h"
#include "kernels/cpu/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// The sum over one row's pixels; the gradient, unless d_row is null.
template <class T>
double row_nll(const GaussianNllArgs& g, const T* row, const T* target, T* d_row) {
  using V = hn::Vec<hn::ScalableTag<T>>;
  const V low = constant<V>(g.low), high = constant<V>(g.high), weight = constant<V>(g.weight);
  const V one = constant<V>(1);
  Sum<T> sum;
  each_vector<T>(0, g.columns, [&](auto access, std::int64_t i) HWY_ATTR {
    const V raw = access.load(row + i);
    const V mean = g.sigmoid_mean ? sigmoid(raw) : raw;
    const auto pixel = HWY_NAMESPACE::gaussian_nll(mean, access.load(row + g.columns + i),
                                                   access.load(target + i), low, high);
    sum.add(access.keep(pixel.value));
    if (!d_row) return;
    const V inner = g.sigmoid_mean ? hn::Mul(mean, hn::Sub(one, mean)) : one;
    access.store(hn::Mul(weight, hn::Mul(pixel.mean_slope, inner)), d_row + i);
    access.store(hn::Mul(weight, pixel.log_variance_slope), d_row + g.columns + i);
  });
  return sum.total();
}

template <class T>
void nll_of(const GaussianNllArgs& g) {
  const auto chunk_loss = [&](std::int64_t begin, std::int64_t end) HWY_ATTR {
    double sum = 0;
    for (std::int64_t row = begin; row < end; ++row) {
      T* d_row = g.d_params ? as<T>(g.d_params) + row * 2 * g.columns : nullptr;
      sum += row_nll<T>(g, as<T>(g.params) + row * 2 * g.columns, as<T>(g.target) + row * g.columns, d_row);
    }
    return sum;
  };
  const bool worth = g.rows * g.columns >= kCostlyGrain;
  const double loss = parallel_sum(Chunks::of_rows(g.rows, g.columns), worth, chunk_loss);
  *as<T>(g.loss) = static_cast<T>(g.weight * loss);
}

void GaussianNegativeLogLikelihood(const GaussianNllArgs& g) {
  with_float(g.dtype, "gaussian_nll", [&](auto type) { nll_of<decltype(type)>(g); });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(GaussianNegativeLogLikelihood);
void CpuBackend::run(const GaussianNllArgs& g, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(GaussianNegativeLogLikelihood)(g);
}
}  // namespace gpuvae::kernels
#endif
