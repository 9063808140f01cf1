// Per-pixel negative log likelihoods, value beside gradient. Nats.
#pragma once

#include "kernels/math/scalar.h"

namespace gpuvae::math {

template <class T>
struct ValueAndSlope {
  T value, slope;
};

// -log Bernoulli(t | sigmoid(l)) = max(l, 0) - l t + log(1 + exp(-|l|)); its slope in l is sigmoid(l) - t.
template <class T>
GPUVAE_HD ValueAndSlope<T> bce_with_logits(T logit, T target) {
  const T e = exp(-fabs(logit));
  const T p = (logit >= T(0) ? T(1) : e) / (T(1) + e);
  return {fmax(logit, T(0)) - logit * target + log1p(e), p - target};
}

// -t log p - (1 - t) log(1 - p), with p kept in [1e-7, 1 - 1e-7], as Keras does; no slope outside.
inline constexpr double kProbabilityMargin = 1e-7;
template <class T>
GPUVAE_HD ValueAndSlope<T> bce(T probability, T target) {
  const T low = T(kProbabilityMargin), high = T(1) - low;
  const T p = clamp(probability, low, high);
  const bool inside = p == probability;
  return {-target * log(p) - (T(1) - target) * log1p(-p), inside ? (p - target) / (p * (T(1) - p)) : T(0)};
}

// -log N(t | m, exp(v)) = (log 2 pi + v + (t - m)^2 exp(-v)) / 2 with v clipped to [low, high]: the variance
// can neither vanish nor explode. The slope in v is zero where it is clipped. The square is that of u = (t -
// m) exp(-v / 2), which overflows only if the value does. The exponential is bounded, so that u is 0 where t
// is m.
inline constexpr double kLogTwoPi = 1.83787706640934548356;
template <class T>
struct GaussianNll {
  T value, mean_slope, log_variance_slope;
};
template <class T>
GPUVAE_HD GaussianNll<T> gaussian_nll(T mean, T log_variance, T target, T low, T high) {
  const T v = clamp(log_variance, low, high);
  const bool inside = v == log_variance;
  const T exponent = T(-0.5) * v, limit = sizeof(T) == 4 ? T(88) : T(709);
  const T root = exp(exponent > limit ? limit : exponent), u = (mean - target) * root;
  return {T(0.5) * (T(kLogTwoPi) + v + u * u), u * root, inside ? T(0.5) * (T(1) - u * u) : T(0)};
}

}  // namespace gpuvae::math
