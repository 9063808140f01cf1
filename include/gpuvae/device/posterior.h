// The diagonal Gaussian posterior: its standard deviation as a function of the scale parameter, and its KL
// divergence to the standard normal. Kingma and Welling, "Auto-encoding variational Bayes", 2013, appendix B.
#pragma once

#include "gpuvae/device/scalar.h"
#include "gpuvae/enums.h"

namespace gpuvae::math {

inline constexpr double kSoftplusSigmaFloor = 1e-6;

// The standard deviation and its logarithm, with their slopes. sigma may overflow or underflow where
// log_sigma and log_slope are still finite, so formulas use log_sigma and log_slope where they can.
template <class T>
struct Sigma {
  T sigma, log_sigma;
  T slope, log_slope;  // d sigma / d s and d log sigma / d s
};
template <class T>
GPUVAE_HD Sigma<T> posterior_sigma(PosteriorScale scale, T s) {
  switch (scale) {
    case PosteriorScale::log_sigma: {
      const T sigma = exp(s);
      return {sigma, s, sigma, T(1)};
    }
    case PosteriorScale::softplus: {
      const T sigma = softplus(s) + T(kSoftplusSigmaFloor), slope = sigmoid(s);
      return {sigma, log(sigma), slope, slope / sigma};
    }
    case PosteriorScale::log_variance:
      break;
  }
  const T sigma = exp(T(0.5) * s);
  return {sigma, T(0.5) * s, T(0.5) * sigma, T(0.5)};
}

// Returns y, or 0 if x is 0 and y is infinite, so that x * factor_for(x, y) is 0 for x = 0 even if y has
// overflowed. NaN stays NaN.
template <class T>
GPUVAE_HD T factor_for(T x, T y) {
  return x == T(0) && y == T(INFINITY) ? T(0) : y;
}

// KL(N(mu, sigma^2) || N(0, 1)) of one dimension in nats: (sigma^2 + mu^2 - 1) / 2 - log sigma. No term
// overflows unless the sum does. The derivatives are mu with respect to mu, and sigma d sigma / d s - d log
// sigma / d s with respect to s.
template <class T>
GPUVAE_HD T kl_standard_normal(T mu, const Sigma<T>& s) {
  return (T(0.5) * s.sigma) * s.sigma + (T(0.5) * mu) * mu - T(0.5) - s.log_sigma;
}
template <class T>
GPUVAE_HD T kl_slope_in_s(const Sigma<T>& s) {
  return s.sigma * s.slope - s.log_slope;
}

}  // namespace gpuvae::math
