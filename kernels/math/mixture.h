// The log density of a mixture of diagonal Gaussians in nats, log sum_k w_k N(z; m_k, diag(s_k^2)): Bishop,
// "Pattern recognition and machine learning", 2006, section 9.2. Its gradients are those of the components'
// log densities, weighted by the responsibilities w_k N_k / sum_j w_j N_j.
#pragma once

#include <cmath>
#include <cstdint>

#include "gpuvae/device/host_device.h"
#include "gpuvae/device/posterior.h"
#include "kernels/math/likelihood.h"

namespace gpuvae::math {

// Computes log sum_k exp(t_k) term by term without overflow. `most` is the largest term so far, and sum *
// exp(most) is the sum so far. A NaN term makes the value NaN. The value is -infinity if there are no terms
// or all of them are -infinity.
template <class T>
struct LogSumExp {
  T most = -T(INFINITY), sum = T(0);

  GPUVAE_HD void add(T term) { add(LogSumExp{term, T(1)}); }
  GPUVAE_HD void add(const LogSumExp& other) {
    const T higher = fmax(most, other.most);
    if (higher == -T(INFINITY) && other.most == other.most) return;
    sum = sum * exp(most - higher) + other.sum * exp(other.most - higher);
    most = higher;
  }
  GPUVAE_HD T value() const { return most + log(sum); }
};

// With u = (z - m) / s, the log density of a component is log(w N(z)) = offset - sum over dimensions of u^2 /
// 2. Returns the contribution of one dimension to `offset`.
template <class T>
GPUVAE_HD T mixture_offset(const Sigma<T>& s) {
  return -s.log_sigma - T(0.5 * kLogTwoPi);
}

// What leaving out one of `components` equal components adds to the log density of a row: the log of
// components / (components - 1). Returns 0 if `left_out` is negative.
template <class T>
GPUVAE_HD T left_out_shift(std::int64_t components, std::int32_t left_out) {
  return left_out < 0 ? T(0) : log1p(T(1) / T(components - 1));
}

// Returns 1 / sigma, but at most the largest finite number, so that u = 0 for a row at the mean of a
// component whose sigma is 0.
template <class T>
GPUVAE_HD T inverse_sigma(const Sigma<T>& s) {
  const T largest = T(sizeof(T) == 4 ? 3.4028234663852886e38 : 1.7976931348623157e308),
          inverse = T(1) / s.sigma;
  return inverse > largest ? largest : inverse;
}

// The gradients of one dimension's mean and scale parameter. Let q be a component's responsibility for a row
// times the gradient of the loss with respect to the row's output. The arguments are the sums over rows of q,
// q u and q u^2.
template <class T>
struct MixtureSlopes {
  T mean, scale;
};
template <class T>
GPUVAE_HD MixtureSlopes<T> mixture_slopes(T q, T qu, T quu, const Sigma<T>& s) {
  return {qu == T(0) ? T(0) : qu / s.sigma, (quu - q) * s.log_slope};
}

}  // namespace gpuvae::math
