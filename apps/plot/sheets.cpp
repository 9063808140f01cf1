// Figures of images: the grid with axes, and the sheet with captions.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "apps/plot/axes.h"
#include "apps/plot/plot.h"
#include "kernels/check.h"

namespace gpuvae::apps {
namespace {

using namespace plot;

constexpr double kSheetTickLength = 5, kSheetTickGap = 4;

// CSS pixels per pixel of the image: a whole number, so that all pixels are equally large.
double zoom_for(double size, double wanted) { return std::max(1.0, std::round(wanted / size)); }

void check_cells(const char* what, std::size_t cells, const char* side, int pixels) {
  check(cells > 0 && pixels > 0 && pixels % static_cast<int>(cells) == 0, "grid",
        "expected a number of {} that divides the image's {} of {}, got {}", what, side, pixels, cells);
}

// Labels every k-th cell, counted from both ends: at most about 15 labels, at least one line of text apart.
std::vector<std::size_t> labelled_cells(std::size_t cells, double cell_size) {
  constexpr double kMax = 15, kClosest = 17;
  const double crowd = std::max(static_cast<double>(cells) / kMax, kClosest / cell_size);
  const auto step = static_cast<std::size_t>(std::ceil(crowd));
  std::vector<std::size_t> labelled;
  for (std::size_t i = 0; i < cells; ++i) {
    if (std::min(i, cells - 1 - i) % step != 0) continue;
    if (labelled.empty() || static_cast<double>(i - labelled.back()) * cell_size >= kClosest)
      labelled.push_back(i);
  }
  return labelled;
}

void draw_grid_ticks(Svg& svg, const GridPlot& plot, const Box& area) {
  const std::string ink = fmt::format("stroke=\"{}\"", kSoftInk);
  const double gap = kSheetTickLength + kSheetTickGap;
  double widest_x = 0, widest_y = 0;
  const double across = area.width / static_cast<double>(plot.x_ticks.size());
  for (const double z : plot.x_ticks) widest_x = std::max(widest_x, text_width(number_text(z, 2), kNormal));
  const bool turned = widest_x + 8 > across;
  for (const std::size_t i : labelled_cells(plot.x_ticks.size(), across)) {
    const double x = area.x + (static_cast<double>(i) + 0.5) * across;
    const std::string label = number_text(plot.x_ticks[i], 2);
    svg.line(x, area.bottom(), x, area.bottom() + kSheetTickLength, ink);
    if (turned)
      svg.text(middle(x, kNormal), area.bottom() + gap, label, {.anchor = "end", .upwards = true});
    else
      svg.text(x, area.bottom() + gap + 0.75 * kNormal, label, {.anchor = "middle"});
  }
  const double down = area.height / static_cast<double>(plot.y_ticks.size());
  for (const std::size_t i : labelled_cells(plot.y_ticks.size(), down)) {
    const double y = area.y + (static_cast<double>(i) + 0.5) * down;
    const std::string label = number_text(plot.y_ticks[i], 2);
    svg.line(area.x - kSheetTickLength, y, area.x, y, ink);
    svg.text(area.x - gap, middle(y, kNormal), label, {.anchor = "end"});
    widest_y = std::max(widest_y, text_width(label, kNormal));
  }
  draw_x_label(svg, area, area.bottom() + gap + (turned ? widest_x : kNormal), plot.x_label);
  draw_y_label(svg, area, area.x - gap - widest_y, plot.y_label);
}

void check_sheet(const LabelledSheet& sheet) {
  const io::Gray* first = nullptr;
  std::size_t columns = 0;
  for (const SheetRow& row : sheet.rows) {
    columns = std::max(columns, row.images.size());
    for (const io::Gray& image : row.images) {
      if (!first) first = &image;
      check(image.width == first->width && image.height == first->height, "sheet",
            "expected images of one size, {} x {}, got {} x {}", first->width, first->height, image.width,
            image.height);
    }
  }
  check(first && first->width > 0 && first->height > 0, "sheet", "expected at least one image, got none");
  check(sheet.column_names.empty() || sheet.column_names.size() == columns, "sheet",
        "expected as many column names as columns ({}), got {}", columns, sheet.column_names.size());
}

}  // namespace

std::string grid_svg(const GridPlot& plot) {
  check_cells("columns", plot.x_ticks.size(), "width", plot.image.width);
  check_cells("rows", plot.y_ticks.size(), "height", plot.image.height);
  // A wide grid fits a page's column, and a tall one fits a screen.
  const double zoom = std::min(zoom_for(plot.image.width, 560), zoom_for(plot.image.height, 760));
  const Box area{0, 0, plot.image.width * zoom, plot.image.height * zoom};
  Svg svg;
  svg.image(area, plot.image);
  draw_grid_ticks(svg, plot, area);
  draw_title(svg, area, plot.title);
  return svg.finish(plot.title);
}

std::string labelled_sheet_svg(const LabelledSheet& sheet) {
  constexpr double kGap = 4, kGroupGap = 16, kCell = 60;
  check_sheet(sheet);
  const auto with_images =
      std::find_if(sheet.rows.begin(), sheet.rows.end(), [](auto& r) { return !r.images.empty(); });
  const io::Gray& first = with_images->images.front();
  const double zoom = zoom_for(first.width, kCell);
  double width = first.width * zoom;
  const double height = first.height * zoom;
  for (const std::string& name : sheet.column_names)
    width = std::max(width, text_width(name, kNormal) + kGap);
  Svg svg;
  double y = 0;
  for (std::size_t i = 0; i < sheet.column_names.size(); ++i)
    svg.text(static_cast<double>(i) * (width + kGap) + width / 2, -8, sheet.column_names[i],
             {.anchor = "middle"});
  double widest = 0;
  for (const SheetRow& row : sheet.rows) {
    if (row.gap_above && y > 0) y += kGroupGap;
    svg.text(-12, middle(y + height / 2, kLarge), row.caption, {.size = kLarge, .anchor = "end"});
    widest = std::max(widest, text_width(row.caption, kLarge));
    for (std::size_t i = 0; i < row.images.size(); ++i)
      svg.image({static_cast<double>(i) * (width + kGap) + (width - first.width * zoom) / 2, y,
                 first.width * zoom, height},
                row.images[i]);
    y += height + kGap;
  }
  svg.text(widest > 0 ? -12 - widest : 0, sheet.column_names.empty() ? -18 : -38, sheet.title,
           {.size = kTitle, .bold = true});
  return svg.finish(sheet.title);
}

}  // namespace gpuvae::apps
