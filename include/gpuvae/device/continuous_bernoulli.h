// The continuous Bernoulli distribution on [0, 1]: p(x | l) = exp(l x - A(l)) with logit l. Loaiza-Ganem and
// Cunningham, "The continuous Bernoulli: fixing a pervasive error in variational autoencoders", 2019. With
// their constant C(l) = l / tanh(l / 2), A(l) = softplus(l) - log C(l) = log((exp(l) - 1) / l).
#pragma once

#include "gpuvae/device/host_device.h"

namespace gpuvae::math {

// @{
// Returns c0 + z (c1 + z (c2 + ...)).
template <class T>
GPUVAE_HD T polynomial(T, double c) {
  return T(c);
}
template <class T, class... Rest>
GPUVAE_HD T polynomial(T z, double c, Rest... rest) {
  return T(c) + z * polynomial(z, rest...);
}
// @}

// A(l) = l / 2 + log(sinh(l / 2) / (l / 2)), the mean A'(l) = coth(l / 2) / 2 + 1 / 2 - 1 / l, and the
// variance A''(l) = 1 / l^2 - 1 / (4 sinh(l / 2)^2).
template <class T>
struct ContinuousBernoulli {
  T log_normalizer;  // A(l), nats
  T mean;            // A'(l)
  T variance;        // A''(l)
};

// For |l| below this bound, the differences above suffer from cancellation, so power series replace them.
// They follow from the series of coth, whose coefficients are Bernoulli numbers, and have as many terms as a
// double needs.
inline constexpr double kContinuousBernoulliSeries = 1;

// Returns these three values for a logit.
template <class T>
GPUVAE_HD ContinuousBernoulli<T> continuous_bernoulli(T logit) {
  const T a = fabs(logit);
  if (a < T(kContinuousBernoulliSeries)) {
    const T z = logit * logit;
    return {T(0.5) * logit + z * polynomial(z, 1. / 24, -1. / 2880, 1. / 181440, -1. / 9676800,
                                            1. / 479001600, -691. / 15692092416000, 1. / 1046139494400,
                                            -3617. / 170729965486080000., 43867. / 91963695909076992000.),
            T(0.5) + logit * polynomial(z, 1. / 12, -1. / 720, 1. / 30240, -1. / 1209600, 1. / 47900160,
                                        -691. / 1307674368000, 1. / 74724249600, -3617. / 10670622842880000.,
                                        43867. / 5109094217170944000.),
            polynomial(z, 1. / 12, -1. / 240, 1. / 6048, -1. / 172800, 1. / 5322240, -691. / 118879488000,
                       1. / 5748019200, -3617. / 711374856192000., 43867. / 300534953951232000.)};
  }
  const T e = exp(-a), inverse = T(1) / a, q = T(1) / (T(1) - e);
  const T mean_of_magnitude = q - inverse;
  return {fmax(logit, T(0)) + log((T(1) - e) * inverse), logit > T(0) ? mean_of_magnitude : inverse - e * q,
          inverse * inverse - e * q * q};
}

}  // namespace gpuvae::math
