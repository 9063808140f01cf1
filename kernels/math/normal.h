// The standard normal distribution for vectors, which have no erfc; gpuvae/device/normal.h has the scalar
// form.
//
// The file has two parts: the coefficients and, with GPUVAE_VECTOR_FORMULA defined and inside the namespace
// of an instruction set (kernels/cpu/simd/functions-inl.h), the formulas.
#ifndef GPUVAE_KERNELS_MATH_NORMAL_H
#define GPUVAE_KERNELS_MATH_NORMAL_H

#include "gpuvae/device/normal.h"

namespace gpuvae::math {

// Phi(-a) exp(a^2 / 2) (1 + a) for a >= 0, as a polynomial in (a - 4) / (a + 4). The coefficients are
// Chebyshev fits with relative errors below 3e-9 for a below 14 (floats), and below 1e-17 for a below 40
// (doubles).
inline constexpr Coefficients<11> kNormalTailFloat = {
    {0.4720532065, -0.09670346799, 0.01399962355, 0.02860002623, -0.03219762573, 0.01793962901,
     -0.005003000057, -3.011153126e-4, 6.917958321e-4, -6.448406998e-5, -7.341340565e-5}};
inline constexpr Coefficients<24> kNormalTailDouble = {
    {0.472053206509844681,   -0.0967034773265258147,  0.0139996347244253846,   0.0286003640535514838,
     -0.0321978374280841207, 0.0179360974796536255,   -0.00500237859108470679, -2.85623097691877322e-4,
     6.94897105064763355e-4, -9.44302561129454738e-5, -8.78531873203583384e-5, 2.12500598675120436e-5,
     1.36268867792075717e-5, -3.43222926639272937e-6, -2.61296324723691052e-6, 4.04534960740403658e-7,
     5.52119533224264393e-7, 1.42485002339593007e-9,  -1.11160031367018874e-7, -1.99077979094749738e-8,
     1.77618318838503682e-8, 6.26813572535948719e-9,  -1.57622649049166212e-9, -8.02139310026269511e-10}};

}  // namespace gpuvae::math
#endif

#ifdef GPUVAE_VECTOR_FORMULA
// Returns |x|, limited to a value at which exp(-x^2 / 2) underflows to 0.
template <class V>
GPUVAE_VECTOR_FORMULA V bounded_magnitude(V x) {
  return hn::Min(hn::Abs(x), constant<V>(sizeof(Lane<V>) == 4 ? 14 : 40));
}
// Returns exp(-a^2 / 2), corrected for the rounding error of the exponent. Without the correction, the
// relative error would grow towards values near the smallest float.
template <class V>
GPUVAE_VECTOR_FORMULA V exp_of_half_square(V a) {
  const V half = hn::Mul(a, constant<V>(0.5)), exponent = hn::Mul(a, half);
  const V rest = hn::MulSub(a, half, exponent), e = exp_of_moderate(hn::Neg(exponent));
  return hn::NegMulAdd(e, rest, e);
}

template <class V>
GPUVAE_VECTOR_FORMULA V normal_density(V x) {
  return keep_nan(x, hn::Mul(constant<V>(math::kInverseRootTwoPi), exp_of_half_square(bounded_magnitude(x))));
}
// The relative error is at most 1e-6 for floats down to x = -13, below which the result is 0, and 2e-15 for
// doubles down to x = -37.
template <class V>
GPUVAE_VECTOR_FORMULA V normal_cdf(V x) {
  const V a = bounded_magnitude(x), one = constant<V>(1), four = constant<V>(4);
  const V u = hn::Div(hn::Sub(a, four), hn::Add(a, four));
  V p;
  if constexpr (sizeof(Lane<V>) == 4) {
    p = power_series<math::kNormalTailFloat, 11>(u);
  } else {
    p = power_series<math::kNormalTailDouble, 24>(u);
  }
  const V tail = hn::Mul(exp_of_half_square(a), hn::Div(p, hn::Add(one, a)));
  return keep_nan(x, hn::IfThenElse(hn::Gt(x, constant<V>(0)), hn::Sub(one, tail), tail));
}
#endif
