// kernels/math/gamma.h for vectors of float and double. Included once per instruction set, as Highway's
// headers are.
#if defined(GPUVAE_KERNELS_CPU_GAMMA_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef GPUVAE_KERNELS_CPU_GAMMA_INL_H
#undef GPUVAE_KERNELS_CPU_GAMMA_INL_H
#else
#define GPUVAE_KERNELS_CPU_GAMMA_INL_H
#endif

#include "kernels/cpu/simd_math-inl.h"
#include "kernels/math/gamma.h"

HWY_BEFORE_NAMESPACE();
namespace gpuvae::kernels::HWY_NAMESPACE {

// math::power_series
template <const auto& table, int terms, int i = 0, class V>
HWY_INLINE V power_series(V z) {
  if constexpr (i + 1 == terms) {
    return constant<V>(table.c[i]);
  } else {
    return hn::MulAdd(z, power_series<table, terms, i + 1>(z), constant<V>(table.c[i]));
  }
}

// math::lgamma, digamma and trigamma; what is not used costs nothing.
template <class V>
class Gamma {
  using T = Lane<V>;
  static constexpr int kTerms = math::kGammaTerms<T>, kStirlingTerms = math::kStirlingTerms<T>;

 public:
  HWY_INLINE explicit Gamma(V x) : x_(x), inverse_(hn::Div(constant<V>(1), x)) { reduce(); }

  HWY_INLINE V lgamma() const {
    const V logarithm = log(hn::IfThenElse(large(), x_, product_));
    const V series = hn::Mul(z_, power_series<math::kLogGammaSeries, kTerms>(z_));
    const V tail =
        hn::MulAdd(inverse_, stirling<math::kStirlingSeries>(), constant<V>(math::kStirlingConstant));
    const V direct = hn::MulAdd(hn::Sub(x_, constant<V>(0.5)), hn::Sub(logarithm, constant<V>(1)), tail);
    return choose(hn::MulAdd(sign_, logarithm, series), direct);
  }
  HWY_INLINE V digamma() const {
    const V tail = hn::MulAdd(inverse_, stirling<math::kDigammaStirling>(), constant<V>(0.5));
    const V direct = hn::NegMulAdd(inverse_, tail, log(x_));
    const V reduced = hn::MulAdd(sign_, inverses_, power_series<math::kDigammaSeries, kTerms>(z_));
    constexpr bool single = sizeof(T) == 4;
    const V d = hn::Sub(hn::Sub(x_, constant<V>(single ? math::kDigammaRootFloat : math::kDigammaRoot)),
                        constant<V>(single ? math::kDigammaRootFloatRest : math::kDigammaRootRest));
    const V near_root = hn::Mul(d, power_series<math::kDigammaRootSeries, math::kDigammaRootTerms<T>>(d));
    const auto is_near = hn::Lt(hn::Abs(d), constant<V>(math::kDigammaWindow));
    return choose(hn::IfThenElse(is_near, near_root, reduced), direct);
  }
  HWY_INLINE V trigamma() const {
    const V tail = hn::MulAdd(inverse_, stirling<math::kTrigammaStirling>(), constant<V>(0.5));
    const V direct = hn::Mul(inverse_, hn::MulAdd(inverse_, tail, constant<V>(1)));
    const V series = power_series<math::kTrigammaSeries, kTerms>(z_);
    return choose(hn::NegMulAdd(sign_, squared_inverses_, series), direct);
  }

 private:
  HWY_INLINE auto large() const { return hn::Ge(x_, constant<V>(math::kStirling)); }
  template <const auto& table>
  HWY_INLINE V stirling() const {
    return power_series<table, kStirlingTerms>(hn::Mul(inverse_, inverse_));
  }
  // NaN below 0.
  HWY_INLINE V choose(V reduced, V direct) const {
    const V not_a_number = constant<V>(std::numeric_limits<double>::quiet_NaN());
    const V y = hn::IfThenElse(large(), direct, reduced);
    return hn::IfThenElse(hn::Lt(x_, constant<V>(0)), not_a_number, y);
  }
  // math::reduce_gamma, without branches: the loop's steps count where z is still above 1/2.
  HWY_INLINE void reduce() {
    const V one = constant<V>(1), zero = constant<V>(0), half = constant<V>(0.5);
    const auto below_half = hn::Lt(x_, half), below = hn::Lt(x_, constant<V>(1.5));
    const V next = hn::Div(one, hn::Add(one, x_));
    sign_ = hn::IfThenElse(below, constant<V>(-1), one);
    z_ = hn::IfThenElse(below_half, x_, hn::Sub(x_, hn::IfThenElse(below, one, constant<V>(2))));
    product_ = hn::IfThenElse(below, x_, one);
    product_ = hn::IfThenElse(below_half, hn::Mul(x_, hn::Add(one, x_)), product_);
    const V extra = hn::IfThenElse(below_half, next, zero);
    inverses_ = hn::Add(hn::IfThenElse(below, inverse_, zero), extra);
    squared_inverses_ = hn::MulAdd(extra, extra, hn::IfThenElse(below, hn::Mul(inverse_, inverse_), zero));
    for (int step = 0; step < 5; ++step) {  // as many as numbers below kStirling need
      const auto above = hn::Gt(z_, half);
      const V factor = hn::Add(z_, one), q = hn::IfThenElse(above, hn::Div(one, factor), zero);
      product_ = hn::Mul(product_, hn::IfThenElse(above, factor, one));
      inverses_ = hn::Add(inverses_, q);
      squared_inverses_ = hn::MulAdd(q, q, squared_inverses_);
      z_ = hn::Sub(z_, hn::IfThenElse(above, one, zero));
    }
  }

  V x_, inverse_, z_, product_, inverses_, squared_inverses_, sign_;
};

}  // namespace gpuvae::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
