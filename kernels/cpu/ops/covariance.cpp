// Sampling from a Gaussian posterior with a full covariance matrix, forward and backward.
#include <cmath>

#include "gpuvae/device/likelihood.h"
#include "kernels/cpu/backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/simd.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/ops/covariance.cpp"
#include "hwy/foreach_target.h"
#include "kernels/cpu/simd/gates-inl.h"
#include "kernels/cpu/simd/simd_loop-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

template <class T>
void covariance_row(const CovarianceArgs& g, std::int64_t row) {
  const std::int64_t latent = g.latent;
  const T *mean = as<T>(g.params) + row * covariance_params(latent), *a = mean + latent;
  const T *lower = a + latent, *epsilon = as<T>(g.epsilon) + row * latent;
  T* z = as<T>(g.z) + row * latent;
  double log_diagonal = 0, squares = 0;
  for (std::int64_t i = 0; i < latent; lower += i, ++i) {
    const T diagonal = std::exp(a[i]);
    z[i] = mean[i] + diagonal * epsilon[i] + dot(lower, epsilon, i);
    log_diagonal += static_cast<double>(a[i]);
    if (g.kl) squares += static_cast<double>(diagonal * diagonal + mean[i] * mean[i] + dot(lower, lower, i));
  }
  const auto n = static_cast<double>(latent);
  if (g.kl) as<T>(g.kl)[row] = static_cast<T>(0.5 * (squares - n) - log_diagonal);
  if (g.log_density)
    as<T>(g.log_density)[row] = static_cast<T>(-0.5 * static_cast<double>(dot(epsilon, epsilon, latent)) -
                                               0.5 * n * math::kLogTwoPi - log_diagonal);
}

template <class T>
void covariance_backward_row(const CovarianceBackwardArgs& b, std::int64_t row) {
  const CovarianceArgs& g = b.forward;
  const std::int64_t latent = g.latent, at = row * covariance_params(latent);
  const T *mean = as<T>(g.params) + at, *a = mean + latent, *lower = a + latent;
  const T *epsilon = as<T>(g.epsilon) + row * latent, *d_z = as<T>(b.d_z) + row * latent;
  T *d_mean = as<T>(b.d_params) + at, *d_a = d_mean + latent, *d_lower = d_a + latent;
  const T d_kl = b.d_kl ? as<T>(b.d_kl)[row] : T(0);
  const T d_log = b.d_log_density ? as<T>(b.d_log_density)[row] : T(0);
  for (std::int64_t i = 0; i < latent; lower += i, d_lower += i, ++i) {
    const T diagonal = std::exp(a[i]);
    d_mean[i] = d_z[i] + d_kl * mean[i];
    d_a[i] = diagonal * (d_z[i] * epsilon[i] + d_kl * diagonal) - d_kl - d_log;
    const auto upstream = hn::Set(hn::ScalableTag<T>(), d_z[i]), of_kl = hn::Set(hn::ScalableTag<T>(), d_kl);
    const T* elements = lower;
    T* out = d_lower;
    each_vector<T>(0, i, [=](auto access, std::int64_t j) HWY_ATTR {
      const auto shrink = hn::Mul(of_kl, access.load(elements + j));
      access.store(hn::MulAdd(upstream, access.load(epsilon + j), shrink), out + j);
    });
  }
}

template <class Body>
void covariance_rows(const CovarianceArgs& g, const Body& body) {
  const std::int64_t width = covariance_params(g.latent);
  parallel_chunks(Chunks::of_rows(g.rows, width), g.rows * width >= kCheapGrain,
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) body(row);
                  });
}

void Covariance(const CovarianceArgs& g) {
  with_float(g.dtype, "full_covariance", [&](auto type) {
    covariance_rows(g, [&](std::int64_t row) { covariance_row<decltype(type)>(g, row); });
  });
}
void CovarianceBackward(const CovarianceBackwardArgs& b) {
  with_float(b.forward.dtype, "full_covariance_backward", [&](auto type) {
    covariance_rows(b.forward, [&](std::int64_t row) { covariance_backward_row<decltype(type)>(b, row); });
  });
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace gpuvae::kernels {
HWY_EXPORT(Covariance);
HWY_EXPORT(CovarianceBackward);
void CpuBackend::run(const CovarianceArgs& g, StreamHandle) { HWY_DYNAMIC_DISPATCH(Covariance)(g); }
void CpuBackend::run(const CovarianceBackwardArgs& b, StreamHandle) {
  HWY_DYNAMIC_DISPATCH(CovarianceBackward)(b);
}
}  // namespace gpuvae::kernels
#endif
