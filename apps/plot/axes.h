// Ticks, scales and the axes around a plot's area.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/plot/svg.h"

namespace gpuvae::apps::plot {

// "-1,234.50": digits in groups of three, fixed decimals, a true minus sign (U+2212), never minus zero.
std::string number_text(double value, int decimals);

struct Ticks {
  std::vector<double> values;
  std::vector<std::string> labels;  // all with the same decimals; as m x 10^n beyond a million
};

// At most `at_most` multiples of 1, 2 or 5 times a power of ten within [low, high], which are finite and
// differ; at least `smallest_step` apart: 1 for things that are counted.
Ticks nice_ticks(double low, double high, int at_most, double smallest_step = 0);

// The same for a logarithmic axis, 0 < low < high: powers of ten, and 2 and 5 times these where there is
// room.
Ticks log_ticks(double low, double high, int at_most);

// Neither NaN nor so large that differences overflow: what can be drawn.
bool is_plottable(double value);

struct Range {
  double low = 0, high = 1;

  double width() const { return high - low; }
  bool operator==(const Range&) const = default;
};
// The range of the plottable values; {0, 1} if there are none.
Range range_of(std::span<const double> values);
// Wider by the given fraction on both sides; a single value gets a width.
Range padded(Range range, double fraction);
// The same, but not below zero where no value is.
Range padded_above_zero(Range range, double fraction);

// From values to pixels.
struct Scale {
  Range values;
  double from = 0, to = 1;  // pixels of values.low and values.high
  bool log = false;

  double operator()(double value) const;
};

struct Axes {
  std::string title, x_label, y_label;
  Box area;
  Scale x, y;
  Ticks x_ticks, y_ticks;
};

// Title, labels, ticks and a light grid; the data go on top.
void draw_axes(Svg& svg, const Axes& axes);

// The parts of it: for axes of another kind. Tick labels have been drawn already, and reach as far as
// `ticks_end`.
void draw_title(Svg& svg, const Box& area, std::string_view title);
void draw_x_label(Svg& svg, const Box& area, double ticks_end, std::string_view label);
void draw_y_label(Svg& svg, const Box& area, double ticks_end, std::string_view label);

// Where labels at the wanted heights go, in the order given: moved as little as possible so that neighbours
// are `gap` apart, and all `within`, if they fit.
std::vector<double> spread_labels(const std::vector<double>& wanted, double gap, Range within);

}  // namespace gpuvae::apps::plot
