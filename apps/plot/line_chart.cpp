#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/plot/axes.h"
#include "apps/plot/palette.h"
#include "apps/plot/plot.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

using namespace plot;

constexpr double kWidth = 560, kHeight = 340, kLabelGap = 18, kLabelDistance = 30;

struct Points {
  std::vector<double> x, y;  // equally many
  void push(double px, double py) { x.push_back(px), y.push_back(py); }
};

bool is_shown(const LineChart& chart, double x, double y) {
  return is_plottable(x) && is_plottable(y) && !(chart.log_y && y <= 0);
}

Points shown_points(const LineChart& chart) {
  Points all;
  for (const Series& s : chart.series)
    for (const std::vector<double>* ys : {&s.y, &s.low, &s.high})
      for (std::size_t i = 0; i < ys->size(); ++i)
        if (is_shown(chart, s.x[i], (*ys)[i])) all.push(s.x[i], (*ys)[i]);
  return all;
}

Scale y_scale(const LineChart& chart, const std::vector<double>& values, const Box& area) {
  constexpr double kPad = 0.05;
  if (!chart.log_y) return {padded_above_zero(range_of(values), kPad), area.bottom(), area.y};
  if (values.empty()) return {{1, 10}, area.bottom(), area.y, true};
  Range logs = range_of(values);
  logs = padded({std::log(logs.low), std::log(logs.high)}, kPad);
  return {{std::exp(logs.low), std::exp(logs.high)}, area.bottom(), area.y, true};
}

// Ticks stay within the range of the data, since the first x may be 1 and x = 0 may mean nothing.
Ticks x_ticks(const std::vector<double>& xs, const Scale& x) {
  const bool whole = std::all_of(xs.begin(), xs.end(), [](double v) { return v == std::round(v); });
  const Range data = range_of(xs), within = padded(data, 0) == data ? data : x.values;
  return nice_ticks(within.low, within.high, 10, whole ? 1 : 0);
}

Axes make_axes(const LineChart& chart, const Points& all, double height) {
  Axes axes{chart.title, chart.x_label, chart.y_label, {0, 0, kWidth, height}, {}, {}, {}, {}};
  axes.x = {padded(range_of(all.x), 0.02), axes.area.x, axes.area.right()};
  axes.y = y_scale(chart, all.y, axes.area);
  axes.x_ticks = x_ticks(all.x, axes.x);
  const int rows = static_cast<int>(height / 45);
  axes.y_ticks = axes.y.log ? log_ticks(axes.y.values.low, axes.y.values.high, rows)
                            : nice_ticks(axes.y.values.low, axes.y.values.high, rows);
  return axes;
}

struct Curve {
  std::string line, dots;  // path commands: through runs of points; points on their own, or all of them
  double end = NAN;        // height of the last point
  double end_x = NAN;
};

Curve trace(const LineChart& chart, const Series& s, const Axes& axes) {
  Curve curve;
  const auto shown = [&](std::size_t i) { return i < s.x.size() && is_shown(chart, s.x[i], s.y[i]); };
  for (std::size_t i = 0; i < s.x.size(); ++i) {
    if (!shown(i)) continue;
    const bool begins = i == 0 || !shown(i - 1), ends = !shown(i + 1);
    const double x = axes.x(s.x[i]), y = axes.y(s.y[i]);
    const std::string at = fmt::format("{} {}", coordinate(x), coordinate(y));
    if (!(begins && ends)) curve.line += (begins ? "M" : "L") + at;
    if (s.markers || (begins && ends)) curve.dots += fmt::format("M{}h0", at);
    curve.end_x = x;
    curve.end = y;
  }
  return curve;
}

// Draws the band of a series: for each run of points, along `high` and back along `low`.
void draw_band(Svg& svg, const LineChart& chart, const Series& s, const Axes& axes,
               const std::string& colour) {
  const auto shown = [&](std::size_t i) {
    return i < s.low.size() && is_shown(chart, s.x[i], s.low[i]) && is_shown(chart, s.x[i], s.high[i]);
  };
  std::string commands, back;
  for (std::size_t i = 0; i < s.low.size(); ++i) {
    if (!shown(i)) continue;
    const auto at = [&](double y) {
      return fmt::format("{} {}", coordinate(axes.x(s.x[i])), coordinate(axes.y(y)));
    };
    commands += (i == 0 || !shown(i - 1) ? "M" : "L") + at(s.high[i]);
    back = "L" + at(s.low[i]) + back;
    if (shown(i + 1)) continue;
    commands += back + "z";
    back.clear();
  }
  if (commands.empty()) return;
  svg.path(commands, axes.area,
           fmt::format("fill=\"{}\" fill-opacity=\".16\" stroke=\"none\" class=\"band\"", colour));
}

void draw_curve(Svg& svg, const Box& area, const Curve& curve, const std::string& colour, bool dashed) {
  if (!curve.line.empty())
    svg.path(curve.line, area,
             fmt::format(
                 "fill=\"none\" stroke=\"{}\" stroke-width=\"2\" stroke-linejoin=\"round\"{} class=\"data\"",
                 colour, dashed ? " stroke-dasharray=\"7 4\"" : ""));
  if (!curve.dots.empty())
    svg.path(
        curve.dots, area,
        fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"7\" stroke-linecap=\"round\" class=\"data\"",
                    colour));
}

}  // namespace

std::string line_chart_svg(const LineChart& chart) {
  std::size_t named = 0;
  for (const Series& s : chart.series) {
    check(s.x.size() == s.y.size(), "line_chart", "expected as many x as y in series '{}', got {} and {}",
          s.name, s.x.size(), s.y.size());
    check(s.low.size() == s.high.size() && (s.low.empty() || s.low.size() == s.x.size()), "line_chart",
          "expected a band for each of {} points in series '{}', got {} and {} limits", s.x.size(), s.name,
          s.low.size(), s.high.size());
    named += !s.name.empty();
  }
  const double height = std::max(kHeight, static_cast<double>(named) * kLabelGap);
  const Axes axes = make_axes(chart, shown_points(chart), height);
  Svg svg;
  draw_axes(svg, axes);
  std::vector<double> ends;
  std::vector<std::size_t> ending;
  std::vector<Curve> curves;
  const auto colour = [&](std::size_t i) {
    return hex(kLineColours[(chart.colour_by_pair ? i / 2 : i) % kLineColours.size()]);
  };
  for (std::size_t i = 0; i < chart.series.size(); ++i)
    draw_band(svg, chart, chart.series[i], axes, colour(i));
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    curves.push_back(trace(chart, chart.series[i], axes));
    draw_curve(svg, axes.area, curves[i], colour(i), chart.series[i].dashed);
    if (chart.series[i].name.empty() || std::isnan(curves[i].end)) continue;
    ending.push_back(i), ends.push_back(curves[i].end);
  }
  const std::vector<double> heights = spread_labels(ends, kLabelGap, {8, height - 8});
  for (std::size_t k = 0; k < ending.size(); ++k) {
    const Curve& curve = curves[ending[k]];
    const double x = axes.area.right() + kLabelDistance;
    svg.line(curve.end_x + 5, curve.end, x - 3, heights[k],
             fmt::format("stroke=\"{}\" stroke-opacity=\".6\"{}", colour(ending[k]),
                         chart.series[ending[k]].dashed ? " stroke-dasharray=\"4 2.5\"" : ""));
    svg.text(x, middle(heights[k], kNormal), chart.series[ending[k]].name, {.colour = colour(ending[k])});
  }
  return svg.finish(chart.title);
}

}  // namespace gpuvae::apps
