// The standard normal distribution: density exp(-x^2 / 2) / sqrt(2 pi) and distribution function Phi(x).
#pragma once

#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

// 1 / sqrt(2 pi).
inline constexpr double kInverseRootTwoPi = 0.398942280401432677940;

// The density exp(-x^2 / 2) / sqrt(2 pi) at x.
template <class T>
GPUVAE_HD T normal_density(T x) {
  return T(kInverseRootTwoPi) * exp(T(-0.5) * x * x);
}
// The distribution function Phi(x), computed from erfc, so that small values keep their digits.
template <class T>
GPUVAE_HD T normal_cdf(T x) {
  return T(0.5) * erfc(T(-0.707106781186547524401) * x);
}

}  // namespace gpuvae::math
