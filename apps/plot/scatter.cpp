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

constexpr double kScatterWidth = 540, kScatterHeight = 420, kLowest = 300;
constexpr int kColours = 24;  // number of steps of a continuous scale
constexpr int kMaxClasses = 100;
constexpr double kBarDistance = 26, kBarWidth = 18;
constexpr const char* kNoClass = "#b0b0b0";

// Points of one colour.
struct Group {
  std::string colour;
  std::vector<std::size_t> points;
};

bool is_point_shown(const ScatterPlot& plot, std::size_t i) {
  return is_plottable(plot.x[i]) && is_plottable(plot.y[i]);
}

int class_count(const ScatterPlot& plot) {
  if (plot.labels.empty()) return 0;
  const int largest = *std::max_element(plot.labels.begin(), plot.labels.end());
  return std::max(std::min(largest, kMaxClasses) + 1, static_cast<int>(plot.label_names.size()));
}

std::string class_name(const ScatterPlot& plot, int label) {
  return label < static_cast<int>(plot.label_names.size()) ? plot.label_names[label]
                                                           : fmt::format("{}", label);
}

std::string class_colour(int label) { return hex(kLabelColours[label % kLabelColours.size()]); }

Range value_range(const ScatterPlot& plot) {
  const std::vector<double> values(plot.values.begin(), plot.values.end());
  return padded(range_of(values), 0);
}

std::vector<Group> groups_of(const ScatterPlot& plot) {
  const bool classes = !plot.labels.empty(), continuous = !plot.values.empty();
  std::vector<Group> groups{{classes || continuous ? kNoClass : hex(kLineColours[0]), {}}};
  const int count = classes ? class_count(plot) : continuous ? kColours : 0;
  for (int i = 0; i < count; ++i)
    groups.push_back({classes ? class_colour(i) : hex(sequential_colour((i + 0.5) / kColours)), {}});
  const Range range = value_range(plot);
  for (std::size_t i = 0; i < plot.x.size(); ++i) {
    if (!is_point_shown(plot, i)) continue;
    int group = 0;
    if (classes && plot.labels[i] >= 0) group = plot.labels[i] + 1;
    if (continuous && is_plottable(plot.values[i]))
      group =
          std::min(kColours, 1 + static_cast<int>((plot.values[i] - range.low) / range.width() * kColours));
    groups[group].points.push_back(i);
  }
  return groups;
}

Axes make_scatter_axes(const ScatterPlot& plot) {
  std::vector<double> xs, ys;
  for (std::size_t i = 0; i < plot.x.size(); ++i)
    if (is_point_shown(plot, i)) xs.push_back(plot.x[i]), ys.push_back(plot.y[i]);
  constexpr double kPad = 0.03;
  Range x = padded(range_of(xs), kPad), y = padded(range_of(ys), kPad);
  double height = kScatterHeight;
  if (plot.equal_scale) {
    height = std::clamp(kScatterWidth * y.width() / x.width(), kLowest, kScatterWidth);
    const double unit = std::max(x.width() / kScatterWidth, y.width() / height);  // of the values, a pixel
    const double more_x = (unit * kScatterWidth - x.width()) / 2, more_y = (unit * height - y.width()) / 2;
    x = {x.low - more_x, x.high + more_x};
    y = {y.low - more_y, y.high + more_y};
  }
  Axes axes{plot.title, plot.x_label, plot.y_label, {0, 0, kScatterWidth, std::round(height)},
            {},         {},           {},           {}};
  axes.x = {x, axes.area.x, axes.area.right()};
  axes.y = {y, axes.area.bottom(), axes.area.y};
  axes.x_ticks = nice_ticks(x.low, x.high, 9);
  axes.y_ticks = nice_ticks(y.low, y.high, std::max(4, static_cast<int>(height / 55)));
  return axes;
}

// Draws the classes in turns, so that no class hides the others.
void draw_points(Svg& svg, const ScatterPlot& plot, const Axes& axes, const std::vector<Group>& groups) {
  constexpr std::size_t kTurns = 8;
  std::size_t shown = 0;
  for (const Group& g : groups) shown += g.points.size();
  const double size = std::clamp(60 / std::sqrt(std::sqrt(std::max<double>(1, shown))) / 2, 2.2, 7.0);
  for (std::size_t turn = 0; turn < kTurns; ++turn)
    for (const Group& g : groups) {
      std::string commands;
      for (std::size_t i = turn; i < g.points.size(); i += kTurns) {
        const double x = axes.x(plot.x[g.points[i]]), y = axes.y(plot.y[g.points[i]]);
        commands +=
            fmt::format("M{} {}h0", coordinate(std::round(x * 10) / 10), coordinate(std::round(y * 10) / 10));
      }
      if (commands.empty()) continue;
      svg.path(commands, axes.area,
               fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" "
                           "stroke-opacity=\".7\" class=\"data\"",
                           g.colour, coordinate(size)));
    }
}

double median(std::vector<double> values) {
  const auto half = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), half, values.end());
  return *half;
}

struct Name {
  std::string text;
  double x, y;
};

// Names that would cover each other are moved apart, as little as possible.
void spread(std::vector<Name>& names) {
  constexpr double kApart = 19;
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t j = 0; j < i; ++j) {
        Name &a = names[i], &b = names[j];
        const double right = b.x - a.x, down = b.y == a.y ? 0.01 : b.y - a.y;
        const double distance = std::hypot(right, down),
                     push = std::max(kApart - distance, 0.0) / 2 / distance;
        a.x -= push * right;
        a.y -= push * down;
        b.x += push * right;
        b.y += push * down;
      }
}

void name_centres(Svg& svg, const ScatterPlot& plot, const Axes& axes, const std::vector<Group>& groups) {
  std::vector<Name> names;
  for (std::size_t group = 1; group < groups.size(); ++group) {
    std::vector<double> xs, ys;
    for (const std::size_t i : groups[group].points) xs.push_back(plot.x[i]), ys.push_back(plot.y[i]);
    if (xs.empty()) continue;
    names.push_back({class_name(plot, static_cast<int>(group) - 1), axes.x(median(xs)), axes.y(median(ys))});
  }
  spread(names);
  for (const Name& n : names)
    svg.text(n.x, middle(n.y, kTitle), n.text,
             {.size = kTitle, .anchor = "middle", .bold = true, .halo = true});
}

void draw_class_bar(Svg& svg, const ScatterPlot& plot, const Axes& axes) {
  const int count = class_count(plot);
  const double x = axes.area.right() + kBarDistance,
               step = std::min(26.0, std::max(16.0, axes.area.height / count));
  const double top = axes.area.centre_y() - step * count / 2;
  svg.text(x, top - 10, plot.colour_label);
  for (int i = 0; i < count; ++i) {
    svg.rect({x, top + i * step, kBarWidth, step}, fmt::format("fill=\"{}\"", class_colour(i)));
    svg.text(x + kBarWidth + 8, middle(top + (i + 0.5) * step, kNormal), class_name(plot, i));
  }
}

void draw_value_bar(Svg& svg, const ScatterPlot& plot, const Axes& axes) {
  const Range range = value_range(plot);
  const double x = axes.area.right() + kBarDistance, height = 0.8 * axes.area.height,
               step = height / kColours;
  const Scale scale{range, axes.area.centre_y() + height / 2, axes.area.centre_y() - height / 2};
  svg.text(x, scale.to - 14, plot.colour_label);
  for (int i = 0; i < kColours; ++i)
    svg.rect({x, scale.from - (i + 1) * step, kBarWidth, step},
             fmt::format("fill=\"{}\" shape-rendering=\"crispEdges\"",
                         hex(sequential_colour((i + 0.5) / kColours))));
  const Ticks ticks = nice_ticks(range.low, range.high, 7);
  for (std::size_t i = 0; i < ticks.values.size(); ++i) {
    const double y = scale(ticks.values[i]);
    svg.line(x + kBarWidth, y, x + kBarWidth + 4, y, fmt::format("stroke=\"{}\"", kSoftInk));
    svg.text(x + kBarWidth + 8, middle(y, kNormal), ticks.labels[i]);
  }
}

}  // namespace

std::string scatter_svg(const ScatterPlot& plot) {
  const std::size_t n = plot.x.size();
  check(plot.y.size() == n, "scatter", "expected as many x as y, got {} and {}", n, plot.y.size());
  check(plot.labels.empty() || plot.labels.size() == n, "scatter",
        "expected a label for each of {} points, got {}", n, plot.labels.size());
  check(plot.values.empty() || plot.values.size() == n, "scatter",
        "expected a value for each of {} points, got {}", n, plot.values.size());
  check(class_count(plot) <= kMaxClasses, "scatter", "expected at most {} classes, got more", kMaxClasses);
  check(plot.labels.empty() || plot.values.empty(), "scatter", "expected labels or values, got both");
  const Axes axes = make_scatter_axes(plot);
  const std::vector<Group> groups = groups_of(plot);
  Svg svg;
  draw_axes(svg, axes);
  draw_points(svg, plot, axes, groups);
  if (class_count(plot) > 0) {
    if (plot.name_centres) name_centres(svg, plot, axes, groups);
    draw_class_bar(svg, plot, axes);
  }
  if (!plot.values.empty()) draw_value_bar(svg, plot, axes);
  return svg.finish(plot.title);
}

}  // namespace gpuvae::apps
