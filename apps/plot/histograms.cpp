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

constexpr double kPanelWidth = 176, kPanelHeight = 84, kPanelGap = 22, kPanelHead = 36, kPanelFoot = 20;

// The text, shortened so that it fits.
std::string fitted(std::string text, double width, double size, bool bold) {
  if (text_width(text, size, bold) <= width) return text;
  while (!text.empty() && text_width(text + "…", size, bold) > width) {
    do text.pop_back();
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80);
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) text.pop_back();
  }
  return text + "…";
}

void draw_columns(Svg& svg, const Box& area, const std::vector<double>& shares, double largest) {
  const double width = area.width / static_cast<double>(shares.size());
  const std::string fill =
      fmt::format("fill=\"{}\" fill-opacity=\"0.32\" class=\"data\"", hex(kLineColours[0]));
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double height = area.height * shares[i] / largest;
    svg.rect({area.x + static_cast<double>(i) * width, area.bottom() - height, width, height}, fill);
  }
}

void draw_outline(Svg& svg, const Box& area, const std::vector<double>& shares, double largest) {
  const double width = area.width / static_cast<double>(shares.size());
  std::string path = fmt::format("M{} {}", coordinate(area.x), coordinate(area.bottom()));
  for (std::size_t i = 0; i < shares.size(); ++i)
    path += fmt::format("V{}H{}", coordinate(area.bottom() - area.height * shares[i] / largest),
                        coordinate(area.x + static_cast<double>(i + 1) * width));
  path += fmt::format("V{}", coordinate(area.bottom()));
  svg.path(
      path, area,
      fmt::format("fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" stroke-linejoin=\"round\" class=\"data\"",
                  hex(kLineColours[1])));
}

void draw_panel(Svg& svg, const HistogramPanel& panel, const Box& area) {
  svg.text(area.x, area.y - 19, fitted(panel.title, area.width, kNormal, true), {.bold = true});
  svg.text(area.x, area.y - 5, fitted(panel.note, area.width, 11, false), {.size = 11, .colour = kSoftInk});
  double largest = 0;
  for (const std::vector<double>* shares : {&panel.first, &panel.second})
    for (const double share : *shares) largest = std::max(largest, share);
  if (largest > 0) {
    draw_columns(svg, area, panel.first, largest);
    draw_outline(svg, area, panel.second, largest);
  }
  svg.line(area.x, area.bottom(), area.right(), area.bottom(), fmt::format("stroke=\"{}\"", kSoftInk));
  const TextStyle small{.size = 11, .colour = kSoftInk};
  TextStyle right = small;
  right.anchor = "end";
  svg.text(area.x, area.bottom() + 14, panel.low, small);
  svg.text(area.right(), area.bottom() + 14, panel.high, right);
}

// The names of the two distributions, each with a sample of how it is drawn.
void draw_legend(Svg& svg, const HistogramSheet& sheet, double y) {
  const double size = 12;
  svg.rect({0, y - size + 2, 18, size - 2},
           fmt::format("fill=\"{}\" fill-opacity=\"0.32\"", hex(kLineColours[0])));
  svg.text(24, y, sheet.first_name);
  const double second = 24 + text_width(sheet.first_name, kNormal) + 24;
  svg.line(second, y - 4, second + 18, y - 4,
           fmt::format("stroke=\"{}\" stroke-width=\"1.8\"", hex(kLineColours[1])));
  svg.text(second + 24, y, sheet.second_name);
}

}  // namespace

std::string histogram_sheet_svg(const HistogramSheet& sheet) {
  check(sheet.columns > 0, "histogram_sheet", "expected 1 or more columns, got {}", sheet.columns);
  Svg svg;
  svg.text(0, 0, sheet.title, {.size = kTitle, .bold = true});
  draw_legend(svg, sheet, 26);
  const auto columns = static_cast<std::size_t>(sheet.columns);
  for (std::size_t i = 0; i < sheet.panels.size(); ++i) {
    const HistogramPanel& panel = sheet.panels[i];
    check(!panel.first.empty() && panel.first.size() == panel.second.size(), "histogram_sheet",
          "expected as many bins of both kinds, got {} and {}", panel.first.size(), panel.second.size());
    const double x = static_cast<double>(i % columns) * (kPanelWidth + kPanelGap);
    const double y = 44 + static_cast<double>(i / columns) * (kPanelHead + kPanelHeight + kPanelFoot + 8);
    draw_panel(svg, panel, {x, y + kPanelHead, kPanelWidth, kPanelHeight});
  }
  return svg.finish(sheet.title);
}

}  // namespace gpuvae::apps
