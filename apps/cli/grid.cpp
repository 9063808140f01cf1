#include "apps/cli/grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "apps/cli/text.h"

namespace gpuvae::apps {
namespace {

constexpr std::array kAxes = {"right-up", "right-down", "left-up", "left-down",
                              "up-right", "down-right", "up-left", "down-left"};
constexpr std::array kKinds = {"quantile", "linear", "data"};

[[noreturn]] void reject(const std::string& expected, const std::string& got) {
  throw std::invalid_argument(fmt::format("expected {}, got {}", expected, got));
}

double number(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    reject("a number", text);
  return value;
}

Grid parse_grid(const std::string& text) {
  std::vector<std::string> parts = parts_of(text, ':');
  const auto kind = std::find(kKinds.begin(), kKinds.end(), parts.empty() ? "" : parts[0]);
  if (kind == kKinds.end()) reject("quantile, linear or data", text);
  Grid g;
  g.kind = static_cast<GridKind>(kind - kKinds.begin());
  if (g.kind == GridKind::linear) {
    g.low = -3;
    g.high = 3;
  }
  if (std::find(kAxes.begin(), kAxes.end(), parts.back()) != kAxes.end()) {
    g.axes = parts.back();
    parts.pop_back();
  }
  if (parts.size() != 1 && parts.size() != 2 && parts.size() != 4) reject("KIND:N:LOW:HIGH:AXES", text);
  if (parts.size() > 1) {
    const double n = number(parts[1]);
    if (!(n >= 1 && n <= 200 && n == std::floor(n))) reject("1 to 200 images per side", parts[1]);
    g.n = static_cast<int>(n);
  }
  if (parts.size() == 4) {
    g.low = number(parts[2]);
    g.high = number(parts[3]);
  }
  if (g.kind == GridKind::quantile && !(g.low > 0 && g.low < g.high && g.high < 1))
    reject("probabilities 0 < LOW < HIGH < 1", text);
  g.per_axis = g.kind == GridKind::data && parts.size() == 4;
  if (g.per_axis && !(g.low >= 0 && g.high <= 1)) reject("quantiles 0 <= LOW < HIGH <= 1 of the data", text);
  if (!(g.low < g.high)) reject("LOW below HIGH", text);
  return g;
}

template <class Parse>
std::string mistake_of(Parse parse) {
  try {
    parse();
    return "";
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
}

std::vector<double> flipped(std::vector<double> values, bool flip) {
  if (flip) std::reverse(values.begin(), values.end());
  return values;
}

}  // namespace

const char* Grid::name() const { return kKinds[static_cast<std::size_t>(kind)]; }

std::vector<double> Grid::ascending(double least, double most) const {
  const double from = kind == GridKind::data ? least : low, to = kind == GridKind::data ? most : high;
  std::vector<double> values;
  for (int i = 0; i < n; ++i) {
    const double v = n > 1 ? from + (to - from) * i / (n - 1) : (from + to) / 2;
    values.push_back(kind == GridKind::quantile ? normal_quantile(v) : v);
  }
  return values;
}

std::vector<double> Grid::across(double least, double most) const {
  return flipped(ascending(least, most), axes.find("left") != std::string::npos);
}
std::vector<double> Grid::down(double least, double most) const {
  return flipped(ascending(least, most), axes.find("up") != std::string::npos);
}

std::vector<Grid> parse_grids(const std::string& text) {
  std::vector<Grid> grids;
  if (text == "none") return grids;
  for (const std::string& part : parts_of(text, ',')) grids.push_back(parse_grid(part));
  if (grids.empty()) reject("a grid, or none", text);
  return grids;
}
std::string grid_mistake(const std::string& text) {
  return mistake_of([&] { parse_grids(text); });
}

SliderRange parse_sliders(const std::string& text) {
  const std::vector<std::string> parts = parts_of(text, ':');
  if (parts.size() != 3 && parts.size() != 4) reject("LOW:HIGH:STEP or LOW:HIGH:STEP:SCALE", text);
  SliderRange r{number(parts[0]), number(parts[1]), number(parts[2]),
                parts.size() == 4 ? number(parts[3]) : 1};
  if (!(r.low < r.high && r.step > 0 && r.step <= r.high - r.low && r.scale != 0))
    reject("LOW below HIGH, a STEP that fits between, and a SCALE that is not 0", text);
  return r;
}
std::string slider_mistake(const std::string& text) {
  return mistake_of([&] {
    if (!text.empty()) parse_sliders(text);
  });
}

double normal_quantile(double p) {
  // Newton's method on the cumulative distribution function, which is concave for p >= 0.5. A smaller p is
  // mirrored to that half.
  if (p < 0.5) return -normal_quantile(1 - p);
  double x = 0;
  for (int i = 0; i < 60; ++i) {
    const double error = 0.5 * std::erfc(-x / std::sqrt(2.0)) - p;
    x -= error * std::sqrt(2 * M_PI) * std::exp(0.5 * x * x);
  }
  return x;
}

}  // namespace gpuvae::apps
