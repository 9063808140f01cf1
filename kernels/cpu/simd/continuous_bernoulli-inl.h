// The functions of gpuvae/device/continuous_bernoulli.h for vectors of float and double. This file is
// included once per instruction set, like Highway's headers.
#if defined(GPUVAE_KERNELS_CPU_CONTINUOUS_BERNOULLI_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_CONTINUOUS_BERNOULLI_INL_H
#undef GPUVAE_KERNELS_CPU_CONTINUOUS_BERNOULLI_INL_H
#else
#define GPUVAE_KERNELS_CPU_CONTINUOUS_BERNOULLI_INL_H
#endif

#include "gpuvae/device/continuous_bernoulli.h"
#include "kernels/cpu/simd/simd_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// Vector version of math::polynomial.
template <class V>
HWY_INLINE V polynomial(V, double c) {
  return constant<V>(c);
}
template <class V, class... Rest>
HWY_INLINE V polynomial(V z, double c, Rest... rest) {
  return hn::MulAdd(z, polynomial(z, rest...), constant<V>(c));
}

// Evaluates a power series of math::continuous_bernoulli. For float, five terms suffice.
template <class V, class... Rest>
HWY_INLINE V series(V z, double c1, double c2, double c3, double c4, double c5, Rest... rest) {
  if constexpr (sizeof(Lane<V>) == 4) return polynomial(z, c1, c2, c3, c4, c5);
  return polynomial(z, c1, c2, c3, c4, c5, rest...);
}

// Vector version of math::continuous_bernoulli. Each quantity is a function, so that a caller pays only for
// those it uses.
template <class V>
class ContinuousBernoulli {
 public:
  HWY_INLINE explicit ContinuousBernoulli(V logit)
      : logit_(logit),
        z_(hn::Mul(logit, logit)),
        magnitude_(hn::Abs(logit)),
        e_(exp_of_moderate(hn::Neg(magnitude_))),
        inverse_(hn::Div(constant<V>(1), magnitude_)) {}

  HWY_INLINE V log_normalizer() const {
    const V direct = hn::Add(hn::IfThenElseZero(hn::Gt(logit_, constant<V>(0)), logit_),
                             hn::Log(Tag<V>(), hn::Mul(hn::Sub(constant<V>(1), e_), inverse_)));
    const V near_zero =
        series(z_, 1. / 24, -1. / 2880, 1. / 181440, -1. / 9676800, 1. / 479001600, -691. / 15692092416000,
               1. / 1046139494400, -3617. / 170729965486080000., 43867. / 91963695909076992000.);
    return choose(hn::MulAdd(z_, near_zero, hn::Mul(constant<V>(0.5), logit_)), direct);
  }
  HWY_INLINE V mean() const {
    const V q = hn::Div(constant<V>(1), hn::Sub(constant<V>(1), e_));
    const V direct =
        hn::IfThenElse(hn::Gt(logit_, constant<V>(0)), hn::Sub(q, inverse_), hn::NegMulAdd(e_, q, inverse_));
    const V near_zero =
        series(z_, 1. / 12, -1. / 720, 1. / 30240, -1. / 1209600, 1. / 47900160, -691. / 1307674368000,
               1. / 74724249600, -3617. / 10670622842880000., 43867. / 5109094217170944000.);
    return choose(hn::MulAdd(logit_, near_zero, constant<V>(0.5)), direct);
  }
  HWY_INLINE V variance() const {
    const V q = hn::Div(constant<V>(1), hn::Sub(constant<V>(1), e_));
    const V direct = hn::NegMulAdd(hn::Mul(e_, q), q, hn::Mul(inverse_, inverse_));
    return choose(series(z_, 1. / 12, -1. / 240, 1. / 6048, -1. / 172800, 1. / 5322240, -691. / 118879488000,
                         1. / 5748019200, -3617. / 711374856192000., 43867. / 300534953951232000.),
                  direct);
  }

 private:
  HWY_INLINE V choose(V near_zero, V direct) const {
    const auto small = hn::Lt(magnitude_, constant<V>(math::kContinuousBernoulliSeries));
    return keep_nan(logit_, hn::IfThenElse(small, near_zero, direct));
  }
  V logit_, z_, magnitude_, e_, inverse_;
};

// The part of math::ContinuousBernoulli that likelihoods use.
template <class V>
struct ContinuousBernoulliValues {
  V log_normalizer, mean;
};
template <class V>
HWY_INLINE ContinuousBernoulliValues<V> continuous_bernoulli(V logit) {
  const ContinuousBernoulli<V> at(logit);
  return {at.log_normalizer(), at.mean()};
}

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
