// The diagonal Gaussian posterior: its standard deviation as a function of the scale parameter, and its KL
// divergence to the standard normal. Kingma and Welling, "Auto-encoding variational Bayes", 2013, appendix B.
#pragma once

#include "gpuvae/device/scalar.h"
#include "gpuvae/enums.h"

namespace gpuvae::math {

// Added to the standard deviation of PosteriorScale::softplus, so that it never becomes 0.
inline constexpr double kSoftplusSigmaFloor = 1e-6;

// The standard deviation and its logarithm, with their slopes. sigma may overflow or underflow where
// log_sigma and log_slope are still finite, so formulas use log_sigma and log_slope where they can.
template <class T>
struct Sigma {
  T sigma;      // standard deviation
  T log_sigma;  // its logarithm
  T slope;      // d sigma / d s
  T log_slope;  // d log sigma / d s
};
// Returns the standard deviation for the scale parameter s of a dimension: exp(s / 2), exp(s), or softplus(s)
// and the floor, with the parameterisation `scale`.
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
// overflows unless the sum does. The derivative with respect to mu is mu.
template <class T>
GPUVAE_HD T kl_standard_normal(T mu, const Sigma<T>& s) {
  return (T(0.5) * s.sigma) * s.sigma + (T(0.5) * mu) * mu - T(0.5) - s.log_sigma;
}
// The derivative of that KL divergence with respect to the scale parameter s, in nats: sigma d sigma / d s -
// d log sigma / d s.
template <class T>
GPUVAE_HD T kl_slope_in_s(const Sigma<T>& s) {
  return s.sigma * s.slope - s.log_slope;
}

}  // namespace gpuvae::math
