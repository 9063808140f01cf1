// Figures as SVG text in UTF-8. A figure is self-contained (images are PNG data URIs), has the same bytes for
// the same data in every locale, and is as large as its content. NaN and infinity are not drawn, and empty
// data give empty axes. The colours are those of palette.h. All functions throw Error "[figure] expected ...,
// got ..." if sizes do not match.
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
  // A band around the line, from `low` to `high` at each x; or none. It has a gap where either is not finite.
  std::vector<double> low = {}, high = {};
};

struct LineChart {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<Series> series = {};
  bool log_y = false;           // does not draw values that are not positive
  bool colour_by_pair = false;  // series 2i and 2i + 1 share a colour
};
// If all x are whole numbers, the ticks of the x axis are whole numbers too.
std::string line_chart_svg(const LineChart& chart);

// At most 100 classes, of which those beyond the tenth repeat the colours. A point takes about 15 bytes.
struct ScatterPlot {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<float> x = {}, y = {};
  // Either a class per point (negative: none) or a quantity per point, or neither.
  std::vector<int> labels = {};
  std::vector<float> values = {};
  std::string colour_label = {};              // title of the legend: "digit"
  std::vector<std::string> label_names = {};  // of classes 0, 1, ...; a class without a name shows its number
  bool equal_scale = false;                   // a unit has the same length on both axes
  bool name_centres = false;                  // also writes each class's name at the median of its points
};
std::string scatter_svg(const ScatterPlot& plot);

// An image that consists of equal cells, such as that of io::image_grid without gaps.
struct GridPlot {
  std::string title = {}, x_label = {}, y_label = {};
  io::Gray image = {};
  // A value per column from left to right, and per row from top to bottom.
  std::vector<double> x_ticks = {}, y_ticks = {};
};
std::string grid_svg(const GridPlot& plot);

// Values with intervals, one below the other.
struct IntervalRow {
  std::string name = {};
  double value = 0, half_width = 0;  // no interval if half_width is not finite
  std::vector<double> points = {};   // single values, drawn as small dots
};
struct IntervalChart {
  std::string title = {}, x_label = {};
  std::vector<IntervalRow> rows = {};  // from top to bottom
};
std::string interval_chart_svg(const IntervalChart& chart);

struct BarChart {
  std::string title = {}, x_label = {}, y_label = {};
  std::vector<std::string> names = {};  // if they do not fit, only every k-th is drawn
  std::vector<double> values = {};
  std::optional<double> reference_line = {};
  std::string reference_name = {};
};
std::string bar_chart_svg(const BarChart& chart);

// Two distributions of one quantity: the share of the values in each of equally wide bins. The first one is
// drawn as bars, the second one as a line.
struct HistogramPanel {
  std::string title = {}, note = {};
  std::string low = {}, high = {};  // the ends of the range of the bins
  std::vector<double> first = {}, second = {};
};
struct HistogramSheet {
  std::string title = {}, first_name = {}, second_name = {};
  std::vector<HistogramPanel> panels = {};
  int columns = 5;  // panels side by side
};
std::string histogram_sheet_svg(const HistogramSheet& sheet);

struct SheetRow {
  std::string caption = {};
  std::vector<io::Gray> images = {};  // all images of a sheet have the same size
  bool gap_above = false;             // starts a new group of rows
};
struct LabelledSheet {
  std::string title = {};
  std::vector<SheetRow> rows = {};
  std::vector<std::string> column_names = {};  // above the columns; or empty
};
// Captions on the left, images in columns.
std::string labelled_sheet_svg(const LabelledSheet& sheet);

}  // namespace gpuvae::apps
