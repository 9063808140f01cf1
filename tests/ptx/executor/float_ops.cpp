// Implements IEEE floating-point arithmetic. The host's operations give the same results except for the bits
// of a NaN: hardware returns 0x7fffffff, but the host keeps an operand's bits.
#include <cmath>
#include <limits>

#include "float_ops.h"

namespace ptx {
namespace {

template <bool kSat, class T>
inline T saturated(T x) {  // a NaN becomes 0
  if constexpr (kSat)
    return x >= T(1) ? T(1) : x > T(0) ? x : T(0);
  else
    return x;
}

// min and max return the other operand if one is a NaN, and treat -0 as less than +0.
template <class T>
inline T minimum(T a, T b) {
  return a != a ? b : b != b ? a : a < b || (a == b && std::signbit(a)) ? a : b;
}
template <class T>
inline T maximum(T a, T b) {
  return a != a ? b : b != b ? a : a > b || (a == b && std::signbit(b)) ? a : b;
}

template <class T, bool kFtz, bool kSat, class F>
void binary(Warp& w, const Instruction& i, F f) {
  map2<T, T, T>(
      w, i, [=](T a, T b) { return saturated<kSat>(flushed<kFtz>(f(flushed<kFtz>(a), flushed<kFtz>(b)))); });
}
template <class T, bool kFtz, class F>
void unary(Warp& w, const Instruction& i, F f) {
  map1<T, T>(w, i, [=](T a) { return flushed<kFtz>(f(flushed<kFtz>(a))); });
}

template <class T, bool kFtz, bool kSat>
void add(Warp& w, const Instruction& i) {
  binary<T, kFtz, kSat>(w, i, [](T a, T b) { return a + b; });
}
template <class T, bool kFtz, bool kSat>
void sub(Warp& w, const Instruction& i) {
  binary<T, kFtz, kSat>(w, i, [](T a, T b) { return a - b; });
}
template <class T, bool kFtz, bool kSat>
void mul(Warp& w, const Instruction& i) {
  binary<T, kFtz, kSat>(w, i, [](T a, T b) { return a * b; });
}
template <class T, bool kFtz, bool kSat>
void fma(Warp& w, const Instruction& i) {
  map3<T, T, T>(w, i, [](T a, T b, T c) {
    return saturated<kSat>(flushed<kFtz>(std::fma(flushed<kFtz>(a), flushed<kFtz>(b), flushed<kFtz>(c))));
  });
}
template <class T, bool kFtz>
void div(Warp& w, const Instruction& i) {
  binary<T, kFtz, false>(w, i, [](T a, T b) { return a / b; });
}
template <class T, bool kFtz>
void min(Warp& w, const Instruction& i) {
  binary<T, kFtz, false>(w, i, [](T a, T b) { return minimum(a, b); });
}
template <class T, bool kFtz>
void max(Warp& w, const Instruction& i) {
  binary<T, kFtz, false>(w, i, [](T a, T b) { return maximum(a, b); });
}
template <class T, bool kFtz>
void neg(Warp& w, const Instruction& i) {
  unary<T, kFtz>(w, i, [](T a) { return -a; });
}
template <class T, bool kFtz>
void abs(Warp& w, const Instruction& i) {
  unary<T, kFtz>(w, i, [](T a) { return std::fabs(a); });
}
template <class T, bool kFtz>
void sqrt(Warp& w, const Instruction& i) {
  unary<T, kFtz>(w, i, [](T a) { return std::sqrt(a); });
}
template <class T, bool kFtz>
void rcp(Warp& w, const Instruction& i) {
  unary<T, kFtz>(w, i, [](T a) { return T(1) / a; });
}
template <class T>
void copysign(Warp& w, const Instruction& i) {  // magnitude of b, sign of a
  map2<T, T, T>(w, i, [](T a, T b) { return std::copysign(b, a); });
}

template <class T, bool kFtz, bool kSat>
Handler sum_or_product(std::string_view base) {
  if (base == "add") return add<T, kFtz, kSat>;
  if (base == "sub") return sub<T, kFtz, kSat>;
  if (base == "mul") return mul<T, kFtz, kSat>;
  if (base == "fma") return fma<T, kFtz, kSat>;
  return nullptr;
}
template <class T, bool kFtz>
Handler other(std::string_view base) {
  if (base == "div") return div<T, kFtz>;
  if (base == "min") return min<T, kFtz>;
  if (base == "max") return max<T, kFtz>;
  if (base == "neg") return neg<T, kFtz>;
  if (base == "abs") return abs<T, kFtz>;
  if (base == "sqrt") return sqrt<T, kFtz>;
  if (base == "rcp") return rcp<T, kFtz>;
  if (base == "copysign") return copysign<T>;
  return nullptr;
}

template <bool kFtz>
Handler f32_handler(const Opcode& op) {
  const Handler found = op.has("sat") ? sum_or_product<float, kFtz, true>(op.base)
                                      : sum_or_product<float, kFtz, false>(op.base);
  return found ? found : other<float, kFtz>(op.base);
}

}  // namespace

Handler float_handler(const Opcode& op) {
  if (op.has("approx") || op.has("full")) return nullptr;
  if (op.has("rm") || op.has("rz") || op.has("rp")) return directed_handler(op);
  if (op.type() == "f32") return op.has("ftz") ? f32_handler<true>(op) : f32_handler<false>(op);
  if (op.type() != "f64") return nullptr;
  const Handler found = sum_or_product<double, false, false>(op.base);
  return found ? found : other<double, false>(op.base);
}

}  // namespace ptx
