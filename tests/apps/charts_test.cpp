#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <locale>
#include <set>

#include "apps/plot/palette.h"
#include "apps/plot/plot.h"
#include "apps/report/model_graph.h"
#include "src/io/stb.h"
#include "tests/apps/svg_reader.h"
#include "tests/special_values.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using plot::Box;
using test::error_of;
using test::expect_sound;
using test::has_text;
using test::kInfinity;
using test::kNan;
using test::path_points;
using test::svg_elements;
using test::svg_texts;
using test::SvgElement;
using test::SvgPoint;

LineChart chart_of(std::vector<Series> series) {
  return {"Loss", "epoch", "nats", std::move(series), false, false};
}

TEST(LineChart, PlacesPointsCorrectly) {
  const std::string svg = line_chart_svg(chart_of({{"a", {1, 2, 3}, {0, 10, 5}, false, false}}));
  expect_sound(svg);
  const auto paths = svg_elements(svg, "path", "data");
  ASSERT_EQ(paths.size(), 1u);
  const std::vector<SvgPoint> p = path_points(paths[0]);
  ASSERT_EQ(p.size(), 3u);
  EXPECT_LT(p[1].y, p[0].y);  // 10 is above 0
  EXPECT_NEAR(p[2].y, (p[0].y + p[1].y) / 2, 0.011);
  EXPECT_NEAR(p[1].x, (p[0].x + p[2].x) / 2, 0.011);
  EXPECT_TRUE(has_text(svg, "Loss") && has_text(svg, "epoch") && has_text(svg, "nats") && has_text(svg, "a"));
  EXPECT_TRUE(has_text(svg, "1") && has_text(svg, "2") && has_text(svg, "3"));
  EXPECT_FALSE(has_text(svg, "1.5"));
}

TEST(LineChart, DrawsBandsAroundLines) {
  Series series{.name = "a", .x = {1, 2, 3, 4, 5}, .y = {5, 5, 5, 5, 5}};
  series.low = {4, 3, kNan, 4, 0};
  series.high = {6, 7, 8, 6, 10};
  const std::string svg = line_chart_svg(chart_of({series}));
  expect_sound(svg);
  const auto bands = svg_elements(svg, "path", "band"), lines = svg_elements(svg, "path", "data");
  ASSERT_EQ(bands.size(), 1u);
  ASSERT_EQ(lines.size(), 1u);
  // Two runs of two points each: along the upper limits, and back along the lower ones.
  const std::vector<SvgPoint> p = path_points(bands[0]), line = path_points(lines[0]);
  ASSERT_EQ(p.size(), 8u);
  const double unit = line[0].y - p[0].y;  // pixels
  EXPECT_GT(unit, 0);
  EXPECT_NEAR(line[0].y - p[1].y, 2 * unit, 0.05);
  EXPECT_NEAR(p[2].y - line[0].y, 2 * unit, 0.05);
  EXPECT_NEAR(p[3].y - line[0].y, unit, 0.05);
  EXPECT_NEAR(line[0].y - p[5].y, 5 * unit, 0.05);
  EXPECT_NEAR(p[2].x, line[1].x, 0.011);
  EXPECT_NEAR(p[5].x, line[4].x, 0.011);
  series.low = {1};
  EXPECT_NE(error_of([&] { line_chart_svg(chart_of({series})); }).find("[line_chart] expected a band"),
            std::string::npos);
}

TEST(IntervalChart, PlacesValuesAndIntervals) {
  const std::string svg = interval_chart_svg(
      {"Settings", "loss", {{"beta=1", 10, 2, {9, 11}}, {"beta=2", 20, kNan, {}}, {"beta=3", kNan, 1, {}}}});
  expect_sound(svg);
  for (const char* text : {"Settings", "loss", "beta=1", "beta=2", "beta=3"})
    EXPECT_TRUE(has_text(svg, text)) << text;
  const auto dots = svg_elements(svg, "path", "data");
  ASSERT_EQ(dots.size(), 4u);  // two points and two values
  const double left = path_points(dots[0])[0].x, right = path_points(dots[1])[0].x;
  EXPECT_NEAR(path_points(dots[2])[0].x, (left + right) / 2, 0.011);
  EXPECT_NEAR(path_points(dots[3])[0].x - path_points(dots[2])[0].x, 5 * (right - left), 0.05);
  expect_sound(interval_chart_svg({"Settings", "loss", {}}));
}

TEST(LineChart, LeavesGapsAndShowsLonePoints) {
  const std::string svg =
      line_chart_svg(chart_of({{"a", {1, 2, 3, 4, 5, 6}, {4, 3, kNan, 2, kInfinity, 1}, true, false}}));
  expect_sound(svg);
  const auto paths = svg_elements(svg, "path", "data");
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_EQ(path_points(paths[0]).size(), 2u);  // the line through 1 and 2
  EXPECT_EQ(path_points(paths[1]).size(), 2u);  // the points 4 and 6
  EXPECT_EQ(paths[0].attributes.count("stroke-dasharray"), 1u);
}

TEST(LineChart, IsSoundForEveryKindOfData) {
  for (const double last : {-620.5, 0.0, 161.0, 1e-9, 3e12}) {
    for (const int epochs : {1, 2, 3, 50, 500}) {
      Series training{"training", {}, {}, true, epochs < 10}, validation{"validation", {}, {}, false, false};
      for (int e = 1; e <= epochs; ++e) {
        training.x.push_back(e), training.y.push_back(last + 292 / (1.0 + e));
        validation.x.push_back(e), validation.y.push_back(last + 280 / (1.0 + e));
      }
      for (const bool log : {false, true}) {
        LineChart chart = chart_of({training, validation});
        chart.log_y = log;
        expect_sound(line_chart_svg(chart));
      }
    }
  }
  expect_sound(line_chart_svg({}));
  expect_sound(line_chart_svg(chart_of({{"constant", {1, 2, 3}, {7, 7, 7}, false, true}})));
  expect_sound(
      line_chart_svg(chart_of({{"nothing", {1, 2}, {kNan, kNan}, false, false}, {"empty", {}, {}}})));
  std::vector<Series> many;
  for (int i = 0; i < 40; ++i) many.push_back({"line " + std::to_string(i), {0, 1}, {1, 2}, false, false});
  expect_sound(line_chart_svg(chart_of(many)));
}

TEST(LineChart, SpacesDecadesEquallyOnALogarithmicAxis) {
  LineChart chart = chart_of({{"a", {1, 2, 3, 4}, {1, 10, 100, -5}, false, false}});
  chart.log_y = true;
  const std::string svg = line_chart_svg(chart);
  const std::vector<SvgPoint> p = path_points(svg_elements(svg, "path", "data")[0]);
  ASSERT_EQ(p.size(), 3u);  // -5 has no logarithm
  EXPECT_NEAR(p[1].y - p[0].y, p[2].y - p[1].y, 0.011);
}

TEST(LineChart, ColoursByPair) {
  LineChart chart = chart_of({{"a", {1, 2}, {1, 2}}, {"b", {1, 2}, {2, 3}}, {"c", {1, 2}, {3, 4}}});
  chart.colour_by_pair = true;
  const auto paths = svg_elements(line_chart_svg(chart), "path", "data");
  EXPECT_EQ(paths[0].attributes.at("stroke"), paths[1].attributes.at("stroke"));
  EXPECT_NE(paths[0].attributes.at("stroke"), paths[2].attributes.at("stroke"));
}

TEST(LineChart, RefusesXAndYOfDifferentLengths) {
  EXPECT_EQ(error_of([] {
              line_chart_svg(chart_of({{"a", {1, 2, 3}, {1, 2}}}));
            }),
            "[line_chart] expected as many x as y in series 'a', got 3 and 2");
}

TEST(Figures, EscapeText) {
  LineChart chart = chart_of({{"<b> & \"c\"", {1, 2}, {1, 2}}});
  chart.title = "a < b & c > d";
  const std::string svg = line_chart_svg(chart);
  expect_sound(svg);
  EXPECT_TRUE(has_text(svg, "a < b & c > d"));
  EXPECT_TRUE(has_text(svg, "<b> & \"c\""));
}

struct DecimalComma : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(Figures, AreTheSameInEveryLocale) {
  const LineChart chart = chart_of({{"a", {1, 2, 3}, {0.25, 12345.5, -1e7}, false, true}});
  const std::string plain = line_chart_svg(chart);
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new DecimalComma));
  EXPECT_EQ(line_chart_svg(chart), plain);
  std::locale::global(before);
}

ScatterPlot cloud(int n) {
  ScatterPlot plot{"Latent means", "z1", "z2", {}, {}, {}, {}, "digit", {}, true, false};
  for (int i = 0; i < n; ++i) {
    plot.x.push_back(static_cast<float>(4 * std::sin(i * 12.9898) * std::cos(0.7 * i)));
    plot.y.push_back(static_cast<float>(2 * std::sin(i * 78.233)));
    plot.labels.push_back(i % 10);
  }
  return plot;
}

std::size_t points_of(const std::string& svg, const std::string& colour = "") {
  std::size_t count = 0;
  for (const SvgElement& e : svg_elements(svg, "path", "data"))
    if (colour.empty() || e.has("stroke", colour)) count += path_points(e).size();
  return count;
}

TEST(Scatter, DrawsEveryPointInItsColourAndStaysSmall) {
  const std::string svg = scatter_svg(cloud(10000));
  expect_sound(svg);
  EXPECT_LT(svg.size(), 250'000u);
  for (const Rgb c : kLabelColours) EXPECT_EQ(points_of(svg, hex(c)), 1000u);
  for (int digit = 0; digit < 10; ++digit) EXPECT_TRUE(has_text(svg, std::to_string(digit)));
  EXPECT_TRUE(has_text(svg, "digit"));
  EXPECT_EQ(scatter_svg(cloud(10000)), svg);
}

TEST(Scatter, InterleavesClassesSoThatNoneIsHidden) {
  const auto paths = svg_elements(scatter_svg(cloud(1000)), "path", "data");
  ASSERT_GE(paths.size(), 40u);  // several rounds of ten classes
  std::set<std::string> first, last;
  for (std::size_t i = 0; i < 10; ++i) {
    first.insert(paths[i].attributes.at("stroke"));
    last.insert(paths[paths.size() - 1 - i].attributes.at("stroke"));
  }
  EXPECT_EQ(first.size(), 10u);
  EXPECT_EQ(last.size(), 10u);
}

TEST(Scatter, UsesOneScaleForBothAxesIfRequested) {
  ScatterPlot plot{"", "", "", {0, 10, 0}, {0, 0, 1}, {}, {}, "", {}, true, false};
  for (const bool equal : {true, false}) {
    plot.equal_scale = equal;
    const std::string svg = scatter_svg(plot);
    expect_sound(svg);
    std::vector<SvgPoint> p;
    for (const SvgElement& e : svg_elements(svg, "path", "data"))
      for (const SvgPoint& q : path_points(e)) p.push_back(q);
    ASSERT_EQ(p.size(), 3u);
    const double ratio = (p[1].x - p[0].x) / (p[0].y - p[2].y);
    EXPECT_EQ(std::abs(ratio - 10) < 0.05, equal) << ratio;
  }
}

TEST(Scatter, ColoursByValueWithTicks) {
  ScatterPlot plot{"",      "", "", {0, 1, 2, 3}, {0, 1, 2, 3}, {}, {0, 5, 10, static_cast<float>(kNan)},
                   "radius"};
  const std::string svg = scatter_svg(plot);
  expect_sound(svg);
  EXPECT_EQ(points_of(svg), 4u);
  EXPECT_EQ(points_of(svg, "#b0b0b0"), 1u);  // the point without a value
  EXPECT_EQ(points_of(svg, hex(sequential_colour(0.5 / 24))), 1u);
  EXPECT_EQ(points_of(svg, hex(sequential_colour(23.5 / 24))), 1u);
  EXPECT_TRUE(has_text(svg, "radius") && has_text(svg, "10"));
}

TEST(Scatter, IsSoundForEveryKindOfData) {
  const auto nan = static_cast<float>(kNan);
  expect_sound(scatter_svg({}));
  expect_sound(scatter_svg({"one", "x", "y", {3}, {4}, {0}, {}, "c", {"a class"}, true, true}));
  expect_sound(scatter_svg({"none", "x", "y", {nan, 1}, {1, nan}, {0, 1}, {}, "c", {}, true, true}));
  expect_sound(scatter_svg({"same", "x", "y", {2, 2}, {5, 5}, {}, {1, 1}, "value", {}, true, false}));
  expect_sound(scatter_svg({"no class", "x", "y", {2, 3}, {5, 5}, {-1, -1}, {}, "c", {}, false, false}));
  expect_sound(
      scatter_svg({"tall", "x", "y", {0, 1}, {0, 1e6f}, {12, 40}, {}, "many classes", {}, true, false}));
}

TEST(Scatter, ClassNamesDoNotOverlap) {
  ScatterPlot plot = cloud(1000);
  plot.name_centres = true;  // all ten have nearly the same centre
  std::vector<Box> names;
  const std::string svg = scatter_svg(plot);
  for (const SvgElement& e : svg_elements(svg, "text"))
    if (e.has("paint-order", "stroke")) names.push_back(test::text_box(e));
  ASSERT_EQ(names.size(), 10u);
  for (std::size_t i = 0; i < names.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_GE(
          std::hypot(names[i].centre_x() - names[j].centre_x(), names[i].centre_y() - names[j].centre_y()),
          14)
          << i << " and " << j;
}

TEST(Scatter, RefusesSizesThatDoNotFit) {
  ScatterPlot plot{"", "", "", {1, 2}, {1}, {}, {}};
  EXPECT_EQ(error_of([&] { scatter_svg(plot); }), "[scatter] expected as many x as y, got 2 and 1");
  plot.y = {1, 2};
  plot.labels = {1};
  EXPECT_EQ(error_of([&] { scatter_svg(plot); }), "[scatter] expected a label for each of 2 points, got 1");
  plot.labels = {1, 2};
  plot.values = {1, 2};
  EXPECT_EQ(error_of([&] { scatter_svg(plot); }), "[scatter] expected labels or values, got both");
  plot.labels.clear(), plot.values = {1};
  EXPECT_EQ(error_of([&] { scatter_svg(plot); }), "[scatter] expected a value for each of 2 points, got 1");
  plot.values.clear(), plot.labels = {0, std::numeric_limits<int>::max()};
  EXPECT_EQ(error_of([&] { scatter_svg(plot); }), "[scatter] expected at most 100 classes, got more");
}

}  // namespace
}  // namespace gpuvae::apps
