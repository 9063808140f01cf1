// Options outside their range are refused where they are given, under the name of the function that the
// caller used.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/ops.h"
#include "gpuvae/optim.h"
#include "gpuvae/vae.h"
#include "tests/temporary_folder.h"

namespace gpuvae {
namespace {

using test::error_of;

TEST(OptionErrors, BoundsOfLikelihoods) {
  EXPECT_EQ(error_of([] { static_cast<void>(gaussian_likelihood({.low = 2, .high = 1})); }),
            "[likelihood] expected low <= high, got 2 and 1");
  EXPECT_EQ(error_of([] { static_cast<void>(laplace_likelihood({.low = NAN})); }),
            "[likelihood] expected low <= high, got nan and 5");
  EXPECT_EQ(error_of([] { static_cast<void>(shared_gaussian_likelihood({.low = 2, .high = 1})); }),
            "[likelihood] expected low <= high, got 2 and 1");
  EXPECT_EQ(error_of([] { static_cast<void>(fixed_gaussian_likelihood(INFINITY)); }),
            "[likelihood] expected a sigma above 0, got inf");
}

TEST(OptionErrors, NoiseOfPosteriors) {
  for (const double bad : {-1.0, double(NAN), double(INFINITY)})
    EXPECT_EQ(error_of([=] { static_cast<void>(diagonal_gaussian({.noise_std = bad})); }),
              "[posterior] expected a noise_std of 0 or more, got " + std::string(bad < 0   ? "-1"
                                                                                  : bad > 0 ? "inf"
                                                                                            : "nan"));
}

TEST(OptionErrors, RandomNumbers) {
  EXPECT_EQ(error_of([] { static_cast<void>(random_normal({1}, {}, 0, -1)); }),
            "[random_normal] expected a finite mean and a standard deviation of 0 or more, got 0 and -1");
  EXPECT_EQ(error_of([] { static_cast<void>(random_uniform({1}, {}, 1, 0)); }),
            "[random_uniform] expected finite bounds low <= high, got 1 and 0");
}

TEST(OptionErrors, Optimizers) {
  const Parameter p{"w", Variable(Tensor::zeros({1}), true)};
  EXPECT_EQ(error_of([&] {
              SGD({&p, 1}, {.l2 = INFINITY});
            }),
            "[optimizer] expected epsilon, l2 and clip_norm of 0 or more, got 1e-08, inf and 0");
}

TEST(OptionErrors, FreeBits) {
  const Vae model({.features = 3, .encoder_widths = {4}}, Device::cpu());
  EXPECT_EQ(error_of([&] {
              static_cast<void>(model.negative_elbo(Tensor::zeros({2, 3}), {}, {1, 1, NAN}));
            }),
            "[negative_elbo] expected free bits of 0 or more, got nan");
}

// The dtype is checked by the operation and not only by its kernel, whose name says nothing to the caller.
TEST(OptionErrors, OperationsNameThemselves) {
  const Variable bytes(Tensor::from(std::vector<std::uint8_t>{1, 2}, {1, 2}));
  const Variable row(Tensor::zeros({1, 2}));
  const std::string why = "expected f32 or f64, got u8[1, 2] on cpu";
  EXPECT_EQ(error_of([&] { static_cast<void>(exp(bytes)); }), "[exp] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(bytes + bytes); }), "[add] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(2 * bytes); }), "[affine] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(softmax(bytes, Axis::columns)); }), "[softmax] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(sum(bytes)); }), "[sum] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(linear(bytes, row, {})); }), "[linear] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(matmul(bytes, row)); }), "[matmul] " + why);
  EXPECT_EQ(error_of([&] { static_cast<void>(bce_with_logits(bytes, row)); }), "[bce_with_logits] " + why);
}

// 1 / sigma exceeds the largest float at a log variance of -177; the exact value and slope are finite.
TEST(GaussianLogDensity, IsExactForTinyVariances) {
  for (const double v : {-170.0, -178.0, -200.0}) {
    const double difference = std::exp(v / 2);  // one standard deviation, exact in f32 up to rounding
    const Variable params(
        Tensor::from(std::vector<float>{static_cast<float>(difference), static_cast<float>(v)}, {1, 2}),
        true);
    const Variable density =
        gaussian_log_density(params, Tensor::zeros({1, 1}), {.sigmoid_mean = false, .low = -300});
    sum(density).backward();
    const double squared = std::pow(static_cast<float>(difference) / std::exp(v / 2), 2);
    EXPECT_NEAR(density.value().item(), -0.5 * (squared + v + std::log(2 * M_PI)), 1e-4) << v;
    EXPECT_NEAR(params.grad().to_vector()[1], -0.5 * (1 - squared), 1e-5) << v;
    // Below, the slope -1 / sigma exceeds the largest float.
    if (v > -176) {
      EXPECT_NEAR(params.grad().to_vector()[0] * std::exp(v / 2), -1, 1e-4) << v;
    }
  }
}

}  // namespace
}  // namespace gpuvae
