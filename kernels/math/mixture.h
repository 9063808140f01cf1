// The log density of a mixture of diagonal Gaussians, log sum_k w_k N(z; m_k, diag(s_k^2)). Bishop, "Pattern
// recognition and machine learning", 2006, section 9.2; its gradients are those of the components weighted by
// their responsibilities, w_k N_k / sum_j w_j N_j. Nats.
#pragma once

#include <cmath>

#include "kernels/math/host_device.h"
#include "kernels/math/likelihood.h"
#include "kernels/math/posterior.h"

namespace gpuvae::math {

// log sum_k exp(t_k) term by term, without overflow: `sum` counts in units of exp(most). NaN stays NaN; no
// terms, or none above -infinity, make -infinity.
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

// What a component's log density is made of: log(w N(z)) = offset - sum over dimensions of u^2 / 2 with
// u = (z - m) / s. This is a dimension's part of the offset.
template <class T>
GPUVAE_HD T mixture_offset(const Sigma<T>& s) {
  return -s.log_sigma - T(0.5 * kLogTwoPi);
}

// 1 / sigma, at most the largest number: a row at the mean of a component without width has u = 0.
template <class T>
GPUVAE_HD T inverse_sigma(const Sigma<T>& s) {
  const T largest = T(sizeof(T) == 4 ? 3.4028234663852886e38 : 1.7976931348623157e308),
          inverse = T(1) / s.sigma;
  return inverse > largest ? largest : inverse;
}

// With q a component's responsibility for a row times the gradient that reaches the row: a dimension's slopes
// from the sums over rows of q, q u and q u^2.
template <class T>
struct MixtureSlopes {
  T mean, scale;
};
template <class T>
GPUVAE_HD MixtureSlopes<T> mixture_slopes(T q, T qu, T quu, const Sigma<T>& s) {
  return {qu == T(0) ? T(0) : qu / s.sigma, (quu - q) * s.log_slope};
}

}  // namespace gpuvae::math
