// Approximate f32 functions (.approx, div.full). Each is computed in double, with an error far below half an
// ulp of f32. The result is the nearest float, or the lowest or the highest float within the documented
// maximum error (Options::approximation).
//
// The bounds are those of the PTX ISA manual 9.1, sections 9.7.3.8 to 9.7.3.22. Inputs in its tables of
// special values give exact results in all modes.
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "float_ops.h"
#include "grid.h"

namespace ptx {
namespace {

// A value y and its largest permitted error.
struct Estimate {
  double value, error;
};

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kMinNormal = std::numeric_limits<float>::min();

// Returns the spacing of the floats near y: 2^-23 times the power of two at or below |y|, and at least the
// spacing of the subnormals.
inline double ulp(double y) {
  const double magnitude = std::fabs(y) < kMinNormal ? kMinNormal : std::fabs(y);
  const std::uint64_t exponent = std::bit_cast<std::uint64_t>(magnitude) & 0x7ff0000000000000ull;
  return std::bit_cast<double>(exponent) * 0x1p-23;
}

// Returns the float that is `steps` above x. Zero is not crossed; NaN and infinities do not change.
inline float next(float x, std::int32_t steps) {
  const std::int32_t bits = std::bit_cast<std::int32_t>(x);
  const float moved = std::bit_cast<float>(bits + (bits < 0 ? -steps : steps));
  return std::fabs(x) < kInfinity && x != 0 ? moved : x;
}

// Returns, as kMode selects, the nearest float, the lowest float that is at least value - error, or the
// highest float that is at most value + error. Zero, infinity and results without error are exact. A bound
// that overflows gives infinity.
template <Approximation kMode>
inline float rounded(Estimate e) {
  const float nearest = static_cast<float>(e.value);
  if constexpr (kMode == Approximation::nearest) return nearest;
  constexpr bool kLow = kMode == Approximation::low;
  const double edge = kLow ? e.value - e.error : e.value + e.error;
  const float at_edge = static_cast<float>(edge);
  const bool outside = kLow ? at_edge < edge : at_edge > edge;
  const float inside = outside ? next(at_edge, kLow ? 1 : -1) : at_edge;
  const bool exact = !(std::fabs(nearest) < kInfinity) || nearest == 0 || !(e.error > 0);
  return exact ? nearest : inside;
}

// The error of a tiny result is at most |y|, because an approximate result never has the wrong sign.
inline Estimate relative(double y, double error) { return {y, std::fabs(y) * error}; }
inline Estimate in_ulps(double y, double count) { return {y, std::fmin(count * ulp(y), std::fabs(y))}; }

// Returns 2^x with an error far below half an ulp of f32: x = n + r with |r| <= 1/2, and a Taylor series for
// e^(r ln 2).
inline double exp2_in_double(double x) {
  const double bounded = x < -200 ? -200 : x > 200 ? 200 : x;
  // Adding this constant rounds x to an integer, which the lowest bits of the sum then contain.
  constexpr double kShift = 0x1.8p52;
  const double shifted = bounded + kShift;
  const double r = (bounded - (shifted - kShift)) * 0.69314718055994530942;
  double sum = 1.0 / 39916800;
  for (const double c : {1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24,
                         1.0 / 6, 0.5, 1.0, 1.0})
    sum = sum * r + c;
  const std::uint64_t exponent =
      (std::bit_cast<std::uint64_t>(shifted) - std::bit_cast<std::uint64_t>(kShift) + 1023) << 52;
  const double result = sum * std::bit_cast<double>(exponent);
  return x != x ? x : result;
}

// ex2 is at most 2 ulp from the correctly rounded result, and exact at 0 and at infinities.
struct Ex2 {
  Estimate operator()(float a) const {
    const double y = exp2_in_double(a);
    const bool listed = a == 0 || !(std::fabs(a) < kInfinity);
    const auto rounded = static_cast<double>(static_cast<float>(y));
    return {listed ? y : rounded, listed ? 0 : std::fmin(2 * ulp(rounded), rounded)};
  }
};

// lg2 has an absolute error of at most 2^-22 in (0.5, 2), and a relative error of at most 2^-22 outside.
struct Lg2 {
  Estimate operator()(float a) const {
    const double y = std::log2(static_cast<double>(a));
    if (a > 0.5f && a < 2) return {y, 0x1p-22};
    return relative(y, 0x1p-22);
  }
};

// rcp has an error of at most 1 ulp.
struct Rcp {
  Estimate operator()(float a) const { return in_ulps(1 / static_cast<double>(a), 1); }
};

// sqrt has a relative error of at most 2^-23.
struct Sqrt {
  Estimate operator()(float a) const { return relative(std::sqrt(static_cast<double>(a)), 0x1p-23); }
};

// rsqrt has a relative error of at most 2^-22.9.
struct Rsqrt {
  Estimate operator()(float a) const {
    constexpr double kError = 1.2776535302833237e-07;
    return relative(1 / std::sqrt(static_cast<double>(a)), kError);
  }
};

// sin and cos have an absolute error of at most 2^-20.5 in [-2 pi, 2 pi] and of 2^-14.7 in [-100 pi, 100 pi].
// Outside there is no bound, and the error of the larger range is used here. sin(+-0) = +-0 and cos(0) = 1
// are exact.
inline double angle_error(float a) {
  constexpr double kInTwoPi = 6.743495761743046e-07;
  constexpr double kInHundredPi = 3.7571545817410776e-05;
  return a == 0 ? 0 : std::fabs(a) <= 6.2831853f ? kInTwoPi : kInHundredPi;
}
struct Sin {
  Estimate operator()(float a) const { return {std::sin(static_cast<double>(a)), angle_error(a)}; }
};
struct Cos {
  Estimate operator()(float a) const { return {std::cos(static_cast<double>(a)), angle_error(a)}; }
};

// tanh has a relative error of at most 2^-11. It is exact at infinities and returns subnormals unchanged.
struct Tanh {
  Estimate operator()(float a) const {
    const double y = std::tanh(static_cast<double>(a));
    const bool listed = std::fabs(a) < kMinNormal || std::fabs(a) == kInfinity;
    return listed ? Estimate{static_cast<double>(std::fabs(a) == kInfinity ? y : a), 0}
                  : relative(y, 0x1p-11);
  }
};

// div.approx has an error of at most 2 ulp for |b| in [2^-126, 2^126]. For larger |b| the reciprocal of b is
// flushed: the result is a zero with the quotient's sign, or NaN if a is infinite. For smaller |b| there is
// no bound, and 2 ulp are used here.
struct DivApprox {
  Estimate operator()(float a, float b) const {
    const double quotient = static_cast<double>(a) / b;
    const bool flushed = std::fabs(b) > 0x1p126f && std::fabs(b) < kInfinity;
    const double zero = std::copysign(0.0, quotient) * (std::fabs(a) < kInfinity ? 1 : a);
    return flushed ? Estimate{zero, 0} : in_ulps(quotient, 2);
  }
};

// div.full has an error of at most 2 ulp over the full range.
struct DivFull {
  Estimate operator()(float a, float b) const { return in_ulps(static_cast<double>(a) / b, 2); }
};

template <class F, bool kFtz, Approximation kMode>
void map_unary(Warp& w, const Instruction& i) {
  map1<float, float>(w, i, [](float a) { return flushed<kFtz>(rounded<kMode>(F()(flushed<kFtz>(a)))); });
}
template <class F, bool kFtz, Approximation kMode>
void map_binary(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i, [](float a, float b) {
    return flushed<kFtz>(rounded<kMode>(F()(flushed<kFtz>(a), flushed<kFtz>(b))));
  });
}

template <class F, bool kFtz>
void unary(Warp& w, const Instruction& i) {
  switch (w.block->grid->options.approximation) {
    case Approximation::nearest:
      return map_unary<F, kFtz, Approximation::nearest>(w, i);
    case Approximation::low:
      return map_unary<F, kFtz, Approximation::low>(w, i);
    case Approximation::high:
      return map_unary<F, kFtz, Approximation::high>(w, i);
  }
}
template <class F, bool kFtz>
void binary(Warp& w, const Instruction& i) {
  switch (w.block->grid->options.approximation) {
    case Approximation::nearest:
      return map_binary<F, kFtz, Approximation::nearest>(w, i);
    case Approximation::low:
      return map_binary<F, kFtz, Approximation::low>(w, i);
    case Approximation::high:
      return map_binary<F, kFtz, Approximation::high>(w, i);
  }
}

// rcp.approx.ftz.f64 reads only the upper 32 bits of its operand and returns only the upper 32 bits of its
// result. The manual calls it a gross approximation and gives no bound. Here, the low and the high result are
// one unit of the last kept bit below and above the nearest one.
double reciprocal_of_upper_half(double a, Approximation mode) {
  constexpr std::uint64_t kUpper = 0xffffffff00000000ull;
  constexpr double kNormal = std::numeric_limits<double>::min();
  const double x = std::bit_cast<double>(std::bit_cast<std::uint64_t>(a) & kUpper);
  const double y = std::fabs(x) < kNormal ? std::copysign(INFINITY, x) : 1.0 / x;
  if (std::fabs(y) < kNormal) return std::copysign(0.0, y);
  std::uint64_t bits = std::bit_cast<std::uint64_t>(y) & kUpper;
  const bool exact = !(std::fabs(y) < INFINITY) || mode == Approximation::nearest;
  const bool outwards = (mode == Approximation::high) != std::signbit(y);
  if (!exact) bits = outwards ? bits + (1ull << 32) : bits - (1ull << 32);
  return std::bit_cast<double>(bits);
}
void rcp_f64(Warp& w, const Instruction& i) {
  const Approximation mode = w.block->grid->options.approximation;
  map1<double, double>(w, i, [=](double a) { return reciprocal_of_upper_half(a, mode); });
}

template <bool kFtz>
Handler by_name(const Opcode& op) {
  if (op.base == "ex2") return unary<Ex2, kFtz>;
  if (op.base == "lg2") return unary<Lg2, kFtz>;
  if (op.base == "rcp") return unary<Rcp, kFtz>;
  if (op.base == "sqrt") return unary<Sqrt, kFtz>;
  if (op.base == "rsqrt") return unary<Rsqrt, kFtz>;
  if (op.base == "sin") return unary<Sin, kFtz>;
  if (op.base == "cos") return unary<Cos, kFtz>;
  if (op.base == "tanh") return unary<Tanh, kFtz>;
  if (op.base == "div") return op.has("full") ? binary<DivFull, kFtz> : binary<DivApprox, kFtz>;
  return nullptr;
}

}  // namespace

Handler approximate_handler(const Opcode& op) {
  if (!op.has("approx") && !op.has("full")) return nullptr;
  if (op.type() == "f64") return op.base == "rcp" ? rcp_f64 : nullptr;
  return op.has("ftz") ? by_name<true>(op) : by_name<false>(op);
}

}  // namespace ptx
