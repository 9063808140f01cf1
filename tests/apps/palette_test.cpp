#include "apps/plot/palette.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gpuvae::apps {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

// The colours that people with full dichromacy see, in linear RGB: Machado, Oliveira and Fernandes, 2009,
// severity 1.
constexpr Matrix kNormal = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}};
constexpr Matrix kProtanopia = {{{0.152286, 1.052583, -0.204868},  //
                                 {0.114503, 0.786281, 0.099216},
                                 {-0.003882, -0.048116, 1.051998}}};
constexpr Matrix kDeuteranopia = {{{0.367322, 0.860646, -0.227968},  //
                                   {0.280085, 0.672501, 0.047413},
                                   {-0.011820, 0.042940, 0.968881}}};
constexpr Matrix kTritanopia = {{{1.255528, -0.076749, -0.178779},  //
                                 {-0.078411, 0.930809, 0.147602},
                                 {0.004733, 0.691367, 0.303900}}};

Vector times(const Matrix& m, const Vector& v) {
  Vector product{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) product[i] += m[i][j] * v[j];
  return product;
}

double linear(std::uint8_t channel) {  // by IEC 61966-2-1
  const double c = channel / 255.0;
  return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4);
}

Vector linear(Rgb c) { return {linear(c.red), linear(c.green), linear(c.blue)}; }

// Converts linear RGB to Oklab: Ottosson, "A perceptual color space for image processing", 2020.
Vector oklab(const Vector& rgb) {
  constexpr Matrix kCones = {{{0.4122214708, 0.5363325363, 0.0514459929},
                              {0.2119034982, 0.6806995451, 0.1073969566},
                              {0.0883024619, 0.2817188376, 0.6299787005}}};
  constexpr Matrix kLab = {{{0.2104542553, 0.7936177850, -0.0040720468},
                            {1.9779984951, -2.4285922050, 0.4505937099},
                            {0.0259040371, 0.7827717662, -0.8086757660}}};
  Vector cones = times(kCones, rgb);
  for (double& c : cones) c = std::cbrt(c);
  return times(kLab, cones);
}

double distance(Rgb a, Rgb b, const Matrix& eyes) {
  Vector seen[2];
  for (int i = 0; i < 2; ++i) {
    Vector v = times(eyes, linear(i ? b : a));
    for (double& c : v) c = std::clamp(c, 0.0, 1.0);
    seen[i] = oklab(v);
  }
  return std::hypot(seen[0][0] - seen[1][0], seen[0][1] - seen[1][1], seen[0][2] - seen[1][2]);
}

template <class Colours>
double closest(const Colours& colours, const Matrix& eyes) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < colours.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) least = std::min(least, distance(colours[i], colours[j], eyes));
  return least;
}

TEST(Palette, MeasuresBlackToWhiteAsOne) {
  EXPECT_NEAR(distance({0, 0, 0}, {255, 255, 255}, kNormal), 1, 1e-6);
  EXPECT_NEAR(oklab(linear(Rgb{255, 0, 0}))[0], 0.627955, 1e-5);  // Ottosson's value for red
}

TEST(Palette, TenLabelsAreDistinctForAllColourVision) {
  EXPECT_GE(closest(kLabelColours, kNormal), 0.18);
  EXPECT_GE(closest(kLabelColours, kProtanopia), 0.139);
  EXPECT_GE(closest(kLabelColours, kDeuteranopia), 0.139);
  EXPECT_GE(closest(kLabelColours, kTritanopia), 0.11);
  for (const Rgb ground : {Rgb{0xff, 0xff, 0xff}, Rgb{0x18, 0x1c, 0x21}})  // --gx-card of pages/theme.css
    for (const Rgb c : kLabelColours) EXPECT_GE(distance(c, ground, kNormal), 0.27) << hex(c);
}

TEST(Palette, LinesAreDistinctAndLegibleAsText) {
  for (const Matrix& eyes : {kNormal, kProtanopia, kDeuteranopia})
    EXPECT_GE(closest(kLineColours, eyes), 0.09);
  for (const Rgb c : kLineColours) {
    const Vector l = linear(c);
    const double luminance = 0.2126 * l[0] + 0.7152 * l[1] + 0.0722 * l[2];
    EXPECT_GE(1.05 / (luminance + 0.05), 4.5) << hex(c);  // WCAG 2.1 on a white background
  }
}

TEST(Palette, SequentialColoursLightenEvenly) {
  EXPECT_EQ(hex(sequential_colour(0)), "#440154");
  EXPECT_EQ(hex(sequential_colour(1)), "#fde725");
  EXPECT_EQ(hex(sequential_colour(0.5)), "#21908c");
  for (const double t : {-1.0, std::nan("")}) EXPECT_EQ(hex(sequential_colour(t)), hex(sequential_colour(0)));
  EXPECT_EQ(hex(sequential_colour(7)), hex(sequential_colour(1)));
  double before = 0;
  for (int i = 0; i <= 20; ++i) {
    const double lightness = oklab(linear(sequential_colour(i / 20.0)))[0];
    if (i > 0) {
      EXPECT_GT(lightness - before, 0.015) << i;
      EXPECT_LT(lightness - before, 0.06) << i;
    }
    before = lightness;
  }
}

}  // namespace
}  // namespace gpuvae::apps
