// Manifold grids and slider ranges in the notation of --manifold and --sliders.
#pragma once

#include <string>
#include <vector>

namespace gpuvae::apps {

enum class GridKind {
  quantile,  // evenly spaced in probability under N(0, 1), from probability `low` to `high`
  linear,    // evenly spaced from `low` to `high`
  // Evenly spaced over the range of the encoded data. By default, this is the whole range of the data, the
  // same for both axes. If `low` and `high` are given, each axis has its own range, between these quantiles
  // of the data.
  data,
};

// n x n latent codes over the first two dimensions; the others are 0. `axes` names the direction in which z1
// grows, then that of z2: "right-up", "right-down", "left-up", "left-down", "down-right", "up-right", ...
struct Grid {
  GridKind kind = GridKind::quantile;
  int n = 20;
  double low = 0.01, high = 0.99;
  bool per_axis = false;  // of GridKind::data: low and high are given
  std::string axes = "right-up";

  // The name of the kind, which is part of the file names of pictures.
  const char* name() const;
  bool z1_across() const { return axes[0] == 'r' || axes[0] == 'l'; }
  // Latent values of the columns from left to right, and of the rows from top to bottom. [least, most] is the
  // range of the data on that axis.
  std::vector<double> across(double least, double most) const;
  std::vector<double> down(double least, double most) const;

 private:
  std::vector<double> ascending(double least, double most) const;
};

// Reads "quantile:20:0.01:0.99:right-up", "linear:5:-5:5:left-up", "data:20:down-right", "data:12:0.02:0.98",
// several such grids separated by commas, or "none". Trailing parts may be omitted. Throws
// std::invalid_argument.
std::vector<Grid> parse_grids(const std::string& text);
// Returns "expected X, got Y" for a text that parse_grids rejects, otherwise an empty string.
std::string grid_mistake(const std::string& text);

struct SliderRange {
  double low = -3, high = 3, step = 0.05, scale = 1;  // z = value * scale
};
SliderRange parse_sliders(const std::string& text);  // "-15:15:3:0.01"
std::string slider_mistake(const std::string& text);

// Quantile function of the standard normal distribution, for p in (0, 1).
double normal_quantile(double p);

}  // namespace gpuvae::apps
