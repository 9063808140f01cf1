// The colours of figures and pages, which people with normal and with colour-blind vision can tell apart.
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

// Areas and points of ten classes, on white and in the dark pages. Found by search: any two are at least 0.18
// apart in OKLab (Ottosson, 2020; black to white is 1), 0.139 as people with protanopia or deuteranopia and
// 0.11 as people with tritanopia see them (Machado et al., 2009), and 0.27 from either ground. Classes 4,
// 7, 9 and 3, 5, 8 got colours far apart, since handwritten digits of these classes are neighbours in many
// plots.
inline constexpr std::array<Rgb, 10> kLabelColours = {{{0x22, 0x20, 0xd6},
                                                       {0xdd, 0x32, 0x98},
                                                       {0x05, 0xcf, 0xa9},
                                                       {0xc6, 0xad, 0x00},
                                                       {0xa6, 0x9f, 0xfe},
                                                       {0x10, 0x77, 0xff},
                                                       {0xab, 0x6b, 0x17},
                                                       {0x9e, 0x00, 0x00},
                                                       {0x81, 0x06, 0x85},
                                                       {0x86, 0xfd, 0x1b}}};

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
