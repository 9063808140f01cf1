// Computes standard deviations from scale parameters with primitive operations. Values and gradients are
// finite wherever the exact ones are.
#pragma once

#include <numbers>

#include "gpuvae/ops.h"
#include "kernels/enumerators.h"

namespace gpuvae::unfused {

inline Variable softplus_sigma(const Variable& s) {
  constexpr double kFloor = 1e-6;  // the constant of PosteriorScale::softplus
  return activate(s, Activation::softplus) + kFloor;
}

inline Variable log_sigma_of(const Variable& s, PosteriorScale scale) {
  check_enumerator("sigma", "scale", scale);
  switch (scale) {
    case PosteriorScale::log_sigma:
      return s;
    case PosteriorScale::softplus:
      return log(softplus_sigma(s));
    case PosteriorScale::log_variance:
      break;
  }
  return 0.5 * s;
}

// Returns exp(x), with x limited to `most_f32` or `most_f64`, depending on the dtype.
inline Variable bounded_exp(const Variable& x, double most_f32, double most_f64) {
  return exp(clamp(x, -1e30, x.dtype() == DType::f64 ? most_f64 : most_f32));
}

// Returns x * sigma, computed with two factors of sqrt(sigma), so that x = 0 yields 0 even if sigma
// overflows.
inline Variable times_sigma(const Variable& x, const Variable& s, PosteriorScale scale) {
  if (scale == PosteriorScale::softplus) return x * softplus_sigma(s);
  const Variable root = bounded_exp(0.5 * log_sigma_of(s, scale), 88, 709);
  return x * root * root;
}

// Returns 1 / sigma, limited to exp(60) in f32 and exp(600) in f64. Beyond these limits, the squares of
// differences divided by sigma overflow anyway, and an infinite factor would turn a difference of 0 into NaN.
inline Variable inverse_sigma(const Variable& log_sigma) { return bounded_exp(-log_sigma, 60, 600); }

// Returns KL(N(mean, sigma^2) || N(0, 1)) of each element in nats: sigma^2 / 2 + (mean^2 - 1) / 2 - log
// sigma.
inline Variable kl_standard_normal(const Variable& mean, const Variable& s, PosteriorScale scale) {
  const Variable log_sigma = log_sigma_of(s, scale);
  const Variable half_variance = scale == PosteriorScale::softplus
                                     ? 0.5 * square(softplus_sigma(s))
                                     : exp(affine(log_sigma, 2, -std::numbers::ln2));
  return half_variance + affine(square(mean), 0.5, -0.5) - log_sigma;
}

}  // namespace gpuvae::unfused
