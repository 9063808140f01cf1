// Implements integer arithmetic.
#include <algorithm>
#include <type_traits>

#include "machine.h"

namespace ptx {
namespace {

using std::uint64_t;

template <class T>
using Unsigned = std::make_unsigned_t<T>;
template <class T>
constexpr unsigned kBits = 8 * sizeof(T);

template <class T>
struct Twice;
template <>
struct Twice<std::uint16_t> {
  using type = std::uint32_t;
};
template <>
struct Twice<std::int16_t> {
  using type = std::int32_t;
};
template <>
struct Twice<std::uint32_t> {
  using type = std::uint64_t;
};
template <>
struct Twice<std::int32_t> {
  using type = std::int64_t;
};
template <>
struct Twice<std::uint64_t> {
  using type = unsigned __int128;
};
template <>
struct Twice<std::int64_t> {
  using type = __int128;
};
template <class T>
using Wide = typename Twice<T>::type;

template <class T>
T high_product(T a, T b) {
  return static_cast<T>(static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b) >> kBits<T>);
}

// PTX leaves the result of a division by zero undefined. This function returns all ones, as GPUs do. Dividing
// the smallest number by -1 wraps around.
template <class T>
T quotient(T a, T b) {
  if (b == 0) return static_cast<T>(~T(0));
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return static_cast<T>(Unsigned<T>(0) - static_cast<Unsigned<T>>(a));
  return static_cast<T>(a / b);
}

template <class T>
T remainder(T a, T b) {
  if (b == 0) return a;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return 0;
  return static_cast<T>(a % b);
}

// Operations with the same result bits for signed and unsigned numbers exist only for unsigned types.
template <class U>
void add(Warp& w, const Instruction& i) {
  map2<U, U, U>(w, i, [](U a, U b) { return static_cast<U>(a + b); });
}
template <class U>
void sub(Warp& w, const Instruction& i) {
  map2<U, U, U>(w, i, [](U a, U b) { return static_cast<U>(a - b); });
}
template <class U>
void mul_lo(Warp& w, const Instruction& i) {
  map2<U, U, U>(w, i, [](U a, U b) { return static_cast<U>(uint64_t(a) * uint64_t(b)); });
}
template <class T>
void mul_hi(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return high_product(a, b); });
}
template <class T>
void mul_wide(Warp& w, const Instruction& i) {
  using W = Wide<T>;
  if constexpr (sizeof(T) < 8)
    map2<W, T, T>(w, i, [](T a, T b) { return static_cast<W>(static_cast<W>(a) * static_cast<W>(b)); });
}
template <class U>
void mad_lo(Warp& w, const Instruction& i) {
  map3<U, U, U>(w, i, [](U a, U b, U c) { return static_cast<U>(uint64_t(a) * uint64_t(b) + uint64_t(c)); });
}
template <class T>
void mad_hi(Warp& w, const Instruction& i) {
  map3<T, T, T>(w, i, [](T a, T b, T c) {
    return static_cast<T>(static_cast<Unsigned<T>>(high_product(a, b)) + static_cast<Unsigned<T>>(c));
  });
}
template <class T>
void mad_wide(Warp& w, const Instruction& i) {
  using W = Wide<T>;
  if constexpr (sizeof(T) < 8)
    map3<W, T, W>(w, i, [](T a, T b, W c) {
      using U = Unsigned<W>;
      return static_cast<W>(static_cast<U>(static_cast<W>(a) * static_cast<W>(b)) + static_cast<U>(c));
    });
}
template <class T>
void div(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return quotient(a, b); });
}
template <class T>
void rem(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return remainder(a, b); });
}
template <class T>
void min(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return a < b ? a : b; });
}
template <class T>
void max(Warp& w, const Instruction& i) {
  map2<T, T, T>(w, i, [](T a, T b) { return a > b ? a : b; });
}
template <class U>
void neg(Warp& w, const Instruction& i) {
  map1<U, U>(w, i, [](U a) { return static_cast<U>(U(0) - a); });
}
template <class S>
void abs(Warp& w, const Instruction& i) {
  using U = Unsigned<S>;
  map1<U, U>(w, i, [](U a) { return static_cast<S>(a) < 0 ? static_cast<U>(U(0) - a) : a; });
}

template <class S, class U>
Handler product(const Opcode& op, bool is_signed) {
  const bool mad = op.base == "mad";
  if (op.has("lo")) return mad ? mad_lo<U> : mul_lo<U>;
  if (op.has("hi") && is_signed) return mad ? mad_hi<S> : mul_hi<S>;
  if (op.has("hi")) return mad ? mad_hi<U> : mul_hi<U>;
  if (!op.has("wide")) return nullptr;
  if (is_signed) return mad ? mad_wide<S> : mul_wide<S>;
  return mad ? mad_wide<U> : mul_wide<U>;
}

template <class S, class U>
Handler by_name(const Opcode& op) {
  const std::string_view b = op.base;
  const bool is_signed = op.type()[0] == 's';
  if (b == "add") return add<U>;
  if (b == "sub") return sub<U>;
  if (b == "mul" || b == "mad") return product<S, U>(op, is_signed);
  if (b == "div") return is_signed ? div<S> : div<U>;
  if (b == "rem") return is_signed ? rem<S> : rem<U>;
  if (b == "min") return is_signed ? min<S> : min<U>;
  if (b == "max") return is_signed ? max<S> : max<U>;
  if (b == "neg") return neg<U>;
  if (b == "abs") return abs<S>;
  return nullptr;
}

}  // namespace

Handler integer_handler(const Opcode& op) {
  const std::string_view type = op.type();
  if (type == "s16" || type == "u16") return by_name<std::int16_t, std::uint16_t>(op);
  if (type == "s32" || type == "u32") return by_name<std::int32_t, std::uint32_t>(op);
  if (type == "s64" || type == "u64") return by_name<std::int64_t, std::uint64_t>(op);
  return nullptr;
}

}  // namespace ptx
