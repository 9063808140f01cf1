// Tests the SVG figures that consist of images, bars or boxes: grids, sheets, bar charts and model diagrams.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <locale>
#include <set>

#include "apps/plot/palette.h"
#include "apps/plot/plot.h"
#include "apps/report/model_graph.h"
#include "src/io/image.h"
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
using test::kNan;
using test::path_points;
using test::svg_elements;
using test::svg_texts;
using test::SvgElement;
using test::SvgPoint;

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

TEST(GridPlot, EmbedsTheImagePixelByPixel) {
  const io::Gray image = shades(5 * 28, 5 * 28);
  const std::vector<double> z = {5, 2.5, 0, -2.5, -5};
  const std::string svg = grid_svg({"Manifold", "z1", "z2", image, {-5, -2.5, 0, 2.5, 5}, z});
  expect_sound(svg);
  const SvgElement e = svg_elements(svg, "image")[0];
  const std::string head = "data:image/png;base64,", href = e.attributes.at("href");
  ASSERT_EQ(href.substr(0, head.size()), head);
  const test::TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "image.png";
  std::ofstream(file, std::ios::binary) << decode_base64(href.substr(head.size()));
  const io::Gray back = io::read_image(file);
  EXPECT_EQ(back.pixels, image.pixels);
  EXPECT_EQ(e.attributes.at("style"), "image-rendering:pixelated");
  EXPECT_EQ(std::fmod(e.box().width, 5 * 28), 0);  // an image pixel is a whole number of CSS pixels wide
  EXPECT_EQ(svg_texts(svg),
            (std::vector<std::string>{"−5.00", "−2.50", "0.00", "2.50", "5.00",  //
                                      "5.00", "2.50", "0.00", "−2.50", "−5.00", "z1", "z2", "Manifold"}));
  // The label of the middle column is centred below the column, and that of the middle row beside the row.
  const auto texts = svg_elements(svg, "text");
  EXPECT_NEAR(test::text_box(texts[2]).centre_x(), e.box().centre_x(), 2);
  EXPECT_NEAR(test::text_box(texts[7]).centre_y(), e.box().centre_y(), 2);
  EXPECT_LT(test::text_box(texts[5]).y, test::text_box(texts[9]).y);
}

TEST(GridPlot, LabelsAFewOfManyCellsIncludingBothEnds) {
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
            "[grid] expected a number of columns that divides the image's width of 20, got 3");
  EXPECT_EQ(error_of([] {
              grid_svg({"", "", "", shades(20, 28), {1}, {}});
            }),
            "[grid] expected a number of rows that divides the image's height of 28, got 0");
}

TEST(BarChart, DrawsHeightsInProportionFromZero) {
  const std::string svg =
      bar_chart_svg({"KL", "dimension", "nats", {"1", "2", "3", "4"}, {2, 1, -0.5, kNan}, 1.0, "active"});
  expect_sound(svg);
  const auto bars = svg_elements(svg, "rect", "data");
  ASSERT_EQ(bars.size(), 3u);
  EXPECT_NEAR(bars[0].box().height, 2 * bars[1].box().height, 0.02);
  EXPECT_NEAR(bars[0].box().height, 4 * bars[2].box().height, 0.04);
  EXPECT_NEAR(bars[0].box().bottom(), bars[2].box().y, 0.011);  // positive and negative bars meet at 0
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
    for (int i = 0; i < n; ++i) {
      chart.names.push_back(std::to_string(i + 1));
      chart.values.push_back(i % 7);
    }
    const std::string svg = bar_chart_svg(chart);
    expect_sound(svg);
    EXPECT_EQ(svg_elements(svg, "rect", "data").size(), static_cast<std::size_t>(n));
    EXPECT_TRUE(n != 100 || (has_text(svg, "50") && has_text(svg, "100")));
    for (std::string& name : chart.names) name = "preset " + name;
    expect_sound(bar_chart_svg(chart));
  }
  expect_sound(bar_chart_svg({"zero", "", "", {"a", "b"}, {0, 0}, {}, {}}));
}

TEST(BarChart, RefusesMissingNamesAndANonFiniteReferenceLine) {
  EXPECT_EQ(error_of([] {
              bar_chart_svg({"", "", "", {"a"}, {1, 2}, {}, {}});
            }),
            "[bar_chart] expected as many names as bars (2), got 1");
  EXPECT_EQ(error_of([] {
              bar_chart_svg({"", "", "", {"a"}, {1}, kNan, {}});
            }),
            "[bar_chart] expected a finite reference line, got nan");
}

TEST(GridPlot, RotatesColumnLabelsOnlyIfTheyWouldOverlap) {
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
  EXPECT_GT(images[3].box().y - images[2].box().y, images[2].box().y - images[0].box().y);  // gap_above
  EXPECT_EQ(images[0].box().width * 28, images[0].box().height * 20);
  const auto texts = svg_elements(svg, "text");
  EXPECT_EQ(texts[2].text, "original");
  EXPECT_LT(test::text_box(texts[2]).right(), images[0].box().x);
  EXPECT_NEAR(test::text_box(texts[2]).centre_y(), images[0].box().centre_y(), 2);
  EXPECT_NEAR(test::text_box(texts[1]).centre_x(), images[1].box().centre_x(), 0.1);
}

TEST(Sheet, RefusesImagesOfDifferentSizesAndEmptySheets) {
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
            "[sheet] expected as many column names as columns (1), got 2");
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

TEST(ModelGraph, NamesTheElboOnlyIfTheLossIsOne) {
  const auto loss = [](const GraphNotes& notes) { return model_graph({}, 28, 28, notes).loss; };
  EXPECT_EQ(loss({}), "loss = reconstruction + KL = −ELBO");
  EXPECT_EQ(loss({.noise_std = 0.01}), "loss = reconstruction + KL");
  EXPECT_EQ(loss({.free_bits = 0.5}), "loss = reconstruction + KL, at least 0.5 nats per dimension");
  EXPECT_EQ(loss({.pixel_mean = true}), "loss = reconstruction + KL (not an ELBO)");
  const ModelGraph graph = model_graph({}, 28, 28, {.noise_std = 0.01, .pixel_mean = true});
  EXPECT_EQ(graph.reconstruction.detail, "−log p(x | z), mean of pixels");
  expect_sound(model_graph_svg(graph));
}

// The weights of y belong to the first layers.
TEST(ModelGraph, ShowsTheConditionAsAnInputOfBothNetworks) {
  VaeOptions o;
  o.conditions = 10;
  const ModelGraph graph = model_graph(o, 28, 28, {.condition = "label"});
  EXPECT_EQ(parameter_count(graph), Vae(o, Device::cpu()).parameter_count());
  const std::string svg = model_graph_svg(graph);
  expect_sound(svg);
  for (const char* text : {"label: 10 values", "dense 794 → 256, relu", "dense 12 → 256, relu", "p(x | z, y)",
                           "q(z | x, y)", "−log p(x | z, y)", "KL(q(z | x, y) ‖ N(0, I))"})
    EXPECT_TRUE(has_text(svg, text)) << text;
  o.encoder_widths = {};
  const ModelGraph flat = model_graph(o, 28, 28);
  EXPECT_EQ(parameter_count(flat), Vae(o, Device::cpu()).parameter_count());
  expect_sound(model_graph_svg(flat));
}

TEST(ModelGraph, ShortensAProductOfManyLikelihoods) {
  std::vector<ColumnBlock> blocks;
  for (int i = 0; i < 20; ++i) {
    blocks.push_back({gaussian_likelihood(), 2});
    blocks.push_back({i % 2 ? bernoulli_likelihood() : poisson_likelihood(), 1});
  }
  VaeOptions o;
  o.features = 60;
  o.likelihood = product_likelihood(blocks);
  EXPECT_EQ(model_graph(o, 1, 60).likelihood.detail, "Gaussian (40), Poisson (10), Bernoulli (10)");
  blocks.push_back({laplace_likelihood(), 7});
  o.features = 67;
  o.likelihood = product_likelihood(blocks);
  EXPECT_EQ(model_graph(o, 1, 67).likelihood.detail, "Gaussian (40), Poisson (10), Bernoulli (10), …");
}

TEST(ModelGraph, CountsTheParametersOfALearnedPrior) {
  ModelGraph graph = model_graph({}, 28, 28);
  graph.kl.parameters = 250;
  const std::string svg = model_graph_svg(graph);
  expect_sound(svg);
  EXPECT_TRUE(has_text(svg, "250") && has_text(svg, "404,494 parameters"));
}

TEST(ModelGraph, LaysOutModelsOfAnyDepth) {
  for (int left = 0; left <= 6; ++left)
    for (const int right : {1, 3, 6}) {
      VaeOptions o;
      o.encoder_widths.assign(left, 1024);
      o.decoder_widths.assign(right, 300);
      ModelGraph graph = model_graph(o, 28, 28);
      graph.title = "default";
      expect_sound(model_graph_svg(graph));
    }
}

}  // namespace
}  // namespace gpuvae::apps
