#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/plot/axes.h"
#include "apps/plot/palette.h"
#include "apps/plot/plot.h"

namespace gpuvae::apps {
namespace {

using namespace plot;

constexpr double kIntervalChartWidth = 560, kRowHeight = 26, kRowNameGap = 12;

Range range_of(const IntervalChart& chart) {
  std::vector<double> all;
  for (const IntervalRow& row : chart.rows) {
    all.push_back(row.value);
    all.insert(all.end(), row.points.begin(), row.points.end());
    if (!is_plottable(row.half_width)) continue;
    all.push_back(row.value - row.half_width);
    all.push_back(row.value + row.half_width);
  }
  return padded(plot::range_of(all), 0.04);
}

void draw_dot(Svg& svg, const Box& area, double x, double y, double size, const std::string& colour,
              double opacity) {
  svg.path(fmt::format("M{} {}h0", coordinate(x), coordinate(y)), area,
           fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" "
                       "stroke-opacity=\"{}\" class=\"data\"",
                       colour, size, opacity));
}

void draw_row(Svg& svg, const Axes& axes, const IntervalRow& row, double y) {
  constexpr double kCap = 4, kPointDistance = 8;
  const std::string colour = hex(kLineColours[0]),
                    ink = fmt::format("stroke=\"{}\" stroke-width=\"2\"", colour);
  svg.text(axes.area.x - kRowNameGap, middle(y, kNormal), row.name, {.anchor = "end"});
  for (const double point : row.points)
    if (is_plottable(point)) draw_dot(svg, axes.area, axes.x(point), y + kPointDistance, 5, colour, 0.35);
  if (!is_plottable(row.value)) return;
  if (is_plottable(row.half_width)) {
    const double low = axes.x(row.value - row.half_width), high = axes.x(row.value + row.half_width);
    svg.line(low, y, high, y, ink);
    svg.line(low, y - kCap, low, y + kCap, ink);
    svg.line(high, y - kCap, high, y + kCap, ink);
  }
  draw_dot(svg, axes.area, axes.x(row.value), y, 9, colour, 1);
}

}  // namespace

std::string interval_chart_svg(const IntervalChart& chart) {
  const double height = kRowHeight * static_cast<double>(std::max<std::size_t>(chart.rows.size(), 1));
  Axes axes{chart.title, chart.x_label, "", {0, 0, kIntervalChartWidth, height}, {}, {}, {}, {}};
  axes.x = {range_of(chart), 0, kIntervalChartWidth};
  axes.y = {{0, 1}, height, 0};
  axes.x_ticks = nice_ticks(axes.x.values.low, axes.x.values.high, 8);
  Svg svg;
  draw_axes(svg, axes);
  for (std::size_t i = 0; i < chart.rows.size(); ++i)
    draw_row(svg, axes, chart.rows[i], (static_cast<double>(i) + 0.5) * kRowHeight);
  return svg.finish(chart.title);
}

}  // namespace gpuvae::apps
