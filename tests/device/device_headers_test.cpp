// The formulas of include/gpuvae/device against independent ones in double precision, and the noise against
// the library's. tests/kernels and tests/cases check the same formulas inside the library's kernels.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/device/activation.h"
#include "gpuvae/device/likelihood.h"
#include "gpuvae/device/posterior.h"
#include "gpuvae/device/random.h"
#include "gpuvae/distributions.h"

namespace gpuvae {
namespace {

double activation_reference(Activation a, double x) {
  switch (a) {
    case Activation::identity:
      return x;
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::leaky_relu:
      return x > 0 ? x : 0.01 * x;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return (std::exp(2 * x) - 1) / (std::exp(2 * x) + 1);
    case Activation::softplus:
      return std::log(1 + std::exp(x));
    case Activation::gelu:
      return x * (1 + std::erf(x / std::sqrt(2.0))) / 2;
    case Activation::silu:
      return x / (1 + std::exp(-x));
  }
  return NAN;
}

TEST(DeviceHeaders, ActivationsAndTheirSlopes) {
  for (int i = 0; i <= static_cast<int>(Activation::silu); ++i)
    for (const double x : {-6.3, -2.0, -0.7, -0.01, 0.02, 0.9, 3.1, 7.7}) {
      const auto a = static_cast<Activation>(i);
      const double expected = activation_reference(a, x), h = 1e-5;
      EXPECT_TRUE(std::abs(math::activate(a, x) - expected) <= 1e-7 * (1 + std::abs(expected)))
          << i << " " << x;
      EXPECT_TRUE(std::abs(math::activate(a, static_cast<float>(x)) - expected) <=
                  1e-6 * (1 + std::abs(expected)))
          << i << " " << x;
      // The slopes of some functions are computed from the output.
      const double slope = (activation_reference(a, x + h) - activation_reference(a, x - h)) / (2 * h);
      const bool of_output = a <= Activation::softplus;
      const double got = math::activation_derivative(a, of_output ? math::activate(a, x) : x);
      EXPECT_TRUE(std::abs(got - slope) <= 1e-7) << i << " " << x;
    }
  EXPECT_EQ(math::Relu::value(-3.0f), 0);
  EXPECT_TRUE(std::isnan(math::Relu::value(NAN)));
}

// Checks the slopes of one likelihood by central differences, and returns the value.
template <class Formula, int N>
double checked_nll(const double (&p)[N], double x, const math::LikelihoodSettings<double>& settings) {
  const auto nll = Formula::at(p, x, settings);
  for (int i = 0; i < N; ++i) {
    const double h = 1e-5;
    double above[N], below[N];
    for (int j = 0; j < N; ++j) {
      above[j] = p[j] + (i == j ? h : 0);
      below[j] = p[j] - (i == j ? h : 0);
    }
    const double slope =
        (Formula::at(above, x, settings).value - Formula::at(below, x, settings).value) / (2 * h);
    EXPECT_TRUE(std::abs(nll.slopes[i] - slope) <= 1e-7 * (1 + std::abs(slope))) << i << " at " << p[0];
  }
  return nll.value;
}

TEST(DeviceHeaders, NegativeLogLikelihoods) {
  constexpr double kPi = 3.14159265358979323846;
  const math::LikelihoodSettings<double> linear{false, -5, 5}, sigmoid{true, -5, 5};
  for (const double p : {-3.0, -0.4, 0.3, 2.0})
    for (const double x : {0.0, 0.2, 1.0}) {
      const double mean = 1 / (1 + std::exp(-p)), s = 0.5 - p / 4;
      EXPECT_NEAR(checked_nll<math::Bernoulli>({p}, x, linear),
                  -x * std::log(mean) - (1 - x) * std::log(1 - mean), 1e-12);
      // The density exp(p x) has the normaliser (exp(p) - 1) / p on [0, 1].
      EXPECT_NEAR(checked_nll<math::ContinuousBernoulliOfLogit>({p}, x, linear),
                  std::log((std::exp(p) - 1) / p) - p * x, 1e-12);
      for (const bool is_sigmoid : {false, true}) {
        const double m = is_sigmoid ? mean : p;
        const auto& settings = is_sigmoid ? sigmoid : linear;
        EXPECT_NEAR(checked_nll<math::Gaussian>({p, s}, x, settings),
                    0.5 * std::log(2 * kPi * std::exp(s)) + (x - m) * (x - m) / (2 * std::exp(s)), 1e-12);
        EXPECT_NEAR(checked_nll<math::Laplace>({p, s}, x, settings),
                    std::log(2 * std::exp(s)) + std::abs(x - m) / std::exp(s), 1e-12);
      }
    }
}

TEST(DeviceHeaders, PosteriorSigmaAndKl) {
  for (const double mu : {-1.5, 0.0, 2.0})
    for (const double s : {-3.0, 0.0, 1.2}) {
      const double sigmas[] = {std::exp(s / 2), std::exp(s), std::log(1 + std::exp(s)) + 1e-6};
      for (int scale = 0; scale < 3; ++scale) {
        const auto sigma = math::posterior_sigma(static_cast<PosteriorScale>(scale), s);
        const double expected = sigmas[scale];
        EXPECT_NEAR(sigma.sigma, expected, 1e-12);
        EXPECT_NEAR(math::kl_standard_normal(mu, sigma),
                    0.5 * (expected * expected + mu * mu - 1 - std::log(expected * expected)), 1e-12);
      }
    }
}

// Philox4x32-10 for zeros, from the test vectors of Random123 (Salmon et al., 2011).
TEST(DeviceHeaders, PhiloxHasThePublishedValues) {
  const Philox4x32 zero = philox4x32(0, 0, 0, 0, 0);
  EXPECT_EQ(zero.v[0], 0x6627e8d5u);
  EXPECT_EQ(zero.v[1], 0xe169c58du);
  EXPECT_EQ(zero.v[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.v[3], 0x9b00dbd8u);
}

// With mean 0 and sigma 1, the library's draw is its noise.
TEST(DeviceHeaders, PosteriorNoiseIsThatOfTheLibrary) {
  constexpr std::int64_t kRows = 9, kLatent = 7;
  for (const std::uint64_t epoch : {0u, 1u, 200u}) {
    Draw draw;
    draw.noise.seed = 0x123456789abcull;
    draw.noise.clock.step = 4 * epoch + 3;
    draw.noise.clock.steps_per_epoch = 4;
    draw.noise.first_sample = 1000;
    const std::vector<float> z =
        diagonal_gaussian()->rsample(Tensor::zeros({kRows, 2 * kLatent}), draw).value().to_vector();
    for (std::int64_t r = 0; r < kRows; ++r)
      for (std::int64_t d = 0; d < kLatent; ++d) {
        const float expected = posterior_noise(draw.noise.seed, epoch, static_cast<std::uint32_t>(1000 + r),
                                               static_cast<std::uint32_t>(d));
        EXPECT_TRUE(std::abs(z[static_cast<std::size_t>(r * kLatent + d)] - expected) <= 1e-6)
            << r << " " << d;
      }
  }
}

}  // namespace
}  // namespace gpuvae
