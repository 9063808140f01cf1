// Scalar versions of the helper functions that the shared formulas call, in addition to C++ operators and the
// functions of cmath. kernels/cpu/simd/simd_math-inl.h has the vector versions.
#pragma once

#include "gpuvae/device/host_device.h"

namespace gpuvae::math {

// The coefficients of a power series: c[0] + c[1] z + c[2] z^2 + ...
template <int N>
struct Coefficients {
  double c[N];  // in ascending order of the powers
};

// The type of one element of a vector.
template <class T>
using Lane = T;

// Returns `value` in the type T.
template <class T>
GPUVAE_HD T constant(double value) {
  return T(value);
}
// Returns `value` in the type of the first argument.
template <class T>
GPUVAE_HD T like(T, double value) {
  return T(value);
}
// Returns -x.
template <class T>
GPUVAE_HD T neg(T x) {
  return -x;
}
// Returns a b + c.
template <class T>
GPUVAE_HD T mul_add(T a, T b, T c) {
  return a * b + c;
}
// Returns c - a b.
template <class T>
GPUVAE_HD T neg_mul_add(T a, T b, T c) {
  return c - a * b;
}

// Returns `yes` if the condition is true, else `no`.
template <class T>
GPUVAE_HD T select(bool condition, T yes, T no) {
  return condition ? yes : no;
}
// Returns 0 if the condition is true.
template <class T>
GPUVAE_HD T zero_if(bool condition, T otherwise) {
  return condition ? T(0) : otherwise;
}
// Whether x is not a number.
template <class T>
GPUVAE_HD bool is_nan(T x) {
  return x != x;
}
// Whether both conditions are true.
GPUVAE_HD bool both(bool a, bool b) { return a && b; }
// Whether at least one condition is true.
GPUVAE_HD bool either(bool a, bool b) { return a || b; }
// Returns x limited to [low, high]. NaN stays NaN, so that a diverged run is detected.
template <class T>
GPUVAE_HD T clamp(T x, T low, T high) {
  return x < low ? low : (x > high ? high : x);
}
// The vector version returns x where x is NaN, and y elsewhere. Scalar functions propagate NaN themselves, so
// this one returns y.
template <class T>
GPUVAE_HD T keep_nan(T, T y) {
  return y;
}

// Returns e^x for x <= 88 (float) or 708 (double). The vector versions of this function and of the next two
// are faster than the general functions and valid only in the ranges that the comments name.
template <class T>
GPUVAE_HD T exp_of_moderate(T x) {
  return exp(x);
}
// Returns log x for x > 0.
template <class T>
GPUVAE_HD T log_of_positive(T x) {
  return log(x);
}
// Returns log(1 + x) for x in [0, 1].
template <class T>
GPUVAE_HD T log1p_of_unit(T x) {
  return log1p(x);
}

#define GPUVAE_FORMULA GPUVAE_HD
#include "gpuvae/device/shared_formulas.h"
#undef GPUVAE_FORMULA

}  // namespace gpuvae::math
