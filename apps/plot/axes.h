// Ticks, scales, and the axes around the plotting area.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "apps/plot/svg.h"

namespace gpuvae::apps::plot {

// Formats a number for a figure, such as "−1,234.50": with commas between groups of three digits, `decimals`
// decimals, a true minus sign (U+2212), and no sign for zero.
std::string number_text(double value, int decimals);

struct Ticks {
  std::vector<double> values;
  // Plain numbers or, from a million on and for very small steps, m x 10^n. The plain numbers of a linear
  // axis have equally many decimals.
  std::vector<std::string> labels;
};

// Returns at most `at_most` ticks in [low, high], where low < high are finite. The distance between ticks is
// 1, 2 or 5 times a power of ten, and at least `smallest_step`, which is 1 for counts.
Ticks nice_ticks(double low, double high, int at_most, double smallest_step = 0);

// Returns the ticks of a logarithmic axis, 0 < low < high: powers of ten with their multiples by 2 and 5 or,
// if these are too many, every power of ten or every k-th one. A range of about one decade or less gets the
// ticks of nice_ticks.
Ticks log_ticks(double low, double high, int at_most);

// Whether a value can be drawn: it is not NaN, and so far from overflow that differences are finite.
bool is_plottable(double value);

struct Range {
  double low = 0, high = 1;

  double width() const { return high - low; }
  bool operator==(const Range&) const = default;
};
// Returns the range of the plottable values, or {0, 1} if there are none.
Range range_of(std::span<const double> values);
// Returns the range extended on both sides by `fraction` of its width. A range of width 0 gets a positive
// width.
Range padded(Range range, double fraction);
// Like padded(), but the result does not extend below zero if `range` does not.
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

// The parts of draw_axes, for figures that draw their own ticks. The tick labels must have been drawn and end
// at `ticks_end`.
void draw_title(Svg& svg, const Box& area, std::string_view title);
void draw_x_label(Svg& svg, const Box& area, double ticks_end, std::string_view label);
void draw_y_label(Svg& svg, const Box& area, double ticks_end, std::string_view label);

// Returns the y coordinates of labels, in the order of `wanted`: as close to the wanted coordinates as
// possible, at least `gap` apart and, if they fit, inside `within`.
std::vector<double> spread_labels(const std::vector<double>& wanted, double gap, Range within);

}  // namespace gpuvae::apps::plot
