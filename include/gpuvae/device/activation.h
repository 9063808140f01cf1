// Activations and their derivatives, for a kernel or a function of your own:
//
//   y = gpuvae::math::activate(Activation::gelu, x);
//   y = gpuvae::math::Gelu::value(x);
//
// T is float or double. All functions are for the host and, under nvcc, also for the device.
#pragma once

#include <type_traits>

#include "gpuvae/device/activation_formulas.h"
#include "gpuvae/device/normal.h"
#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

#define GPUVAE_FORMULA GPUVAE_HD
#include "gpuvae/device/activation_formulas.h"
#undef GPUVAE_FORMULA

// The set of all functions. Sets are template arguments of the functions below: a kernel contains code only
// for the functions of its set and treats all others as the identity.
template <class Function>
struct Every : std::true_type {};
// The functions whose derivative follows from their output.
template <class Function>
struct SlopeFromOutput : std::bool_constant<Function::slope_from_output> {};
// The functions whose derivative follows from their input.
template <class Function>
struct SlopeFromInput : std::bool_constant<!Function::slope_from_output> {};

// Returns the activation of x.
template <template <class> class Set = Every, class T>
GPUVAE_HD T activate(Activation activation, T x) {
  return with_function(activation, [x](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value) return Function::value(x);
    return x;
  });
}
// Returns dy/dx, computed from y or from x; see slope_from_output().
template <template <class> class Set = Every, class T>
GPUVAE_HD T activation_derivative(Activation activation, T v) {
  return with_function(activation, [v](auto f) {
    using Function = decltype(f);
    if constexpr (Set<Function>::value) return Function::slope(v);
    return T(1);
  });
}

}  // namespace gpuvae::math
