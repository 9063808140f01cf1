// The element-wise functions for scalars, chosen at run time.
#pragma once

#include <type_traits>

#include "kernels/math/continuous_bernoulli.h"
#include "kernels/math/elementwise.h"
#include "kernels/math/gamma.h"
#include "kernels/math/normal.h"
#include "kernels/math/scalar.h"

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

// Whether the derivative is computed from the output, else from the input.
template <class E>
GPUVAE_HD constexpr bool slope_from_output(E function) {
  return with_function(function, [](auto f) { return decltype(f)::slope_from_output; });
}

// Sets of functions, by which a kernel says which ones it holds the code of. The others are the identity
// to it.
template <class Function>
struct Every : std::true_type {};
template <class Function>
struct WithSlopeFromOutput : std::bool_constant<Function::slope_from_output> {};

template <template <class> class Set = Every, class T>
GPUVAE_HD T activate(Activation activation, T x) {
  return with_function(activation, [x](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value) return Function::value(x);
    return x;
  });
}
// dy/dx, from y or from x: see slope_from_output().
template <template <class> class Set = Every, class T>
GPUVAE_HD T activation_derivative(Activation activation, T v) {
  return with_function(activation, [v](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value) return Function::slope(v);
    return T(1);
  });
}

// The same for all functions; `a` and `b` are the parameters of those that have some.
template <template <class> class Set = Every, class T>
GPUVAE_HD T function_value(kernels::Unary function, T x, T a, T b) {
  return with_function(function, [=](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value) return value_of<Function>(x, a, b);
    return x;
  });
}
template <template <class> class Set = Every, class T>
GPUVAE_HD T function_slope(kernels::Unary function, T v, T a, T b) {
  return with_function(function, [=](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value) return slope_of<Function>(v, a, b);
    return T(1);
  });
}

}  // namespace gpuvae::math
