// The grey level of a pixel. Luminance is BT.601's luma Y = 0.299 R + 0.587 G + 0.114 B of the encoded
// values, without gamma, like the Y of JPEG. A pixel of opacity A over white has the level A Y + (1 - A).
// Levels are rounded to 8 bits only once, at the end.
#pragma once

#include <cstdint>

namespace gpuvae::io {

// The sum of the integer weights in luma(). Pillow uses the same weights.
inline constexpr std::uint64_t kLumaOne = 65536;
constexpr std::uint64_t luma(std::uint64_t red, std::uint64_t green, std::uint64_t blue) {
  return 19595 * red + 38470 * green + 7471 * blue;
}

// Rounds value / max to a multiple of 1 / 255. `max` must be at most 2^49.
constexpr std::uint8_t to_byte(std::uint64_t value, std::uint64_t max) {
  return static_cast<std::uint8_t>((510 * value + max) / (2 * max));
}

// The grey level of a pixel over white. `luma` is luma() of channels from 0 to kMax, and the opacity is alpha
// / kMax.
template <std::uint64_t kMax>
constexpr std::uint8_t on_white(std::uint64_t luma, std::uint64_t alpha) {
  if (alpha == kMax) return to_byte(luma, kLumaOne * kMax);
  return to_byte(luma * alpha + kLumaOne * kMax * (kMax - alpha), kLumaOne * kMax * kMax);
}

}  // namespace gpuvae::io
