// Figures as SVG text: self-contained (rasters are PNG data URIs), the same bytes for the same data in every
// locale, sized in CSS pixels to their content. Text is UTF-8. NaN and infinity are left out, empty data
// leave empty axes. Colours are those of palette.h. All throw Error "[figure] expected ..., got ..." where
// sizes do not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/io/image.h"

namespace gpuvae::apps {

struct Series {
  std::string name = {};               // stands at the line's end; may be empty
  std::vector<double> x = {}, y = {};  // a gap where either is not finite
  bool dashed = false, markers = false;
};

struct LineChart {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<Series> series = {};
  bool log_y = false;           // leaves out what is not positive
  bool colour_by_pair = false;  // series 2i and 2i + 1 share a colour: training dashed, validation solid
};
// Whole numbers on the x axis where all x are whole: epochs.
std::string line_chart_svg(const LineChart& chart);

// Classes beyond the tenth repeat the colours; at most 100. About 15 bytes a point.
struct ScatterPlot {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<float> x = {}, y = {};
  std::vector<int> labels = {};    // a class a point, negative: none; or empty
  std::vector<float> values = {};  // a continuous colour a point; or empty, as it must be beside labels
  std::string colour_label = {};   // over the colour bar: "digit"
  std::vector<std::string> label_names = {};  // of classes 0, 1, ...; their numbers where missing
  bool equal_scale = false;                   // a unit is as long on both axes
  bool name_centres = false;                  // each class' name at its medians, too
};
std::string scatter_svg(const ScatterPlot& plot);

// A sheet of equal cells, as from io::image_grid without gaps.
struct GridPlot {
  std::string title = {}, x_label = {}, y_label = {};
  io::Gray image = {};
  // A value for each column from the left, and for each row from the top.
  std::vector<double> x_ticks = {}, y_ticks = {};
};
std::string grid_svg(const GridPlot& plot);

struct BarChart {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<std::string> names = {};  // numbers are thinned out where they do not fit
  std::vector<double> values = {};
  std::optional<double> reference_line = {};
  std::string reference_name = {};
};
std::string bar_chart_svg(const BarChart& chart);

struct SheetRow {
  std::string caption = {};
  std::vector<io::Gray> images = {};  // all of a sheet have one size
  bool gap_above = false;             // begins another group of rows
};
struct LabelledSheet {
  std::string title = {};
  std::vector<SheetRow> rows = {};
  std::vector<std::string> column_names = {};  // over the columns; or empty
};
// Captions on the left, images in columns.
std::string labelled_sheet_svg(const LabelledSheet& sheet);

}  // namespace gpuvae::apps
