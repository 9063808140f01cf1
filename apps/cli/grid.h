// Manifold grids and slider ranges as people write them on the command line.
#pragma once

#include <string>
#include <vector>

namespace gpuvae::apps {

enum class GridKind {
  quantile,  // spaced evenly in probability under N(0, 1): low and high are probabilities
  linear,    // spaced evenly between low and high
  data,      // spaced evenly over the range of the encoded data: all of it, one range for both axes; or, with
             // low and high, between these quantiles of the data, a range for each axis
};

// n x n latent codes over the first two dimensions, further ones 0. `axes` says where z1 grows to, then z2:
// "right-up", "right-down", "left-up", "left-down", "down-right", "up-right", ...
struct Grid {
  GridKind kind = GridKind::quantile;
  int n = 20;
  double low = 0.01, high = 0.99;
  bool per_axis = false;  // of GridKind::data: low and high are given
  std::string axes = "right-up";

  // What distinguishes its pictures' file names.
  const char* name() const;
  bool z1_across() const { return axes[0] == 'r' || axes[0] == 'l'; }
  // Latent values of the columns from the left and the rows from the top; [least, most] is the data's range
  // on that axis.
  std::vector<double> across(double least, double most) const;
  std::vector<double> down(double least, double most) const;

 private:
  std::vector<double> ascending(double least, double most) const;
};

// "quantile:20:0.01:0.99:right-up", "linear:5:-5:5:left-up", "data:20:down-right", "data:12:0.02:0.98",
// several joined by commas, or "none". Parts may be left out from the end.
std::vector<Grid> parse_grids(const std::string& text);
std::string grid_mistake(const std::string& text);  // empty: none

struct SliderRange {
  double low = -3, high = 3, step = 0.05, scale = 1;  // z = value * scale
};
SliderRange parse_sliders(const std::string& text);  // "-15:15:3:0.01"
std::string slider_mistake(const std::string& text);

// Inverse of the standard normal's distribution function, for p in (0, 1).
double normal_quantile(double p);

}  // namespace gpuvae::apps
