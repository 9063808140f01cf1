#include "apps/common/pictures.h"

#include <gtest/gtest.h>

#include "src/io/image.h"
#include "tests/unit/temporary_folder.h"

namespace gpuvae::apps {
namespace {

TEST(Quantiles, AreThoseOfTheStandardNormal) {
  // Abramowitz and Stegun, table 26.5.
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-9);
  EXPECT_NEAR(normal_quantile(0.01), -2.326347874040841, 1e-9);
  EXPECT_NEAR(normal_quantile(1e-6), -4.753424308822899, 1e-6);
  const auto z = quantiles(5, 0.1);
  EXPECT_FLOAT_EQ(z[0], -1.2815516f);
  EXPECT_NEAR(z[2], 0, 1e-7);
  EXPECT_FLOAT_EQ(z[4], 1.2815516f);
  EXPECT_EQ(quantiles(1, 0.1), std::vector<float>{0});
}

// A decoder that shows z: pixel 0 is sigmoid(z1), pixel 1 sigmoid(z2).
TEST(Manifold, FirstDimensionGrowsToTheRightAndSecondUpwards) {
  VaeOptions o;
  o.pixels = 2, o.encoder_widths = {2}, o.activation = Activation::identity;
  Vae model(o, Device::cpu());
  const Tensor identity = Tensor::from(std::vector<float>{1, 0, 0, 1}, {2, 2});
  for (const Parameter& p : model.parameters())
    if (p.name == "decoder.0.weight" || p.name == "output.weight") p.variable->value().copy_from(identity);
  const test::TemporaryFolder folder;
  write_manifold(model, 3, 0.1, 1, 2, folder.path() / "m.png");
  const io::Gray image = io::read_image(folder.path() / "m.png");
  ASSERT_EQ(image.width, 6);
  ASSERT_EQ(image.height, 3);
  const int low = 55, middle = 128, high = 200;  // 255 sigmoid(-1.28), sigmoid(0), sigmoid(1.28)
  EXPECT_NEAR(image.pixels[0], low, 1);
  EXPECT_NEAR(image.pixels[2], middle, 1);
  EXPECT_NEAR(image.pixels[4], high, 1);
  EXPECT_NEAR(image.pixels[1], high, 1);  // the top row has the largest z2
  EXPECT_NEAR(image.pixels[2 * 6 + 1], low, 1);
}

}  // namespace
}  // namespace gpuvae::apps
