// Conversions, comparisons, and packing of registers.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "machine.h"

namespace ptx {
namespace {

enum class Round : std::uint8_t { nearest, zero, down, up };
struct Bf16 {
  std::uint16_t bits;
};
struct F16 {
  std::uint16_t bits;
};

template <class T>
constexpr bool kIsFloat = std::is_floating_point_v<T>;

// f64 to f32 in a direction.
inline float narrowed(double x, Round how) {
  const float r = static_cast<float>(x);
  if (how == Round::nearest || !std::isfinite(x)) return r;
  const bool up = how == Round::up || (how == Round::zero && x < 0);
  if (up ? r < x : r > x) return std::nextafter(r, up ? INFINITY : -INFINITY);
  return r;
}
template <class T>
inline T whole(T x, Round how) {
  switch (how) {
    case Round::zero:
      return std::trunc(x);
    case Round::down:
      return std::floor(x);
    case Round::up:
      return std::ceil(x);
    case Round::nearest:
      break;
  }
  return std::nearbyint(x);
}
// Out of range becomes the nearest number; NaN becomes 0 (as hardware does; PTX leaves 64 bits open).
template <class D, class S>
inline D to_integer(S x, Round how) {
  if (x != x) return 0;
  const S r = whole(x, how);
  constexpr D least = std::numeric_limits<D>::min(), most = std::numeric_limits<D>::max();
  if (r <= static_cast<S>(least)) return least;
  if (r >= static_cast<S>(most)) return most;
  return static_cast<D>(r);
}

template <class D, class S, Round R, bool Sat, bool Ftz>
inline D converted(S x) {
  if constexpr (kIsFloat<S> && Ftz && sizeof(S) == 4)
    x = std::fabs(x) < std::numeric_limits<float>::min() ? std::copysign(0.0f, x) : x;
  if constexpr (kIsFloat<D>) {
    D r;
    if constexpr (kIsFloat<S> && sizeof(D) < sizeof(S))
      r = narrowed(x, R);
    else if constexpr (!kIsFloat<S> &&
                       R != Round::nearest) {  // exact to double, but for 64 bits, where long double is
      const auto wide = static_cast<long double>(x);
      r = static_cast<D>(wide);
      if (R != Round::up && (R == Round::down || x > 0) && r > wide)
        r = std::nextafter(r, static_cast<D>(-INFINITY));
      if (R != Round::down && (R == Round::up || x < S(0)) && r < wide)
        r = std::nextafter(r, static_cast<D>(INFINITY));
    } else
      r = static_cast<D>(x);
    if constexpr (Sat) r = r >= D(1) ? D(1) : r > D(0) ? r : D(0);
    return r;
  } else if constexpr (kIsFloat<S>)
    return to_integer<D>(x, R);
  else if constexpr (Sat) {
    using W = __int128;
    return static_cast<D>(std::clamp<W>(x, std::numeric_limits<D>::min(), std::numeric_limits<D>::max()));
  } else
    return static_cast<D>(x);
}

// Registers may be wider than the types: i.from_bytes and i.to_bytes say how wide.
template <class D, class S, Round R, bool Sat, bool Ftz>
void cvt(Warp& w, const Instruction& i) {
  if (i.from_bytes == sizeof(S) && i.to_bytes == sizeof(D)) {
    if constexpr (sizeof(S) > 1 && sizeof(D) > 1)
      return map1<D, S>(w, i, [](S x) { return converted<D, S, R, Sat, Ftz>(x); });
  }
  for (Slot l = 0; l < kLanes; ++l) {
    if (!w.lane[l]) continue;
    S x;
    std::memcpy(&x, w.at<char>(i.operand[1]) + l * i.from_bytes, sizeof x);
    const D r = converted<D, S, R, Sat, Ftz>(x);
    std::uint64_t bits = 0;
    if constexpr (kIsFloat<D>)
      std::memcpy(&bits, &r, sizeof r);
    else
      bits = static_cast<std::uint64_t>(
          static_cast<std::conditional_t<std::is_signed_v<D>, std::int64_t, std::uint64_t>>(r));
    std::memcpy(w.at<char>(i.operand[0]) + l * i.to_bytes, &bits, i.to_bytes);
  }
}
// .rni and its like, float to float.
template <class T, Round R, bool Sat>
void round_whole(Warp& w, const Instruction& i) {
  map1<T, T>(w, i, [](T x) {
    T r = whole(x, R);
    if constexpr (Sat) r = r >= T(1) ? T(1) : r > T(0) ? r : T(0);
    return r;
  });
}
// To TF32: ties away from zero (rna), or to even (rn).
template <bool kAway>
void cvt_tf32(Warp& w, const Instruction& i) {
  map1<std::uint32_t, std::uint32_t>(w, i, [](std::uint32_t x) {
    const std::uint32_t special = (x & 0x7f800000u) == 0x7f800000u;
    const std::uint32_t rounded = (x + (kAway ? 0x1000u : 0xfffu + (x >> 13 & 1))) & ~0x1fffu;
    return special ? ((x & 0x7fffffu) ? 0x7fffffffu : x) : rounded;
  });
}
std::uint16_t bf16_of(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  return x != x ? 0x7fff : static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
void cvt_bf16(Warp& w, const Instruction& i) { map1<std::uint16_t, float>(w, i, bf16_of); }
void cvt_bf16x2(Warp& w, const Instruction& i) {  // the first is the upper half
  map2<std::uint32_t, float, float>(
      w, i, [](float a, float b) { return std::uint32_t(bf16_of(a)) << 16 | bf16_of(b); });
}
void cvt_from_bf16(Warp& w, const Instruction& i) {
  map1<float, std::uint16_t>(w, i,
                             [](std::uint16_t x) { return std::bit_cast<float>(std::uint32_t(x) << 16); });
}

template <class D, class S, bool Sat>
Handler rounded(Round r, bool ftz) {
  if constexpr (!kIsFloat<D> && !kIsFloat<S>)
    return cvt<D, S, Round::nearest, Sat, false>;
  else
    switch (r) {
      case Round::nearest:
        return ftz ? cvt<D, S, Round::nearest, Sat, true> : cvt<D, S, Round::nearest, Sat, false>;
      case Round::zero:
        return ftz ? cvt<D, S, Round::zero, Sat, true> : cvt<D, S, Round::zero, Sat, false>;
      case Round::down:
        return ftz ? cvt<D, S, Round::down, Sat, true> : cvt<D, S, Round::down, Sat, false>;
      case Round::up:
        return ftz ? cvt<D, S, Round::up, Sat, true> : cvt<D, S, Round::up, Sat, false>;
    }
  return nullptr;
}
template <class F>
auto with_type(std::string_view t, const F& f) -> Handler {
  if (t == "u8" || t == "b8") return f(std::uint8_t{});
  if (t == "s8") return f(std::int8_t{});
  if (t == "u16") return f(std::uint16_t{});
  if (t == "s16") return f(std::int16_t{});
  if (t == "u32") return f(std::uint32_t{});
  if (t == "s32") return f(std::int32_t{});
  if (t == "u64") return f(std::uint64_t{});
  if (t == "s64") return f(std::int64_t{});
  if (t == "f32") return f(float{});
  if (t == "f64") return f(double{});
  return nullptr;
}

template <class T, class F>
void compare(Warp& w, const Instruction& i, F f) {
  const T *a = w.at<T>(i.operand[1]), *b = w.at<T>(i.operand[2]);
  alignas(32) std::uint8_t holds[kLanes];
#pragma GCC ivdep
  for (Slot l = 0; l < kLanes; ++l) holds[l] = f(a[l], b[l]) ? 0xff : 0;
#if defined(__AVX2__)
  std::uint32_t m = static_cast<std::uint32_t>(
      _mm256_movemask_epi8(_mm256_load_si256(reinterpret_cast<const __m256i*>(holds))));
#else
  std::uint32_t m = 0;
  for (Slot l = 0; l < kLanes; ++l) m |= (holds[l] & 1u) << l;
#endif
  std::uint32_t other = ~m;
  if (i.count > 3) {  // setp.cmp.op d|e, a, b, c
    const std::uint32_t c = w.predicate(i.operand[3]) ^ (i.mode & 8 ? ~0u : 0u);
    const auto join = [&](std::uint32_t x) {
      return (i.mode & 7) == 1 ? x & c : (i.mode & 7) == 2 ? x | c : x ^ c;
    };
    other = join(~m), m = join(m);
  }
  std::uint32_t& d = w.predicate(i.operand[0]);
  d = (d & ~w.active) | (m & w.active);
  if (i.operand[4] != 0) {
    std::uint32_t& e = w.predicate(i.operand[4]);
    e = (e & ~w.active) | (other & w.active);
  }
}
#define PTX_COMPARE(name, expression)                      \
  template <class T>                                       \
  void name(Warp& w, const Instruction& i) {               \
    compare<T>(w, i, [](T a, T b) { return expression; }); \
  }
PTX_COMPARE(eq, a == b)
PTX_COMPARE(ne, a != b && a == a && b == b)
PTX_COMPARE(lt, a < b)
PTX_COMPARE(le, a <= b)
PTX_COMPARE(gt, a > b)
PTX_COMPARE(ge, a >= b)
PTX_COMPARE(equ, !(a < b) && !(a > b))
PTX_COMPARE(neu, a != b)
PTX_COMPARE(ltu, !(a >= b))
PTX_COMPARE(leu, !(a > b))
PTX_COMPARE(gtu, !(a <= b))
PTX_COMPARE(geu, !(a < b))
PTX_COMPARE(num, a == a && b == b)
PTX_COMPARE(nan_, a != a || b != b)
#undef PTX_COMPARE

template <class T>
Handler comparison(std::string_view c) {
  if (c == "eq") return eq<T>;
  if (c == "ne") return ne<T>;
  if (c == "lt" || c == "lo") return lt<T>;
  if (c == "le" || c == "ls") return le<T>;
  if (c == "gt" || c == "hi") return gt<T>;
  if (c == "ge" || c == "hs") return ge<T>;
  if (c == "equ") return equ<T>;
  if (c == "neu") return neu<T>;
  if (c == "ltu") return ltu<T>;
  if (c == "leu") return leu<T>;
  if (c == "gtu") return gtu<T>;
  if (c == "geu") return geu<T>;
  if (c == "num") return num<T>;
  if (c == "nan") return nan_<T>;
  return nullptr;
}

}  // namespace

Handler convert_handler(const Opcode& op, unsigned, unsigned) {
  const std::string_view from = op.type(), to = op.type(1);
  if (to == "tf32") return op.has("rna") ? cvt_tf32<true> : op.has("rn") ? cvt_tf32<false> : nullptr;
  if (to == "bf16" && from == "f32" && op.has("rn")) return cvt_bf16;
  if (to == "bf16x2" && from == "f32" && op.has("rn")) return cvt_bf16x2;
  if (to == "f32" && from == "bf16") return cvt_from_bf16;
  const bool whole = op.has("rni") || op.has("rzi") || op.has("rmi") || op.has("rpi");
  const Round r = op.has("rz") || op.has("rzi")   ? Round::zero
                  : op.has("rm") || op.has("rmi") ? Round::down
                  : op.has("rp") || op.has("rpi") ? Round::up
                                                  : Round::nearest;
  const bool sat = op.has("sat"), ftz = op.has("ftz");
  if (whole && from == to) {
    const auto pick = [&](auto zero) -> Handler {
      using T = decltype(zero);
      switch (r) {
        case Round::nearest:
          return sat ? round_whole<T, Round::nearest, true> : round_whole<T, Round::nearest, false>;
        case Round::zero:
          return sat ? round_whole<T, Round::zero, true> : round_whole<T, Round::zero, false>;
        case Round::down:
          return sat ? round_whole<T, Round::down, true> : round_whole<T, Round::down, false>;
        case Round::up:
          return sat ? round_whole<T, Round::up, true> : round_whole<T, Round::up, false>;
      }
      return nullptr;
    };
    return from == "f32" ? pick(0.0f) : from == "f64" ? pick(0.0) : nullptr;
  }
  return with_type(to, [&](auto d) {
    return with_type(from, [&](auto s) {
      return sat ? rounded<decltype(d), decltype(s), true>(r, ftz)
                 : rounded<decltype(d), decltype(s), false>(r, ftz);
    });
  });
}

Handler compare_handler(const Opcode& op) {
  const std::string_view type = op.type(), c = op.parts.empty() ? "" : op.parts[0];
  if (op.has("ftz")) return nullptr;
  if (type == "f32") return comparison<float>(c);
  if (type == "f64") return comparison<double>(c);
  const bool is_signed = !type.empty() && type[0] == 's';
  switch (type_bytes(type)) {
    case 2:
      return is_signed ? comparison<std::int16_t>(c) : comparison<std::uint16_t>(c);
    case 4:
      return is_signed ? comparison<std::int32_t>(c) : comparison<std::uint32_t>(c);
    case 8:
      return is_signed ? comparison<std::int64_t>(c) : comparison<std::uint64_t>(c);
  }
  return nullptr;
}

}  // namespace ptx
