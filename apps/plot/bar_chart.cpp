#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "apps/plot/axes.h"
#include "apps/plot/palette.h"
#include "apps/plot/plot.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

using namespace plot;

constexpr double kBarChartHeight = 300;
constexpr double kNameGap = 9;

Range y_range(const BarChart& chart) {
  std::vector<double> values = chart.values;
  values.push_back(0);
  values.push_back(chart.reference_line.value_or(0));
  const Range r = range_of(values);
  if (r.width() == 0) return {0, 1};
  constexpr double kPad = 0.06;
  return {r.low < 0 ? r.low - kPad * r.width() : 0, r.high > 0 ? r.high + kPad * r.width() : 0};
}

std::optional<int> as_number(const std::string& name) {
  int number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return number;
}

bool are_numbers(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(), [](auto& n) { return as_number(n).has_value(); });
}

// Draws the names below the bars, turned or only every k-th if there is little room. Returns their lower end.
double draw_names(Svg& svg, const BarChart& chart, const Box& area, double pitch) {
  double widest = 0;
  for (const std::string& name : chart.names) widest = std::max(widest, text_width(name, kNormal));
  const bool numbers = are_numbers(chart.names), turned = widest + 8 > pitch && !numbers;
  const double need = turned ? kNormal + 4 : widest + 8;
  int step = 1;
  for (int i = 0; step * pitch < need; ++i)
    step = step * (i % 3 == 1 ? 5 : 4) / 2;  // 1, 2, 5, 10, 20, 50, ...
  for (std::size_t i = 0; i < chart.names.size(); ++i) {
    const int place = numbers ? *as_number(chart.names[i]) : static_cast<int>(i);
    if (place % step != 0) continue;
    const double x = (static_cast<double>(i) + 0.5) * pitch;
    if (turned)
      svg.text(middle(x, kNormal), area.bottom() + kNameGap, chart.names[i],
               {.anchor = "end", .upwards = true});
    else
      svg.text(x, area.bottom() + kNameGap + 0.75 * kNormal, chart.names[i], {.anchor = "middle"});
  }
  return area.bottom() + kNameGap + (turned ? widest : kNormal);
}

void draw_bars(Svg& svg, const BarChart& chart, const Scale& y, double pitch) {
  const double width = std::min(44.0, 0.74 * pitch);
  const std::string fill = fmt::format("fill=\"{}\" class=\"data\"", hex(kLineColours[0]));
  for (std::size_t i = 0; i < chart.values.size(); ++i) {
    if (!is_plottable(chart.values[i])) continue;
    const double at = y(chart.values[i]), base = y(0);
    svg.rect(
        {(static_cast<double>(i) + 0.5) * pitch - width / 2, std::min(at, base), width, std::abs(at - base)},
        fill);
  }
}

}  // namespace

std::string bar_chart_svg(const BarChart& chart) {
  const std::size_t n = chart.values.size();
  check(chart.names.size() == n, "bar_chart", "expected as many names as bars ({}), got {}", n,
        chart.names.size());
  check(!chart.reference_line || is_plottable(*chart.reference_line), "bar_chart",
        "expected a finite reference line, got {}", chart.reference_line.value_or(0));
  const double width = std::clamp(static_cast<double>(n) * 46, 300.0, 640.0);
  const double pitch = width / static_cast<double>(std::max<std::size_t>(n, 1));
  Axes axes{chart.title, "", chart.y_label, {0, 0, width, kBarChartHeight}, {}, {}, {}, {}};
  axes.y = {y_range(chart), kBarChartHeight, 0};
  axes.y_ticks = nice_ticks(axes.y.values.low, axes.y.values.high, 7);
  Svg svg;
  draw_axes(svg, axes);
  draw_bars(svg, chart, axes.y, pitch);
  draw_x_label(svg, axes.area, draw_names(svg, chart, axes.area, pitch), chart.x_label);
  if (chart.reference_line) {
    const double at = axes.y(*chart.reference_line);
    const std::string colour = hex(kLineColours[1]);
    svg.line(0, at, width, at,
             fmt::format("stroke=\"{}\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"", colour));
    svg.text(width + 8, middle(at, kNormal), chart.reference_name, {.colour = colour});
  }
  return svg.finish(chart.title);
}

}  // namespace gpuvae::apps
