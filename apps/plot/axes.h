// Ticks and scales, and the axes around the area of a plot.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/plot/svg.h"

namespace gpuvae::apps::plot {

// "-1,234.50": groups of three digits, `decimals` decimals, a true minus sign (U+2212), never minus zero.
std::string number_text(double value, int decimals);

struct Ticks {
  std::vector<double> values;
  std::vector<std::string> labels;  // all with the same decimals; as m x 10^n beyond a million
};

// At most `at_most` ticks within [low, high], which are finite and differ. Ticks are multiples of 1, 2 or 5
// times a power of ten and at least `smallest_step` apart, which is 1 for counts.
Ticks nice_ticks(double low, double high, int at_most, double smallest_step = 0);

// The same for a logarithmic axis, 0 < low < high: powers of ten, and 2 and 5 times these where there is
// room.
Ticks log_ticks(double low, double high, int at_most);

// Whether a value can be drawn: it is not NaN, and differences of such values do not overflow.
bool is_plottable(double value);

struct Range {
  double low = 0, high = 1;

  double width() const { return high - low; }
  bool operator==(const Range&) const = default;
};
// The range of the plottable values; {0, 1} if there are none.
Range range_of(std::span<const double> values);
// The range extended by the given fraction on both sides. A single value gets a width.
Range padded(Range range, double fraction);
// The same, but not extended below zero if no value is below zero.
Range padded_above_zero(Range range, double fraction);

// Maps values to pixels.
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

// Draws title, labels, ticks and a light grid. Draw the data afterwards.
void draw_axes(Svg& svg, const Axes& axes);

// Parts of draw_axes, for axes of another kind. Tick labels have been drawn already, and end at `ticks_end`.
void draw_title(Svg& svg, const Box& area, std::string_view title);
void draw_x_label(Svg& svg, const Box& area, double ticks_end, std::string_view label);
void draw_y_label(Svg& svg, const Box& area, double ticks_end, std::string_view label);

// Heights of labels, in the order given: as near to the wanted heights as possible, at least `gap` apart, and
// `within` the range if they fit.
std::vector<double> spread_labels(const std::vector<double>& wanted, double gap, Range within);

}  // namespace gpuvae::apps::plot
