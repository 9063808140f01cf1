// The element-wise functions for scalars, chosen at run time.
#pragma once

#include "gpuvae/device/activation.h"
#include "gpuvae/device/continuous_bernoulli.h"
#include "gpuvae/device/scalar.h"
#include "kernels/math/elementwise.h"
#include "kernels/math/gamma.h"

namespace gpuvae::math {

template <class T>
GPUVAE_HD T continuous_bernoulli_log_normalizer(T logit) {
  return continuous_bernoulli(logit).log_normalizer;
}
template <class T>
GPUVAE_HD T continuous_bernoulli_mean(T logit) {
  return continuous_bernoulli(logit).mean;
}
template <class T>
GPUVAE_HD T continuous_bernoulli_variance(T logit) {
  return continuous_bernoulli(logit).variance;
}

#define GPUVAE_FORMULA GPUVAE_HD
#include "kernels/math/elementwise.h"
#undef GPUVAE_FORMULA

// Whether the derivative is computed from the output instead of the input.
template <class E>
GPUVAE_HD constexpr bool slope_from_output(E function) {
  return with_function(function, [](auto f) { return decltype(f)::slope_from_output; });
}

// Versions for N elements that select the function only once: apply() computes x = function(x), and
// apply_slope() computes d *= function'(x) from `v`, which is x or y as above. `a` and `b` are the parameters
// of functions that have any.
template <template <class> class Set = Every, class E, class T, int N>
GPUVAE_HD void apply(E function, T (&x)[N], T a = T(1), T b = T(0)) {
  with_function(function, [&x, a, b](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value)
      for (T& each : x) each = value_of<Function>(each, a, b);
  });
}
template <template <class> class Set = Every, class E, class T, int N>
GPUVAE_HD void apply_slope(E function, const T (&v)[N], T (&d)[N], T a = T(1), T b = T(0)) {
  with_function(function, [&v, &d, a, b](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value)
      for (int i = 0; i < N; ++i) d[i] *= slope_of<Function>(v[i], a, b);
  });
}

}  // namespace gpuvae::math
