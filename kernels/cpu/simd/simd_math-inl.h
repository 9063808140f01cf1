// The formulas of kernels/math for vectors of float and double. Comments name the scalar function that each
// one implements. This file is included once per instruction set, like Highway's headers. All functions
// except fmax() return NaN for NaN.
#if defined(GPUVAE_KERNELS_CPU_SIMD_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_SIMD_MATH_INL_H
#undef GPUVAE_KERNELS_CPU_SIMD_MATH_INL_H
#else
#define GPUVAE_KERNELS_CPU_SIMD_MATH_INL_H
#endif

#include <limits>

#include "gpuvae/device/posterior.h"
#include "gpuvae/device/scalar.h"
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class V>
using Lane = hn::TFromV<V>;
template <class V>
using Tag = hn::DFromV<V>;
template <class V>
HWY_INLINE V constant(double value) {
  return hn::Set(Tag<V>(), static_cast<Lane<V>>(value));
}

// ---- the vector counterparts of gpuvae/device/scalar.h ----

template <class V>
HWY_INLINE V like(V, double value) {
  return constant<V>(value);
}
template <class V>
HWY_INLINE V neg(V x) {
  return hn::Neg(x);
}
template <class V>
HWY_INLINE V mul_add(V a, V b, V c) {
  return hn::MulAdd(a, b, c);
}
template <class V>
HWY_INLINE V neg_mul_add(V a, V b, V c) {
  return hn::NegMulAdd(a, b, c);
}
template <class V, class Mask>
HWY_INLINE V select(Mask condition, V yes, V no) {
  return hn::IfThenElse(condition, yes, no);
}
template <class V, class Mask>
HWY_INLINE V zero_if(Mask condition, V otherwise) {
  return hn::IfThenZeroElse(condition, otherwise);
}
// Highway's operator != is false for NaN on some processors.
template <class V>
HWY_INLINE auto is_nan(V x) {
  return hn::IsNaN(x);
}
template <class Mask>
HWY_INLINE Mask both(Mask a, Mask b) {
  return hn::And(a, b);
}
template <class Mask>
HWY_INLINE Mask either(Mask a, Mask b) {
  return hn::Or(a, b);
}
template <class V>
HWY_INLINE V fabs(V x) {
  return hn::Abs(x);
}
template <class V>
HWY_INLINE V fmax(V a, V b) {
  return hn::Max(a, b);
}
template <class V>
HWY_INLINE V sqrt(V x) {
  return hn::Sqrt(x);
}
// Returns y where x is a number, and x where it is NaN.
template <class V>
HWY_INLINE V keep_nan(V x, V y) {
  return hn::IfThenElse(hn::Eq(x, x), y, x);
}

// See math::clamp.
template <class V>
HWY_INLINE V clamp(V x, V low, V high) {
  return hn::IfThenElse(hn::Lt(x, low), low, hn::IfThenElse(hn::Gt(x, high), high, x));
}

// e^x. Highway's Exp is valid only up to `high`, and treats NaN like a very negative number.
template <class V>
HWY_INLINE V exp(V x) {
  const V high = constant<V>(sizeof(Lane<V>) == 4 ? 88.7228394 : 709.782712893384);
  const V infinity = constant<V>(std::numeric_limits<double>::infinity());
  const V y = hn::Exp(Tag<V>(), hn::IfThenElse(hn::Gt(x, high), high, x));
  return keep_nan(x, hn::IfThenElse(hn::Gt(x, high), infinity, y));
}

// e^x for x <= 88 (float) or 708 (double). For float, subnormal results are replaced with 0, and the method
// is that of expf in the Cephes library, with the power of two made from the bits of the rounded quotient.
template <class V>
HWY_INLINE V exp_of_moderate(V x) {
  const Tag<V> d;
  if constexpr (sizeof(Lane<V>) == 8) {
    return keep_nan(x, hn::Exp(d, x));
  } else {
    const hn::RebindToSigned<Tag<V>> bits;
    const V magic = constant<V>(0x1.8p23);
    const V shifted = hn::MulAdd(x, constant<V>(1.44269504088896341), magic);
    const V n = hn::Sub(shifted, magic);
    const V r = hn::NegMulAdd(n, constant<V>(-2.12194440e-4), hn::NegMulAdd(n, constant<V>(0.693359375), x));
    // Estrin's scheme has shorter dependency chains than Horner's, and these chains limit the speed of the
    // callers.
    const V squared = hn::Mul(r, r), one = constant<V>(1);
    const V low = hn::MulAdd(r, constant<V>(1.6666665459e-1), constant<V>(5.0000001201e-1));
    const V middle = hn::MulAdd(r, constant<V>(8.3334519073e-3), constant<V>(4.1665795894e-2));
    const V high = hn::MulAdd(r, constant<V>(1.9875691500e-4), constant<V>(1.3981999507e-3));
    const V tail = hn::MulAdd(squared, hn::MulAdd(squared, high, middle), low);
    const V p = hn::MulAdd(tail, squared, hn::Add(r, one));
    const V power =
        hn::BitCast(d, hn::Add(hn::ShiftLeft<23>(hn::BitCast(bits, shifted)), hn::BitCast(bits, one)));
    return hn::IfThenZeroElse(hn::Lt(x, constant<V>(-87.336544)), hn::Mul(p, power));
  }
}

// log(1 + x) for x in [0, 1]. For float, the economised series of 2 artanh(x / (2 + x)).
template <class V>
HWY_INLINE V log1p_of_unit(V x) {
  if constexpr (sizeof(Lane<V>) == 8) {
    return keep_nan(x, hn::Log1p(Tag<V>(), x));
  } else {
    const V s = hn::Div(x, hn::Add(x, constant<V>(2)));
    const V z = hn::Mul(s, s);
    const V high = hn::MulAdd(z, constant<V>(0.1342574901129868), constant<V>(0.14118309902672815));
    const V low = hn::MulAdd(z, constant<V>(0.2000378032245502), constant<V>(0.33333320168349617));
    const V p = hn::MulAdd(hn::Mul(z, z), high, low);
    const V twice = hn::Add(s, s);
    return hn::MulAdd(hn::Mul(p, z), twice, twice);
  }
}

// log x for finite x > 0.
template <class V>
HWY_INLINE V log_of_positive(V x) {
  return keep_nan(x, hn::Log(Tag<V>(), x));
}
// log(1 + x) for x > -1.
template <class V>
HWY_INLINE V log1p(V x) {
  return keep_nan(x, hn::Log1p(Tag<V>(), x));
}
// log x: -inf at 0, NaN below.
template <class V>
HWY_INLINE V log(V x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const V zero = constant<V>(0), top = constant<V>(infinity);
  V y = hn::Log(Tag<V>(), x);
  y = hn::IfThenElse(hn::Eq(x, top), x, y);
  y = hn::IfThenElse(hn::Eq(x, zero), constant<V>(-infinity), y);
  y = hn::IfThenElse(hn::Lt(x, zero), constant<V>(std::numeric_limits<double>::quiet_NaN()), y);
  return keep_nan(x, y);
}

template <class V>
HWY_INLINE V tanh(V x) {
  return keep_nan(x, hn::Tanh(Tag<V>(), x));
}
// e^x - 1.
template <class V>
HWY_INLINE V expm1(V x) {
  return keep_nan(x, hn::Expm1(Tag<V>(), x));
}

#define GPUVAE_FORMULA HWY_INLINE
#include "gpuvae/device/shared_formulas.h"
#undef GPUVAE_FORMULA

// The parts of math::posterior_sigma as separate functions, because most callers need only some of them.
template <class V>
HWY_INLINE V posterior_sigma(PosteriorScale scale, V s) {
  if (scale == PosteriorScale::softplus) return hn::Add(softplus(s), constant<V>(math::kSoftplusSigmaFloor));
  return exp(scale == PosteriorScale::log_sigma ? s : hn::Mul(constant<V>(0.5), s));
}
template <class V>
HWY_INLINE V posterior_log_sigma(PosteriorScale scale, V s, V sigma) {
  if (scale == PosteriorScale::softplus) return log(sigma);
  return scale == PosteriorScale::log_sigma ? s : hn::Mul(constant<V>(0.5), s);
}
template <class V>
HWY_INLINE V posterior_sigma_slope(PosteriorScale scale, V s, V sigma) {
  if (scale == PosteriorScale::softplus) return sigmoid(s);
  return scale == PosteriorScale::log_sigma ? sigma : hn::Mul(constant<V>(0.5), sigma);
}
template <class V>
HWY_INLINE V posterior_log_sigma_slope(PosteriorScale scale, V sigma, V slope) {
  if (scale == PosteriorScale::softplus) return hn::Div(slope, sigma);
  return constant<V>(scale == PosteriorScale::log_sigma ? 1 : 0.5);
}
// See math::factor_for.
template <class V>
HWY_INLINE V factor_for(V x, V y) {
  const auto none = hn::Eq(x, constant<V>(0)),
             infinite = hn::Eq(y, constant<V>(std::numeric_limits<double>::infinity()));
  return hn::IfThenZeroElse(hn::And(none, infinite), y);
}
// See math::kl_standard_normal and math::kl_slope_in_s.
template <class V>
HWY_INLINE V kl_standard_normal(V mean, V sigma, V log_sigma) {
  const V half = constant<V>(0.5);
  const V squares = hn::MulAdd(hn::Mul(half, sigma), sigma, hn::MulSub(hn::Mul(half, mean), mean, half));
  return hn::Sub(squares, log_sigma);
}
template <class V>
HWY_INLINE V kl_slope_in_s(V sigma, V slope, V log_sigma_slope) {
  return hn::MulSub(sigma, slope, log_sigma_slope);
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
