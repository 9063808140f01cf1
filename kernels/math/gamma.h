// log Gamma(x) and its first two derivatives for x > 0. All three are infinite at 0 and NaN below 0. Relative
// errors stay small even near the roots of log Gamma and digamma.
//
// Up to kStirling, the argument is reduced to 2 + z with |z| <= 1/2 by Gamma(x + 1) = x Gamma(x), and log
// Gamma(2 + z) is computed by series 6.1.33 of Abramowitz and Stegun (Handbook of Mathematical Functions,
// 1964):
//   log Gamma(2 + z) = (1 - gamma) z + the sum over n >= 2 of (-1)^n (zeta(n) - 1) z^n / n.
// For larger arguments, Stirling's series (ibid. 6.1.41) is used. The derivatives are those of the series.
//
// The file has two parts: the series with the formulas for scalars and, with GPUVAE_VECTOR_FORMULA defined
// and inside the namespace of an instruction set (kernels/cpu/simd/functions-inl.h), the formulas for
// vectors. Scalar code takes one branch, whereas vector code computes all branches and selects.
#ifndef GPUVAE_KERNELS_MATH_GAMMA_H
#define GPUVAE_KERNELS_MATH_GAMMA_H

#include "gpuvae/device/scalar.h"

namespace gpuvae::math {

// Returns the coefficients of the derivative of the polynomial c[0] z^low + c[1] z^(low + 1) + ...
template <int low, int N>
constexpr auto differentiated(const Coefficients<N>& p) {
  constexpr int kDropped = low == 0 ? 1 : 0;
  Coefficients<N - kDropped> d{};
  for (int i = kDropped; i < N; ++i) d.c[i - kDropped] = (low + i) * p.c[i];
  return d;
}

// The coefficients of log Gamma(2 + z) / z.
inline constexpr Coefficients<30> kLogGammaSeries = {
    {0.422784335098467139,     0.322467033424113218,     -0.0673523010531980951,    0.0205808084277845479,
     -0.00738555102867398527,  0.00289051033074152329,   -0.00119275391170326098,   0.000509669524743042422,
     -0.00022315475845357938,  0.0000994575127818085337, -0.0000449262367381331417, 0.0000205072127756706916,
     -9.4394882752683959e-6,   4.3748667899074878e-6,    -2.03921575380136624e-6,   9.55141213040741983e-7,
     -4.49246919876456604e-7,  2.12071848055546659e-7,   -1.00432248239680996e-7,   4.76981016936398057e-8,
     -2.27110946089431649e-8,  1.08386592148969541e-8,   -5.18347504197004666e-9,   2.48367454380247832e-9,
     -1.19214014058609121e-9,  5.73136724167886201e-10,  -2.75952288512423315e-10,  1.33047643742444895e-10,
     -6.42296456383810002e-11, 3.10442477473222728e-11}};
inline constexpr auto kDigammaSeries = differentiated<1>(kLogGammaSeries);
inline constexpr auto kTrigammaSeries = differentiated<0>(kDigammaSeries);

// The coefficients B(2k) / (2k (2k - 1)) of Stirling's series, which is 1 / x times a power series in 1 /
// x^2. The coefficients of its derivatives follow without the minus sign of each differentiation, which the
// formulas below apply.
inline constexpr Coefficients<11> kStirlingSeries = {{1. / 12, -1. / 360, 1. / 1260, -1. / 1680, 1. / 1188,
                                                      -691. / 360360, 1. / 156, -3617. / 122400,
                                                      43867. / 244188, -174611. / 125400, 77683. / 5796}};
constexpr auto stirling_derivative(const Coefficients<11>& series, int first) {
  Coefficients<11> d{};
  for (int k = 0; k < 11; ++k) d.c[k] = (2 * k + first) * series.c[k];
  return d;
}
inline constexpr auto kDigammaStirling = stirling_derivative(kStirlingSeries, 1);
inline constexpr auto kTrigammaStirling = stirling_derivative(kDigammaStirling, 2);

// The Taylor series of digamma(r + d) / d around the root r of digamma, for |d| < kDigammaWindow. The root is
// stored as the sum of two numbers, so that d is accurate to its last digit.
inline constexpr double kDigammaWindow = 0.125;
inline constexpr double kDigammaRootFloat = 1.4616321325302124,
                        kDigammaRootFloatRest = 1.24381499389189095e-8;
inline constexpr double kDigammaRoot = 1.4616321449683622, kDigammaRootRest = 9.54999542996569772e-17;
inline constexpr Coefficients<17> kDigammaRootSeries = {
    {0.96767224544762117, -0.442763168983592106, 0.258499760955651011, -0.163942705442406528,
     0.107824050691262366, -0.0721995612564547109, 0.0488042881641431072, -0.0331611264748473593,
     0.0225976482322181047, -0.0154247659049489591, 0.0105387916166121754, -0.00720453438635686824,
     0.00492678139572985345, -0.00336980165543932808, 0.00230512632673492784, -0.00157693677143019726,
     0.00107882520191629658}};

inline constexpr double kStirling = 7.5;  // Stirling's series is used from this x on
inline constexpr double kStirlingConstant = 0.41893853320467274178;  // (log(2 pi) - 1) / 2

// The number of terms of each series that a float or a double needs.
template <class T>
inline constexpr int kGammaTerms = sizeof(T) == 4 ? 16 : 29;
template <class T>
inline constexpr int kStirlingTerms = sizeof(T) == 4 ? 4 : 11;
template <class T>
inline constexpr int kDigammaRootTerms = sizeof(T) == 4 ? 7 : 17;

// The reduction of x to 2 + z: log Gamma(x) = log Gamma(2 + z) + sign * log(product). `inverses` and
// `squared_inverses` are the sums of 1 / factor and 1 / factor^2 over the factors of the product, for the
// derivatives.
template <class T>
struct ReducedGamma {
  T z, product, inverses, squared_inverses, sign;
};
template <class T>
GPUVAE_HD ReducedGamma<T> reduce_gamma(T x) {
  const T inverse = T(1) / x, next = T(1) / (T(1) + x);
  if (x < T(0.5)) return {x, x * (T(1) + x), inverse + next, inverse * inverse + next * next, T(-1)};
  if (x < T(1.5)) return {x - T(1), x, inverse, inverse * inverse, T(-1)};
  ReducedGamma<T> r{x - T(2), T(1), T(0), T(0), T(1)};
  while (r.z > T(0.5)) {
    const T factor = r.z + T(1), q = T(1) / factor;
    r.product *= factor;
    r.inverses += q;
    r.squared_inverses += q * q;
    r.z -= T(1);
  }
  return r;
}

template <class T>
GPUVAE_HD T lgamma(T x) {
  if (x < T(0)) return log(x);  // NaN
  if (x >= T(kStirling)) {
    const T y = T(1) / x;
    return (x - T(0.5)) * (log(x) - T(1)) +
           (T(kStirlingConstant) + y * power_series<kStirlingSeries, kStirlingTerms<T>>(y * y));
  }
  const ReducedGamma<T> r = reduce_gamma(x);
  return r.z * power_series<kLogGammaSeries, kGammaTerms<T>>(r.z) + r.sign * log(r.product);
}

template <class T>
GPUVAE_HD T digamma(T x) {
  if (x < T(0)) return log(x);  // NaN
  if (x >= T(kStirling)) {
    const T y = T(1) / x;
    return log(x) - y * (T(0.5) + y * power_series<kDigammaStirling, kStirlingTerms<T>>(y * y));
  }
  constexpr bool kFloat = sizeof(T) == 4;
  const T d = (x - T(kFloat ? kDigammaRootFloat : kDigammaRoot)) -
              T(kFloat ? kDigammaRootFloatRest : kDigammaRootRest);
  if (fabs(d) < T(kDigammaWindow)) return d * power_series<kDigammaRootSeries, kDigammaRootTerms<T>>(d);
  const ReducedGamma<T> r = reduce_gamma(x);
  return power_series<kDigammaSeries, kGammaTerms<T>>(r.z) + r.sign * r.inverses;
}

// The derivative of digamma.
template <class T>
GPUVAE_HD T trigamma(T x) {
  if (x < T(0)) return log(x);  // NaN
  if (x >= T(kStirling)) {
    const T y = T(1) / x;
    return y * (T(1) + y * (T(0.5) + y * power_series<kTrigammaStirling, kStirlingTerms<T>>(y * y)));
  }
  const ReducedGamma<T> r = reduce_gamma(x);
  return power_series<kTrigammaSeries, kGammaTerms<T>>(r.z) - r.sign * r.squared_inverses;
}

}  // namespace gpuvae::math
#endif

#ifdef GPUVAE_VECTOR_FORMULA
// Vector versions of math::lgamma, digamma and trigamma. The compiler removes what the called function does
// not use.
template <class V>
class Gamma {
  using T = Lane<V>;
  static constexpr int kTerms = math::kGammaTerms<T>, kStirlingTerms = math::kStirlingTerms<T>;

 public:
  GPUVAE_VECTOR_FORMULA explicit Gamma(V x) : x_(x), inverse_(hn::Div(constant<V>(1), x)) { reduce(); }

  GPUVAE_VECTOR_FORMULA V lgamma() const {
    const V logarithm = log(hn::IfThenElse(large(), x_, product_));
    const V series = hn::Mul(z_, power_series<math::kLogGammaSeries, kTerms>(z_));
    const V tail =
        hn::MulAdd(inverse_, stirling<math::kStirlingSeries>(), constant<V>(math::kStirlingConstant));
    const V direct = hn::MulAdd(hn::Sub(x_, constant<V>(0.5)), hn::Sub(logarithm, constant<V>(1)), tail);
    return choose(hn::MulAdd(sign_, logarithm, series), direct);
  }
  GPUVAE_VECTOR_FORMULA V digamma() const {
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
  GPUVAE_VECTOR_FORMULA V trigamma() const {
    const V tail = hn::MulAdd(inverse_, stirling<math::kTrigammaStirling>(), constant<V>(0.5));
    const V direct = hn::Mul(inverse_, hn::MulAdd(inverse_, tail, constant<V>(1)));
    const V series = power_series<math::kTrigammaSeries, kTerms>(z_);
    return choose(hn::NegMulAdd(sign_, squared_inverses_, series), direct);
  }

 private:
  GPUVAE_VECTOR_FORMULA auto large() const { return hn::Ge(x_, constant<V>(math::kStirling)); }
  template <const auto& table>
  GPUVAE_VECTOR_FORMULA V stirling() const {
    return power_series<table, kStirlingTerms>(hn::Mul(inverse_, inverse_));
  }
  // Selects the result; it is NaN for x below 0.
  GPUVAE_VECTOR_FORMULA V choose(V reduced, V direct) const {
    const V not_a_number = constant<V>(std::numeric_limits<double>::quiet_NaN());
    const V y = hn::IfThenElse(large(), direct, reduced);
    return hn::IfThenElse(hn::Lt(x_, constant<V>(0)), not_a_number, y);
  }
  // See math::reduce_gamma. The loop has no branches; each step changes only the lanes whose z is above 1/2.
  GPUVAE_VECTOR_FORMULA void reduce() {
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
    for (int step = 0; step < 5; ++step) {  // sufficient for all numbers below kStirling
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

template <class V>
GPUVAE_VECTOR_FORMULA V lgamma(V x) {
  return Gamma<V>(x).lgamma();
}
template <class V>
GPUVAE_VECTOR_FORMULA V digamma(V x) {
  return Gamma<V>(x).digamma();
}
template <class V>
GPUVAE_VECTOR_FORMULA V trigamma(V x) {
  return Gamma<V>(x).trigamma();
}
#endif
