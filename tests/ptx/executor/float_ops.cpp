// Floating point. IEEE operations are those of the host, which are exact in the same sense; directed rounding
// is derived from the error of a sum in double. Approximations (ex2, lg2, rcp.approx, sqrt.approx, sin, cos,
// tanh) are computed in double and rounded once: within, and better than, what PTX promises.
#include <bit>
#include <cmath>
#include <limits>

#include "machine.h"

namespace ptx {
namespace {

using std::uint32_t;

inline float flushed(float x) {
  return std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
}
inline double flushed(double x) { return x; }
template <bool Ftz, class T>
inline T ftz(T x) {
  if constexpr (Ftz)
    return flushed(x);
  else
    return x;
}
template <bool Sat, class T>
inline T sat(T x) {
  if constexpr (Sat)
    return x >= T(1) ? T(1) : x > T(0) ? x : T(0);
  else
    return x;
}

// product + c, where product is exact in double, rounded down (towards zero, up) to float.
enum class Direction { down, up, zero };
template <Direction kTo>
inline float directed(double product, double c) {
  const double s = product + c, t = s - product, error = (product - (s - t)) + (c - t);
  float r = static_cast<float>(s);
  if (!std::isfinite(s)) return r;
  const bool up = kTo == Direction::up || (kTo == Direction::zero && s < 0);  // towards zero from below is up
  const double over = static_cast<double>(r) - s;
  if (up ? over < 0 || (over == 0 && error > 0) : over > 0 || (over == 0 && error < 0))
    r = std::nextafter(r, up ? INFINITY : -INFINITY);
  return r;
}

template <class T>
inline T minimum(T a, T b) {
  return a != a ? b : b != b ? a : a < b || (a == b && std::signbit(a)) ? a : b;
}
template <class T>
inline T maximum(T a, T b) {
  return a != a ? b : b != b ? a : a > b || (a == b && std::signbit(b)) ? a : b;
}

template <class T, bool Ftz, bool Sat, class F>
void binary(Warp& w, const Instruction& i, F f) {
  map2<T, T, T>(w, i, [=](T a, T b) { return sat<Sat>(ftz<Ftz>(f(ftz<Ftz>(a), ftz<Ftz>(b)))); });
}
template <class T, bool Z, bool S>
void add(Warp& w, const Instruction& i) {
  binary<T, Z, S>(w, i, [](T a, T b) { return a + b; });
}
template <class T, bool Z, bool S>
void sub(Warp& w, const Instruction& i) {
  binary<T, Z, S>(w, i, [](T a, T b) { return a - b; });
}
template <class T, bool Z, bool S>
void mul(Warp& w, const Instruction& i) {
  binary<T, Z, S>(w, i, [](T a, T b) { return a * b; });
}
template <class T, bool Z, bool S>
void div(Warp& w, const Instruction& i) {
  binary<T, Z, S>(w, i, [](T a, T b) { return a / b; });
}
template <class T, bool Z, bool S>
void min(Warp& w, const Instruction& i) {
  binary<T, Z, S>(w, i, [](T a, T b) { return minimum(a, b); });
}
template <class T, bool Z, bool S>
void max(Warp& w, const Instruction& i) {
  binary<T, Z, S>(w, i, [](T a, T b) { return maximum(a, b); });
}
template <class T, bool Z, bool S>
void fma(Warp& w, const Instruction& i) {
  map3<T, T, T>(w, i,
                [](T a, T b, T c) { return sat<S>(ftz<Z>(std::fma(ftz<Z>(a), ftz<Z>(b), ftz<Z>(c)))); });
}
template <class T, bool Z, bool S>
void neg(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return ftz<Z>(-a); });
}
template <class T, bool Z, bool S>
void abs(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return ftz<Z>(std::fabs(a)); });
}
template <class T, bool Z, bool S>
void sqrt(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return ftz<Z>(std::sqrt(ftz<Z>(a))); });
}
template <class T, bool Z, bool S>
void rcp(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T a) { return ftz<Z>(T(1) / ftz<Z>(a)); });
}
template <class T, bool Z, bool S>
void rsqrt(Warp& w, const Instruction& i) {
  map1<T, T>(w, i,
             [](T a) { return ftz<Z>(static_cast<T>(1.0 / std::sqrt(static_cast<double>(ftz<Z>(a))))); });
}
// Magnitude of b, sign of a.
template <class T, bool, bool>
void copysign(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return std::copysign(b, a); });
}

template <Direction D>
void add_directed(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i, [](float a, float b) { return directed<D>(a, b); });
}
template <Direction D>
void sub_directed(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i, [](float a, float b) { return directed<D>(a, -static_cast<double>(b)); });
}
template <Direction D>
void mul_directed(Warp& w, const Instruction& i) {
  map2<float, float, float>(w, i,
                            [](float a, float b) { return directed<D>(static_cast<double>(a) * b, 0); });
}
template <Direction D>
void fma_directed(Warp& w, const Instruction& i) {
  map3<float, float, float>(
      w, i, [](float a, float b, float c) { return directed<D>(static_cast<double>(a) * b, c); });
}

// 2^x in double, to an error far below a float's rounding: x = n + r, |r| <= 1/2, Taylor's series of e^(r ln
// 2).
inline double exp2_of(double x) {
  const double bounded = x < -200 ? -200 : x > 200 ? 200 : x;
  constexpr double kShift = 0x1.8p52;  // adding it rounds to an integer, in the lowest bits
  const double shifted = bounded + kShift, r = (bounded - (shifted - kShift)) * 0.69314718055994530942;
  double sum = 1.0 / 39916800;
  for (const double c : {1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24,
                         1.0 / 6, 0.5, 1.0, 1.0})
    sum = sum * r + c;
  const std::uint64_t exponent =
      (std::bit_cast<std::uint64_t>(shifted) - std::bit_cast<std::uint64_t>(kShift) + 1023) << 52;
  const double result = sum * std::bit_cast<double>(exponent);
  return x != x ? x : result;
}
template <bool Z>
void ex2(Warp& w, const Instruction& i) {
  map1<float, float>(w, i, [](float a) { return ftz<Z>(static_cast<float>(exp2_of(ftz<Z>(a)))); });
}
template <bool Z>
void lg2(Warp& w, const Instruction& i) {
  map1<float, float>(w, i,
                     [](float a) { return static_cast<float>(std::log2(static_cast<double>(ftz<Z>(a)))); });
}
void sin(Warp& w, const Instruction& i) {
  map1<float, float>(w, i, [](float a) { return static_cast<float>(std::sin(static_cast<double>(a))); });
}
void cos(Warp& w, const Instruction& i) {
  map1<float, float>(w, i, [](float a) { return static_cast<float>(std::cos(static_cast<double>(a))); });
}
void tanh(Warp& w, const Instruction& i) {
  map1<float, float>(w, i, [](float a) { return static_cast<float>(std::tanh(static_cast<double>(a))); });
}
// rcp.approx.ftz.f64 looks at the upper half of its operand, and returns one.
void rcp_half(Warp& w, const Instruction& i) {
  constexpr std::uint64_t kUpper = 0xffffffff00000000ull;
  map1<double, double>(w, i, [](double a) {
    const double x = std::bit_cast<double>(std::bit_cast<std::uint64_t>(a) & kUpper);
    const double r = std::fabs(x) < std::numeric_limits<double>::min() ? std::copysign(INFINITY, x) : 1.0 / x;
    return std::bit_cast<double>(
        std::bit_cast<std::uint64_t>(std::fabs(r) < std::numeric_limits<double>::min() ? std::copysign(0.0, r)
                                                                                       : r) &
        kUpper);
  });
}

template <class T, bool Z, bool S>
Handler by_name(std::string_view base) {
  if (base == "add") return add<T, Z, S>;
  if (base == "sub") return sub<T, Z, S>;
  if (base == "mul") return mul<T, Z, S>;
  if (base == "div") return div<T, Z, S>;
  if (base == "min") return min<T, Z, S>;
  if (base == "max") return max<T, Z, S>;
  if (base == "fma" || base == "mad") return fma<T, Z, S>;
  if (base == "neg") return neg<T, Z, S>;
  if (base == "abs") return abs<T, Z, S>;
  if (base == "sqrt") return sqrt<T, Z, S>;
  if (base == "rcp") return rcp<T, Z, S>;
  if (base == "rsqrt") return rsqrt<T, Z, S>;
  if (base == "copysign") return copysign<T, Z, S>;
  return nullptr;
}
template <Direction D>
Handler by_name_directed(std::string_view base) {
  if (base == "add") return add_directed<D>;
  if (base == "sub") return sub_directed<D>;
  if (base == "mul") return mul_directed<D>;
  if (base == "fma") return fma_directed<D>;
  return nullptr;
}

}  // namespace

Handler float_handler(const Opcode& op) {
  const bool ftz = op.has("ftz"), saturate = op.has("sat");
  if (op.type() == "f64") {
    if (op.has("rz") || op.has("rm") || op.has("rp")) return nullptr;
    if (op.base == "rcp" && op.has("approx")) return rcp_half;
    return by_name<double, false, false>(op.base);
  }
  if (op.type() != "f32") return nullptr;
  if (op.base == "ex2") return ftz ? ex2<true> : ex2<false>;
  if (op.base == "lg2") return ftz ? lg2<true> : lg2<false>;
  if (op.base == "sin") return sin;
  if (op.base == "cos") return cos;
  if (op.base == "tanh") return tanh;
  if (op.has("rm") || op.has("rz") || op.has("rp")) {
    if (ftz || saturate) return nullptr;
    return op.has("rm")   ? by_name_directed<Direction::down>(op.base)
           : op.has("rz") ? by_name_directed<Direction::zero>(op.base)
                          : by_name_directed<Direction::up>(op.base);
  }
  if (ftz) return saturate ? by_name<float, true, true>(op.base) : by_name<float, true, false>(op.base);
  return saturate ? by_name<float, false, true>(op.base) : by_name<float, false, false>(op.base);
}

}  // namespace ptx
