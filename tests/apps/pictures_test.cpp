#include "apps/report/pictures.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gpuvae::apps {
namespace {

TEST(Quantiles, MatchTheStandardNormal) {
  // Abramowitz and Stegun, table 26.5, lists these values.
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-9);
  EXPECT_NEAR(normal_quantile(0.01), -2.326347874040841, 1e-9);
  EXPECT_NEAR(normal_quantile(1e-6), -4.753424308822899, 1e-12);
  EXPECT_NEAR(normal_quantile(1e-17), -8.4937932241096, 1e-12);
  EXPECT_NEAR(normal_quantile(1e-300), -37.0470962993612, 1e-12);
  EXPECT_NEAR(normal_quantile(0.75), 0.6744897501960817, 1e-14);
}

using Doubles = std::vector<double>;

TEST(Grids, AreReadFromText) {
  const std::vector<Grid> g = parse_grids("quantile:5:0.1:0.9,linear:3:-5:5:left-up,data:2:down-right");
  ASSERT_EQ(g.size(), 3u);
  EXPECT_EQ(g[1].across(0, 0), (Doubles{5, 0, -5}));  // z1 increases to the left
  EXPECT_EQ(g[1].down(0, 0), (Doubles{5, 0, -5}));    // z2 increases upwards
  EXPECT_TRUE(g[1].z1_across());
  EXPECT_FALSE(g[2].z1_across());
  EXPECT_EQ(g[2].across(-2, 4), (Doubles{-2, 4}));
  EXPECT_EQ(g[2].down(-2, 4), (Doubles{-2, 4}));
  EXPECT_NEAR(g[0].across(0, 0)[0], -1.2815515655446004, 1e-9);
  EXPECT_NEAR(g[0].down(0, 0)[0], 1.2815515655446004, 1e-9);  // right-up: the top row has the largest z2
  EXPECT_NEAR(g[0].across(0, 0)[2], 0, 1e-12);
  EXPECT_EQ(parse_grids("quantile")[0].n, 20);
  EXPECT_EQ(parse_grids("linear:1:2:4")[0].across(0, 0), Doubles{3});
  EXPECT_TRUE(parse_grids("none").empty());
}

TEST(Grids, ErrorsNameTheProblem) {
  for (const char* text :
       {"", "round:5", "linear:0", "linear:201", "linear:2.5", "linear:5:1", "linear:5:2:1",
        "linear:5:0:1:up-up", "quantile:5:0:0.9", "quantile:5:0.1:1", "data:5:0", "data:5:-0.1:1",
        "data:5:0:1.5", "data:5:0.6:0.4", "linear:5:a:1", "linear:5:0:nan", "linear:5:0:1:right-up:7"})
    EXPECT_NE(grid_mistake(text), "") << text;
  EXPECT_EQ(grid_mistake("linear:5:-5:5:up-left"), "");
  for (const char* text : {"1:2", "2:1:0.1", "0:1:0", "0:1:2", "0:1:0.1:0", "a:1:0.1", "0:1:.1:1:1"})
    EXPECT_NE(slider_mistake(text), "") << text;
  EXPECT_EQ(slider_mistake(""), "");
  EXPECT_EQ(parse_sliders("-15:15:3:0.01").scale, 0.01);
}

// A decoder that reveals z: pixel 0 is sigmoid(z1), pixel 1 is sigmoid(z2).
struct Transparent {
  Vae model{[] {
              VaeOptions o;
              o.features = 2;
              o.encoder_widths = {2};
              o.activation = Activation::identity;
              return o;
            }(),
            Device::cpu()};
  Transparent() {
    const Tensor identity = Tensor::from(std::vector<float>{1, 0, 0, 1}, {2, 2});
    for (const Parameter& p : model.parameters())
      if (p.name == "decoder.0.weight" || p.name == "output.weight") p.variable.value().copy_from(identity);
  }
};
constexpr int kLow = 55, kMiddle = 128, kHigh = 200;  // 255 sigmoid(-1.28), sigmoid(0), sigmoid(1.28)

TEST(Manifold, FirstDimensionGrowsToTheRightAndSecondUpwards) {
  const GridImage g = decode_grid(Transparent().model, parse_grids("quantile:3:0.1:0.9")[0], {}, 1, 2);
  ASSERT_EQ(g.image.width, 6);
  ASSERT_EQ(g.image.height, 3);
  EXPECT_NEAR(g.image.pixels[0], kLow, 1);
  EXPECT_NEAR(g.image.pixels[2], kMiddle, 1);
  EXPECT_NEAR(g.image.pixels[4], kHigh, 1);
  EXPECT_NEAR(g.image.pixels[1], kHigh, 1);  // the top row has the largest z2
  EXPECT_NEAR(g.image.pixels[2 * 6 + 1], kLow, 1);
}

TEST(Manifold, FirstDimensionMayGoDown) {
  const GridImage g = decode_grid(Transparent().model, parse_grids("data:3:down-right")[0],
                                  {1.2815516f, 0, 0.5f, -1.2815516f}, 1, 2);
  EXPECT_NEAR(g.image.pixels[0], kLow, 1);       // z1 in the top left
  EXPECT_NEAR(g.image.pixels[4], kLow, 1);       // z1 in the top right
  EXPECT_NEAR(g.image.pixels[2 * 6], kHigh, 1);  // z1 increases downwards
  EXPECT_NEAR(g.image.pixels[1], kLow, 1);       // z2 on the left
  EXPECT_NEAR(g.image.pixels[5], kHigh, 1);      // z2 increases to the right
  EXPECT_FALSE(g.z1_across);
}

TEST(Manifold, CoversTheQuantilesOfEachAxis) {
  std::vector<float> codes;  // z1 from 0 to 100, z2 from -10 to 0
  for (int i = 0; i <= 100; ++i) codes.insert(codes.end(), {static_cast<float>(i), 0.1f * i - 10});
  const auto grid = [&](const char* text) {
    return decode_grid(Transparent().model, parse_grids(text)[0], codes, 1, 2);
  };
  const GridImage right_up = grid("data:3:0.1:0.9");
  EXPECT_EQ(right_up.columns, (Doubles{10, 50, 90}));
  EXPECT_NEAR(right_up.rows[0], -1, 1e-5);
  EXPECT_NEAR(right_up.rows[2], -9, 1e-5);
  const GridImage down_right = grid("data:3:0:1:down-right");
  EXPECT_EQ(down_right.rows, (Doubles{0, 50, 100}));
  EXPECT_EQ(down_right.columns, (Doubles{-10, -5, 0}));
  EXPECT_EQ(grid("data:2").rows, (Doubles{100, -10})) << "one range for both axes";
}

TEST(Examples, HaveRowsOf25AndDoubleSmallImages) {
  Dataset set{28, 20, Tensor::empty({60, 560}, DType::u8, Device::cpu()), {}};
  const io::Gray faces = examples(set, 60);
  EXPECT_EQ(faces.width, 25 * 20 * 2);
  EXPECT_EQ(faces.height, 3 * 28 * 2);
  set.height = 20;
  set.width = 28;
  EXPECT_EQ(examples(set, 50).width, 25 * 28);
  EXPECT_EQ(examples(set, 50).height, 2 * 20);
}

TEST(DecodeAll, KeepsTheOrderAcrossBatches) {
  std::vector<float> z;
  for (int i = 0; i < 2003; ++i) z.insert(z.end(), {static_cast<float>(i % 7) - 3, 0});
  const std::vector<float> x = decode_all(Transparent().model, z);
  ASSERT_EQ(x.size(), 2003u * 2);
  for (int i = 0; i < 2003; ++i) EXPECT_NEAR(x[2 * i], 1 / (1 + std::exp(-z[2 * i])), 1e-6);
}

}  // namespace
}  // namespace gpuvae::apps
