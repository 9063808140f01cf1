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
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using plot::Box;
using test::error_of;
using test::expect_sound;
using test::path_points;
using test::svg_elements;
using test::svg_texts;
using test::SvgElement;
using test::SvgPoint;

const double kNan = std::nan(""), kInfinity = std::numeric_limits<double>::infinity();

bool has_text(const std::string& svg, const std::string& text) {
  const auto texts = svg_texts(svg);
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

LineChart chart_of(std::vector<Series> series) {
  return {"Loss", "epoch", "nats", std::move(series), false, false};
}

TEST(LineChart, PutsPointsAtTheirPlaces) {
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

TEST(LineChart, OnALogarithmicAxisGivesDecadesEqualRoom) {
  LineChart chart = chart_of({{"a", {1, 2, 3, 4}, {1, 10, 100, -5}, false, false}});
  chart.log_y = true;
  const std::string svg = line_chart_svg(chart);
  const std::vector<SvgPoint> p = path_points(svg_elements(svg, "path", "data")[0]);
  ASSERT_EQ(p.size(), 3u);  // no logarithm of -5
  EXPECT_NEAR(p[1].y - p[0].y, p[2].y - p[1].y, 0.011);
}

TEST(LineChart, ColoursByPair) {
  LineChart chart = chart_of({{"a", {1, 2}, {1, 2}}, {"b", {1, 2}, {2, 3}}, {"c", {1, 2}, {3, 4}}});
  chart.colour_by_pair = true;
  const auto paths = svg_elements(line_chart_svg(chart), "path", "data");
  EXPECT_EQ(paths[0].attributes.at("stroke"), paths[1].attributes.at("stroke"));
  EXPECT_NE(paths[0].attributes.at("stroke"), paths[2].attributes.at("stroke"));
}

TEST(LineChart, RefusesSeriesOfTwoLengths) {
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

TEST(Scatter, LetsNoClassHideTheOthers) {
  const auto paths = svg_elements(scatter_svg(cloud(1000)), "path", "data");
  ASSERT_GE(paths.size(), 40u);  // several turns of ten classes
  std::set<std::string> first, last;
  for (std::size_t i = 0; i < 10; ++i) {
    first.insert(paths[i].attributes.at("stroke"));
    last.insert(paths[paths.size() - 1 - i].attributes.at("stroke"));
  }
  EXPECT_EQ(first.size(), 10u);
  EXPECT_EQ(last.size(), 10u);
}

TEST(Scatter, GivesAUnitTheSameLengthOnBothAxesWhereAsked) {
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
  EXPECT_EQ(points_of(svg, "#b0b0b0"), 1u);  // without a value
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

TEST(Scatter, NamesOfClassesDoNotCoverEachOther) {
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

io::Gray shades(int width, int height) {
  io::Gray image{width, height, {}};
  for (int i = 0; i < width * height; ++i) image.pixels.push_back(static_cast<std::uint8_t>(i * 7));
  return image;
}

std::string decode_base64(const std::string& text) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text.substr(0, text.find('='))) {
    bits = bits << 6 | static_cast<std::uint32_t>(digits.find(c));
    if ((count += 6) >= 8) bytes += static_cast<char>(bits >> (count -= 8) & 255);
  }
  return bytes;
}

TEST(GridPlot, HoldsTheImagePixelByPixel) {
  const io::Gray image = shades(5 * 28, 5 * 28);
  const std::vector<double> z = {5, 2.5, 0, -2.5, -5};
  const std::string svg = grid_svg({"Manifold", "z1", "z2", image, {-5, -2.5, 0, 2.5, 5}, z});
  expect_sound(svg);
  const SvgElement e = svg_elements(svg, "image")[0];
  const std::string head = "data:image/png;base64,", href = e.attributes.at("href");
  ASSERT_EQ(href.substr(0, head.size()), head);
  io::Gray back;
  ASSERT_EQ(io::decode_image(decode_base64(href.substr(head.size())), back), nullptr);
  EXPECT_EQ(back.pixels, image.pixels);
  EXPECT_EQ(e.attributes.at("style"), "image-rendering:pixelated");
  EXPECT_EQ(std::fmod(e.box().width, 5 * 28), 0);  // whole pixels
  EXPECT_EQ(svg_texts(svg),
            (std::vector<std::string>{"−5.00", "−2.50", "0.00", "2.50", "5.00",  //
                                      "5.00", "2.50", "0.00", "−2.50", "−5.00", "z1", "z2", "Manifold"}));
  // The middle column's label is centred below it, and the middle row's beside it.
  const auto texts = svg_elements(svg, "text");
  EXPECT_NEAR(test::text_box(texts[2]).centre_x(), e.box().centre_x(), 2);
  EXPECT_NEAR(test::text_box(texts[7]).centre_y(), e.box().centre_y(), 2);
  EXPECT_LT(test::text_box(texts[5]).y, test::text_box(texts[9]).y);
}

TEST(GridPlot, LabelsAFewOfManyCellsFromBothEnds) {
  for (const auto& [cells, labels] : {std::pair(15, 15), {16, 8}, {20, 10}, {21, 11}, {31, 11}, {100, 30}}) {
    std::vector<double> z;
    for (int i = 0; i < cells; ++i) z.push_back(i);
    const std::string svg = grid_svg({"", "", "", shades(cells * 20, cells * 28), z, z});
    expect_sound(svg);
    EXPECT_TRUE(has_text(svg, "0.00") && has_text(svg, std::to_string(cells - 1) + ".00"));
    EXPECT_LE(svg_texts(svg).size(), 2u * labels) << cells;
    EXPECT_GE(svg_texts(svg).size(), 14u) << cells;
  }
}

TEST(GridPlot, RefusesTicksThatDoNotDivideTheImage) {
  EXPECT_EQ(error_of([] {
              grid_svg({"", "", "", shades(20, 28), {1, 2, 3}, {1}});
            }),
            "[grid] expected columns that divide the image's 20 pixels, got 3");
  EXPECT_EQ(error_of([] {
              grid_svg({"", "", "", shades(20, 28), {1}, {}});
            }),
            "[grid] expected rows that divide the image's 28 pixels, got 0");
}

TEST(BarChart, DrawsHeightsInProportionFromZero) {
  const std::string svg =
      bar_chart_svg({"KL", "dimension", "nats", {"1", "2", "3", "4"}, {2, 1, -0.5, kNan}, 1.0, "active"});
  expect_sound(svg);
  const auto bars = svg_elements(svg, "rect", "data");
  ASSERT_EQ(bars.size(), 3u);
  EXPECT_NEAR(bars[0].box().height, 2 * bars[1].box().height, 0.02);
  EXPECT_NEAR(bars[0].box().height, 4 * bars[2].box().height, 0.04);
  EXPECT_NEAR(bars[0].box().bottom(), bars[2].box().y, 0.011);  // both stand at 0
  EXPECT_TRUE(has_text(svg, "active"));
  bool has_line = false;
  for (const SvgElement& line : svg_elements(svg, "line"))
    has_line |=
        line.attributes.count("stroke-dasharray") && std::abs(line.number("y1") - bars[1].box().y) < 0.011;
  EXPECT_TRUE(has_line);
}

TEST(BarChart, KeepsNamesApartForAnyNumberOfBars) {
  for (const int n : {0, 1, 2, 10, 20, 30, 50, 100, 300}) {
    BarChart chart{"", "latent dimension", "nats", {}, {}, {}, {}};
    for (int i = 0; i < n; ++i) chart.names.push_back(std::to_string(i + 1)), chart.values.push_back(i % 7);
    const std::string svg = bar_chart_svg(chart);
    expect_sound(svg);
    EXPECT_EQ(svg_elements(svg, "rect", "data").size(), static_cast<std::size_t>(n));
    EXPECT_TRUE(n != 100 || (has_text(svg, "50") && has_text(svg, "100")));
    for (std::string& name : chart.names) name = "preset " + name;
    expect_sound(bar_chart_svg(chart));
  }
  expect_sound(bar_chart_svg({"zero", "", "", {"a", "b"}, {0, 0}, {}, {}}));
}

TEST(BarChart, RefusesWhatItCannotDraw) {
  EXPECT_EQ(error_of([] {
              bar_chart_svg({"", "", "", {"a"}, {1, 2}, {}, {}});
            }),
            "[bar_chart] expected a name for each of 2 bars, got 1");
  EXPECT_EQ(error_of([] {
              bar_chart_svg({"", "", "", {"a"}, {1}, kNan, {}});
            }),
            "[bar_chart] expected a finite reference line, got nan");
}

TEST(GridPlot, TurnsColumnLabelsOnlyWhereTheyWouldTouch) {
  for (const int cells : {5, 20}) {
    const std::vector<double> z(static_cast<std::size_t>(cells), -1.5);
    const std::string svg = grid_svg({"", "", "", shades(cells * 28, cells * 28), z, z});
    std::size_t turned = 0;
    for (const SvgElement& e : svg_elements(svg, "text")) turned += e.attributes.count("transform");
    EXPECT_EQ(turned > 0, cells == 20);
  }
}

TEST(Sheet, PutsCaptionsBesideRowsOfImages) {
  const io::Gray face = shades(20, 28);
  const std::string svg = labelled_sheet_svg(
      {"Frey faces",
       {{"original", {face, face}, false}, {"mean", {face}, false}, {"draw", {face, face}, true}},
       {"a", "b"}});
  expect_sound(svg);
  const auto images = svg_elements(svg, "image");
  ASSERT_EQ(images.size(), 5u);
  EXPECT_EQ(images[0].box().x, images[2].box().x);
  EXPECT_EQ(images[1].box().x, images[4].box().x);
  EXPECT_GT(images[3].box().y - images[2].box().y, images[2].box().y - images[0].box().y);  // the gap
  EXPECT_EQ(images[0].box().width * 28, images[0].box().height * 20);
  const auto texts = svg_elements(svg, "text");
  EXPECT_EQ(texts[2].text, "original");
  EXPECT_LT(test::text_box(texts[2]).right(), images[0].box().x);
  EXPECT_NEAR(test::text_box(texts[2]).centre_y(), images[0].box().centre_y(), 2);
  EXPECT_NEAR(test::text_box(texts[1]).centre_x(), images[1].box().centre_x(), 0.1);
}

TEST(Sheet, RefusesImagesOfTwoSizesAndNone) {
  EXPECT_EQ(error_of([] {
              labelled_sheet_svg({"", {{"", {shades(20, 28), shades(28, 20)}, false}}, {}});
            }),
            "[sheet] expected images of one size, 20 x 28, got 28 x 20");
  EXPECT_EQ(error_of([] {
              labelled_sheet_svg({"", {{"", {}, false}}, {}});
            }),
            "[sheet] expected at least one image, got none");
  EXPECT_EQ(error_of([] {
              labelled_sheet_svg({"", {{"", {shades(2, 2)}, false}}, {"a", "b"}});
            }),
            "[sheet] expected a name for each of 1 columns, got 2");
}

VaeOptions gaussian_options() {
  VaeOptions o;
  o.features = 560;
  o.encoder_widths = {30, 20};
  o.decoder_widths = {15};
  o.latent = 7;
  o.likelihood = gaussian_likelihood();
  o.activation = Activation::leaky_relu;
  return o;
}

TEST(ModelGraph, CountsTheParametersOfTheModel) {
  VaeOptions plain, deep, flat;
  deep.encoder_widths = {64, 32, 16, 8, 4};
  flat.encoder_widths = {};
  for (const VaeOptions& o : {plain, deep, flat, gaussian_options()})
    EXPECT_EQ(parameter_count(model_graph(o, 28, 28)), Vae(o, Device::cpu()).parameter_count());
}

TEST(ModelGraph, NamesShapesTermsAndCounts) {
  const std::string svg = model_graph_svg(model_graph({}, 28, 28));
  for (const char* text :
       {"784 pixels (28 × 28)", "encoder.0", "dense 784 → 256, relu", "200,960", "mean μ",
        "log variance, log σ²", "dense 256 → 2", "z = μ + σ ε", "ε ~ N(0, I)", "logits",
        "Bernoulli for each pixel", "−log p(x | z)", "KL(q(z | x) ‖ N(0, I))", "404,244 parameters"})
    EXPECT_TRUE(has_text(svg, text)) << text;
  ModelGraph graph =
      model_graph(gaussian_options(), 28, 20,
                  {.beta = 0.5, .scale = PosteriorScale::softplus, .decoder_outputs = "mean, log variance"});
  const std::string gaussian = model_graph_svg(graph);
  for (const char* text : {"dense 560 → 30, leaky relu", "dense 15 → 2 × 560", "scale s, σ = softplus(s)",
                           "0.5 · KL", "mean, log variance", "loss = reconstruction + 0.5 · KL"})
    EXPECT_TRUE(has_text(gaussian, text)) << text;
}

TEST(ModelGraph, CallsOnlyAnElboAnElbo) {
  const auto loss = [](const GraphNotes& notes) { return model_graph({}, 28, 28, notes).loss; };
  EXPECT_EQ(loss({}), "loss = reconstruction + KL = −ELBO");
  EXPECT_EQ(loss({.noise_std = 0.01}), "loss = reconstruction + KL");
  EXPECT_EQ(loss({.free_bits = 0.5}), "loss = reconstruction + KL, at least 0.5 nats a dimension");
  EXPECT_EQ(loss({.pixel_mean = true}), "loss = reconstruction + KL (not an ELBO)");
  const ModelGraph graph = model_graph({}, 28, 28, {.noise_std = 0.01, .pixel_mean = true});
  EXPECT_EQ(graph.reconstruction.detail, "−log p(x | z), mean of pixels");
  expect_sound(model_graph_svg(graph));
}

TEST(ModelGraph, CountsALearnedPriorToo) {
  ModelGraph graph = model_graph({}, 28, 28);
  graph.kl.parameters = 250;
  const std::string svg = model_graph_svg(graph);
  expect_sound(svg);
  EXPECT_TRUE(has_text(svg, "250") && has_text(svg, "404,494 parameters"));
}

TEST(ModelGraph, IsSoundForAnyDepth) {
  for (int left = 0; left <= 6; ++left)
    for (const int right : {1, 3, 6}) {
      VaeOptions o;
      o.encoder_widths.assign(left, 1024), o.decoder_widths.assign(right, 300);
      ModelGraph graph = model_graph(o, 28, 28);
      graph.title = "default";
      expect_sound(model_graph_svg(graph));
    }
}

}  // namespace
}  // namespace gpuvae::apps
