#include "apps/plot/axes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

namespace gpuvae::apps::plot {
namespace {

constexpr double kTickLength = 5, kTickGap = 4;
constexpr const char* kMinusSign = "\u2212";

std::string power_of_ten_text(int exponent) {
  constexpr std::array<const char*, 10> kRaised = {"\u2070", "\u00B9", "\u00B2", "\u00B3", "\u2074",
                                                   "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};
  std::string text = "10";
  for (const char c : fmt::format("{}", exponent)) text += c == '-' ? "\u207B" : kRaised[c - '0'];
  return text;
}

std::string scientific_text(double value, int exponent, int decimals) {
  if (value == 0) return "0";
  const std::string digits = number_text(value / std::pow(10.0, exponent), decimals);
  return fmt::format("{}\u00D7{}", digits, power_of_ten_text(exponent));
}

// Returns multiple * 10^exponent. Negative powers are applied by division, so that the result is rounded only
// once: 3 / 10 is closer to 0.3 than 3 * 0.1.
double decimal(double multiple, int exponent) {
  return exponent < 0 ? multiple / std::pow(10.0, -exponent) : multiple * std::pow(10.0, exponent);
}

std::vector<std::string> labels_of(const std::vector<double>& values, int step_exponent) {
  constexpr double kLargestPlain = 1e6;
  constexpr int kMaxDecimals = 4;
  double largest = 0;
  for (const double v : values) largest = std::max(largest, std::abs(v));
  const bool plain = largest < kLargestPlain && step_exponent >= -kMaxDecimals;
  const int exponent = plain || largest == 0 ? 0 : static_cast<int>(std::floor(std::log10(largest) + 1e-9));
  std::vector<std::string> labels;
  for (const double v : values)
    labels.push_back(plain ? number_text(v, std::max(0, -step_exponent))
                           : scientific_text(v, exponent, std::max(0, exponent - step_exponent)));
  return labels;
}

}  // namespace

std::string number_text(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  const bool is_zero = text.find_first_not_of("0.") == std::string::npos;
  for (std::size_t at = std::min(text.find('.'), text.size()); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return value < 0 && !is_zero ? kMinusSign + text : text;
}

Ticks nice_ticks(double low, double high, int at_most, double smallest_step) {
  constexpr double kSlack = 1e-9;  // tolerance in steps, so that ticks at low and high count
  for (int exponent = static_cast<int>(std::floor(std::log10((high - low) / at_most)));; ++exponent)
    for (const int multiple : {1, 2, 5}) {
      const double step = decimal(multiple, exponent);
      const double first = std::ceil(low / step - kSlack), last = std::floor(high / step + kSlack);
      if (step < smallest_step || last - first + 1 > at_most) continue;
      Ticks ticks;
      for (double i = first; i <= last; ++i) ticks.values.push_back(decimal(i * multiple, exponent));
      ticks.labels = labels_of(ticks.values, exponent);
      return ticks;
    }
}

Ticks log_ticks(double low, double high, int at_most) {
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const bool plain = low > 0.9e-3 && high < 1e6;
  for (const int decades : {0, 1, 2, 5, 10, 20, 50, 100, 200, 500}) {
    Ticks ticks;
    for (int exponent = first; exponent <= last; ++exponent)
      for (const int multiple : {1, 2, 5}) {
        if (decades > 0 && (multiple != 1 || exponent % decades != 0)) continue;
        const double value = decimal(multiple, exponent);
        if (value < low * (1 - 1e-9) || value > high * (1 + 1e-9)) continue;
        ticks.values.push_back(value);
        ticks.labels.push_back(plain           ? number_text(value, std::max(0, -exponent))
                               : multiple == 1 ? power_of_ten_text(exponent)
                                               : scientific_text(value, exponent, 0));
      }
    if (decades == 0 && ticks.values.size() < 3) break;  // about one decade or less: linear ticks
    if (ticks.values.size() <= static_cast<std::size_t>(at_most)) return ticks;
  }
  return nice_ticks(low, high, at_most);
}

bool is_plottable(double value) { return std::abs(value) < 1e300; }

Range range_of(std::span<const double> values) {
  Range range{1, 0};
  for (const double v : values) {
    if (!is_plottable(v)) continue;
    range = range.low > range.high ? Range{v, v} : Range{std::min(range.low, v), std::max(range.high, v)};
  }
  return range.low > range.high ? Range{} : range;
}

Range padded(Range range, double fraction) {
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  // A range that is only as wide as rounding errors is padded like a single value.
  double pad = range.width() * fraction;
  if (range.width() <= 1e-12 * size || range.width() < 1e-290) pad = std::max(0.05 * size, 0.5);
  return {range.low - pad, range.high + pad};
}

Range padded_above_zero(Range range, double fraction) {
  const Range wider = padded(range, fraction);
  return range.low >= 0 && range.high > 0 ? Range{std::max(wider.low, 0.0), wider.high} : wider;
}

double Scale::operator()(double value) const {
  const double share = log ? std::log(value / values.low) / std::log(values.high / values.low)
                           : (value - values.low) / values.width();
  return from + share * (to - from);
}

namespace {

// Draws the grid lines through zero of axes that extend below zero if `zero` is true, else all other grid
// lines. Zero lines must be drawn last, on top of the others.
void draw_grid(Svg& svg, const Axes& axes, const char* colour, bool zero) {
  const Box& area = axes.area;
  const std::string ink = fmt::format("stroke=\"{}\"", colour);
  const auto is_meant = [zero](double v, const Scale& s) { return zero == (v == 0 && s.values.low < 0); };
  for (const double v : axes.x_ticks.values)
    if (is_meant(v, axes.x)) svg.line(axes.x(v), area.y, axes.x(v), area.bottom(), ink);
  for (const double v : axes.y_ticks.values)
    if (is_meant(v, axes.y)) svg.line(area.x, axes.y(v), area.right(), axes.y(v), ink);
}

}  // namespace

void draw_axes(Svg& svg, const Axes& axes) {
  const Box& area = axes.area;
  svg.rect(area, "fill=\"none\" class=\"area\"");
  draw_grid(svg, axes, kGridInk, false);
  draw_grid(svg, axes, "#999", true);
  const std::string ink = fmt::format("stroke=\"{}\"", kSoftInk);
  double widest = 0;
  for (std::size_t i = 0; i < axes.y_ticks.values.size(); ++i) {
    const double y = axes.y(axes.y_ticks.values[i]);
    svg.line(area.x - kTickLength, y, area.x, y, ink);
    svg.text(area.x - kTickLength - kTickGap, middle(y, kNormal), axes.y_ticks.labels[i], {.anchor = "end"});
    widest = std::max(widest, text_width(axes.y_ticks.labels[i], kNormal));
  }
  for (std::size_t i = 0; i < axes.x_ticks.values.size(); ++i) {
    const double x = axes.x(axes.x_ticks.values[i]);
    svg.line(x, area.bottom(), x, area.bottom() + kTickLength, ink);
    svg.text(x, area.bottom() + kTickLength + kTickGap + 0.75 * kNormal, axes.x_ticks.labels[i],
             {.anchor = "middle"});
  }
  svg.line(area.x, area.y, area.x, area.bottom(), ink);
  svg.line(area.x, area.bottom(), area.right(), area.bottom(), ink);
  draw_title(svg, area, axes.title);
  draw_x_label(svg, area, area.bottom() + kTickLength + kTickGap + kNormal, axes.x_label);
  draw_y_label(svg, area, area.x - kTickLength - kTickGap - widest, axes.y_label);
}

void draw_title(Svg& svg, const Box& area, std::string_view title) {
  svg.text(area.x, area.y - 18, title, {.size = kTitle, .bold = true});
}

void draw_x_label(Svg& svg, const Box& area, double ticks_end, std::string_view label) {
  svg.text(area.centre_x(), ticks_end + 22, label, {.size = kLarge, .anchor = "middle"});
}

void draw_y_label(Svg& svg, const Box& area, double ticks_end, std::string_view label) {
  svg.text(ticks_end - 13, area.centre_y(), label, {.size = kLarge, .anchor = "middle", .upwards = true});
}

std::vector<double> spread_labels(const std::vector<double>& wanted, double gap, Range within) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return wanted[a] < wanted[b]; });
  // After k * gap is subtracted from the height of the k-th label, the heights must not decrease. The
  // non-decreasing sequence closest to the wanted heights in the least-squares sense is constant on runs of
  // labels, at the mean of each run (pool adjacent violators; Ayer et al., 1955). It is then clamped to the
  // bounds.
  struct Run {
    double sum = 0;
    std::size_t count = 0;
    double mean() const { return sum / static_cast<double>(count); }
  };
  std::vector<Run> runs;
  for (std::size_t k = 0; k < order.size(); ++k) {
    Run run{wanted[order[k]] - static_cast<double>(k) * gap, 1};
    for (; !runs.empty() && runs.back().mean() > run.mean(); runs.pop_back())
      run = {runs.back().sum + run.sum, runs.back().count + run.count};
    runs.push_back(run);
  }
  std::vector<double> placed(wanted.size());
  std::size_t k = 0;
  const double lowest = within.high - static_cast<double>(wanted.size() - 1) * gap;
  for (const Run& run : runs)
    for (const std::size_t end = k + run.count; k < end; ++k)
      placed[order[k]] = std::max(within.low, std::min(lowest, run.mean())) + static_cast<double>(k) * gap;
  return placed;
}

}  // namespace gpuvae::apps::plot
