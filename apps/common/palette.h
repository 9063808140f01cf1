// The colours of figures and pages, told apart with normal and with colour-blind eyes.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace gpuvae::apps {

struct Rgb {
  std::uint8_t red, green, blue;  // sRGB
};

// "#rrggbb"
inline std::string hex(Rgb c) { return fmt::format("#{:02x}{:02x}{:02x}", c.red, c.green, c.blue); }

// Areas and points of ten classes on white. Found by search: any two are at least 0.18 apart in OKLab
// (Ottosson, 2020; black to white is 1), and 0.14 as people with protanopia or deuteranopia see them (Machado
// et al., 2009).
inline constexpr std::array<Rgb, 10> kLabelColours = {{{0x1a, 0x01, 0x8c},
                                                       {0xea, 0x45, 0x0e},
                                                       {0x2f, 0x97, 0x84},
                                                       {0xab, 0x4c, 0xd3},
                                                       {0xff, 0x9d, 0x0b},
                                                       {0x51, 0x0d, 0x3d},
                                                       {0xba, 0x9e, 0xff},
                                                       {0x9e, 0x03, 0x00},
                                                       {0x00, 0xdd, 0xaf},
                                                       {0x59, 0x55, 0x7b}}};

// Lines and their names: dark enough on white to be read as text (contrast of at least 4.5, WCAG 2.1). At
// least 0.09 apart as above, for each of these eyes.
inline constexpr std::array<Rgb, 6> kLineColours = {{{0x0b, 0x5f, 0xb0},
                                                     {0xc4, 0x4a, 0x08},
                                                     {0x00, 0x78, 0x5f},
                                                     {0x33, 0x01, 0x93},
                                                     {0x7b, 0x0c, 0x0e},
                                                     {0x35, 0x09, 0x02}}};

// From dark violet over green to yellow as t goes from 0 to 1 (clamped; NaN is 0): lightness grows evenly.
// Linear between nine colours of matplotlib's viridis (van der Walt and Smith, 2015).
inline Rgb sequential_colour(double t) {
  constexpr std::array<Rgb, 9> kViridis = {{{0x44, 0x01, 0x54},
                                            {0x47, 0x2d, 0x7b},
                                            {0x3b, 0x52, 0x8b},
                                            {0x2c, 0x72, 0x8e},
                                            {0x21, 0x90, 0x8c},
                                            {0x27, 0xad, 0x81},
                                            {0x5d, 0xc8, 0x63},
                                            {0xaa, 0xdc, 0x32},
                                            {0xfd, 0xe7, 0x25}}};
  const double at = t > 0 ? std::min(t, 1.0) * (kViridis.size() - 1) : 0;
  const std::size_t i = std::min(static_cast<std::size_t>(at), kViridis.size() - 2);
  const Rgb &a = kViridis[i], &b = kViridis[i + 1];
  const auto mix = [&](std::uint8_t from, std::uint8_t to) {
    return static_cast<std::uint8_t>(from + (to - from) * (at - static_cast<double>(i)) + 0.5);
  };
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

}  // namespace gpuvae::apps
