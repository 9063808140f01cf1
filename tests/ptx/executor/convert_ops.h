// Conversions of scalar values as the PTX instruction cvt defines them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace ptx {

enum class Round : std::uint8_t { nearest, zero, down, up };

template <class T>
constexpr bool kIsFloat = std::is_floating_point_v<T>;

// Returns r, which is x rounded to nearest, or the neighbour of r that the rounding direction `how` requires
// instead.
template <class D, class S>
inline D directed(D r, S x, Round how) {
  const bool up = how == Round::up || (how == Round::zero && x < S(0));
  if (how == Round::nearest || !(up ? r < x : r > x)) return r;
  return std::nextafter(r, up ? std::numeric_limits<D>::infinity() : -std::numeric_limits<D>::infinity());
}

// Rounds x to an integral value.
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

// Values out of range saturate to the smallest or largest value of D. A NaN becomes 0, or 2^(bits - 1) if the
// source is f64 or the result has 64 bits (PTX ISA manual on cvt).
template <class D, class S>
inline D to_integer(S x, Round how) {
  constexpr D kLeast = std::numeric_limits<D>::min();
  constexpr D kMax = std::numeric_limits<D>::max();
  if (x != x) {
    constexpr bool kZero = sizeof(S) == 4 && sizeof(D) < 8;
    return kZero ? D(0) : static_cast<D>(std::uint64_t(1) << (8 * sizeof(D) - 1));
  }
  const S r = whole(x, how);
  if (r <= static_cast<S>(kLeast)) return kLeast;
  if (r >= static_cast<S>(kMax)) return kMax;
  return static_cast<D>(r);
}

// For an integer source, long double (64-bit significand) holds x exactly, so that directed() compares
// exactly.
template <class D, class S>
inline D to_float(S x, Round how) {
  const D nearest = static_cast<D>(x);
  if constexpr (kIsFloat<S>)
    return sizeof(D) < sizeof(S) && std::isfinite(x) ? directed(nearest, x, how) : nearest;
  else
    return how == Round::nearest ? nearest : directed(nearest, static_cast<long double>(x), how);
}

template <bool kSat, class T>
inline T saturated_float(T x) {  // .sat clamps to [0, 1], and a NaN becomes 0
  if constexpr (!kSat) return x;
  return x >= T(1) ? T(1) : x > T(0) ? x : T(0);
}

template <class D, class S, Round kRound, bool kSat>
inline D converted(S x) {
  if constexpr (kIsFloat<D>) {
    return saturated_float<kSat>(to_float<D>(x, kRound));
  } else if constexpr (kIsFloat<S>) {
    return to_integer<D>(x, kRound);
  } else if constexpr (kSat) {
    using W = __int128;
    return static_cast<D>(std::clamp<W>(x, std::numeric_limits<D>::min(), std::numeric_limits<D>::max()));
  } else {
    return static_cast<D>(x);
  }
}

}  // namespace ptx
