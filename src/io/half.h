// IEEE 754 binary16, the element type F16 of files.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace gpuvae::io {

struct Half {
  std::uint16_t bits;

  explicit operator float() const {
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const auto sign = static_cast<float>(bits >> 15 != 0 ? -1 : 1);
    if (exponent == 31) return sign * (mantissa != 0 ? NAN : INFINITY);
    if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
    return sign * std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
  }
};

// Rounds to the nearest binary16 number, and to the even one of two. Magnitudes from 65,520 on become
// infinite.
inline Half to_half(double value) {
  const auto sign = static_cast<std::uint16_t>(std::signbit(value) ? 0x8000 : 0);
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(sign | 0x7E00)};
  if (magnitude >= 65520) return {static_cast<std::uint16_t>(sign | 0x7C00)};
  // The unit of the last place: 2^-24 for subnormal numbers, and 2^(exponent - 10) for all others.
  const int exponent = magnitude < std::ldexp(1.0, -14) ? -14 : std::ilogb(magnitude);
  const auto units = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 10 - exponent)));
  // A carry into the next power of two increments the exponent's bits, as it should. A subnormal number has
  // no leading bit of 1,024.
  const int bits = ((exponent + 14) << 10) + units;
  return {static_cast<std::uint16_t>(sign | bits)};
}

}  // namespace gpuvae::io
