// The diagonal Gaussian posterior: standard deviation from its parameter, and KL to the standard normal.
// Kingma and Welling, "Auto-encoding variational Bayes", 2013, appendix B.
#pragma once

#include "gpuvae/types.h"
#include "kernels/math/scalar.h"

namespace gpuvae::math {

inline constexpr double kSoftplusSigmaFloor = 1e-6;

template <class T>
struct Sigma {
  T sigma, log_sigma, slope;  // slope = d sigma / d s
};
template <class T>
GPUVAE_HD Sigma<T> posterior_sigma(PosteriorScale scale, T s) {
  switch (scale) {
    case PosteriorScale::log_sigma: {
      const T sigma = exp(s);
      return {sigma, s, sigma};
    }
    case PosteriorScale::softplus: {
      const T sigma = softplus(s) + T(kSoftplusSigmaFloor);
      return {sigma, log(sigma), sigmoid(s)};
    }
    case PosteriorScale::log_variance:
      break;
  }
  const T sigma = exp(T(0.5) * s);
  return {sigma, T(0.5) * s, T(0.5) * sigma};
}

// KL(N(mu, sigma^2) || N(0, 1)) of one dimension, nats; slopes are mu and sigma - 1 / sigma.
template <class T>
GPUVAE_HD T kl_standard_normal(T mu, const Sigma<T>& s) {
  return T(0.5) * (s.sigma * s.sigma + mu * mu - T(1)) - s.log_sigma;
}
template <class T>
GPUVAE_HD T kl_slope_in_s(const Sigma<T>& s) {
  return (s.sigma - T(1) / s.sigma) * s.slope;
}

}  // namespace gpuvae::math
