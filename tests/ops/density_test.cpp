// Tests edge cases and errors of log densities. tests/cases covers the usual cases.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gpuvae/error.h"
#include "gpuvae/ops.h"
#include "tests/devices.h"
#include "tests/special_values.h"

namespace gpuvae {
namespace {

using test::kInfinity;

Tensor row(const std::vector<float>& values, Device device = Device::cpu()) {
  return Tensor::from(values, {1, static_cast<std::int64_t>(values.size())}, device);
}

template <class F>
void expect_error(const F& f, const std::string& message) {
  try {
    f();
    ADD_FAILURE() << "accepted; expected " << message;
  } catch (const Error& e) {
    EXPECT_EQ(e.what(), message);
  }
}

TEST(ContinuousBernoulli, DensityIntegratesToOneAndHasTheMean) {
  for (const double logit : {-40.0, -3.0, -0.999, -1e-3, 0.0, 1e-9, 0.5, 1.001, 12.0}) {
    // Integrates by Simpson's rule.
    constexpr int kSteps = 20000;
    const Tensor l = Tensor::full({kSteps + 1, 1}, logit, DType::f64);
    std::vector<double> x(kSteps + 1);
    for (int i = 0; i <= kSteps; ++i) x[i] = static_cast<double>(i) / kSteps;
    const auto log_p =
        continuous_bernoulli_log_density(l, Tensor::from(x, {kSteps + 1, 1})).value().to_doubles();
    double total = 0, mean = 0;
    for (int i = 0; i <= kSteps; ++i) {
      const double weight = (i == 0 || i == kSteps ? 1 : i % 2 == 0 ? 2 : 4) / (3.0 * kSteps);
      total += weight * std::exp(log_p[i]);
      mean += weight * std::exp(log_p[i]) * x[i];
    }
    EXPECT_NEAR(total, 1, 1e-9) << logit;
    EXPECT_NEAR(continuous_bernoulli_mean(l.slice(0, 1)).value().item(), mean, 1e-9) << logit;
  }
}

// Below a log variance of -176, another implementation computes the density.
TEST(LogDensity, MissingValuesDoNotCountWithTinyVariances) {
  for (const Device device : test::devices()) {
    const std::vector<float> of_params = {0.2f, 0.7f, -0.1f, 0.5f, -1, -190}, x = {0.5f, 0.6f, NAN};
    const GaussianOptions usual{false, -100, 5}, tiny{false, -200, 5};
    const Variable params(row(of_params, device), true), again(row(of_params, device), true);
    const Variable value = gaussian_log_density(params, row(x, device), tiny),
                   expected = gaussian_log_density(again, row(x, device), usual);
    EXPECT_NEAR(value.value().item(), expected.value().item(), 1e-5) << device.text();
    value.backward();
    expected.backward();
    const std::vector<float> got = params.grad().to_vector(), slopes = again.grad().to_vector();
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], slopes[i], 1e-5) << i;
  }
}

// A component number that is too large would otherwise raise the weights of the others and leave out none.
TEST(MixtureDensity, RefusesToLeaveOutAComponentThatItLacks) {
  const Tensor z = Tensor::zeros({3, 1}), components = Tensor::zeros({2, 2});
  const auto density = [&](std::int32_t last) {
    const std::vector<std::int32_t> numbers = {-5, 1, last};
    return mixture_log_density(z, components, PosteriorScale::log_variance, {},
                               Tensor::from(std::span<const std::int32_t>(numbers), {3}));
  };
  const std::vector<float> values = density(-1).value().to_vector();
  EXPECT_EQ(values[0], values[2]);
  expect_error([&] { static_cast<void>(density(2)); },
               "[mixture_log_density] expected components from 0 to 1 or negative numbers in left_out, got 2 "
               "in row 2");
}

// The weight of a draw is 0 if its density is. The density of row 0 is so small that its derivative with
// respect to the mean overflows.
TEST(LogDensity, RowsWithWeightZeroHaveNoGradient) {
  for (const Device device : test::devices()) {
    const Variable params(Tensor::from(std::vector<float>{3e38f, -5, 0.5f, 0}, {2, 2}, device), true);
    const Variable rows = gaussian_log_density(params, Tensor::zeros({1, 1}, DType::f32, device), {false});
    sum(rows * Tensor::from(std::vector<float>{0, 1}, {2, 1}, device)).backward();
    EXPECT_EQ(params.grad().to_vector(), (std::vector<float>{0, 0, -0.5f, -0.375f})) << device.text();
  }
}

TEST(LogDensity, RecordsNoGraphWithoutGradients) {
  const Variable logits(row({0.5f, -2}), true);
  const Tensor target = row({1, 0.25f});
  const Variable differentiable = bernoulli_log_density(logits, target);
  EXPECT_TRUE(differentiable.requires_grad());
  const NoGradGuard no_grad;
  const Variable value = bernoulli_log_density(logits, target);
  EXPECT_FALSE(value.requires_grad());
  EXPECT_NEAR(value.value().item(), differentiable.value().item(), 1e-6);
}

TEST(LogDensity, PropagatesNanOnEveryDevice) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Tensor bad = row({0.5f, NAN, 1, 2}, device), target = row({0, 1, 0.5f, 1}, device);
    EXPECT_TRUE(std::isnan(bernoulli_log_density(bad, target).value().item()));
    EXPECT_TRUE(std::isnan(continuous_bernoulli_log_density(bad, target).value().item()));
    EXPECT_TRUE(std::isnan(gaussian_log_density(bad, row({0, 1}, device)).value().item()));
    const PosteriorScale scale = PosteriorScale::log_sigma;
    EXPECT_TRUE(std::isnan(mixture_log_density(row({1, 2}, device), bad, scale, {}).value().item()));
    EXPECT_TRUE(std::isnan(mixture_log_density(row({NAN, 2}, device), target, scale, {}).value().item()));
  }
}

TEST(LogDensity, RefusesTargetsOfTheWrongShape) {
  const Tensor logits = Tensor::zeros({12, 4}), params = Tensor::zeros({12, 8});
  expect_error(
      [&] {
        static_cast<void>(bernoulli_log_density(logits, Tensor::zeros({5, 4})));
      },
      "[bernoulli_log_density] expected a target of [12 / n, 4], got [5, 4]");
  expect_error(
      [&] {
        static_cast<void>(bernoulli_log_density(logits, Tensor::zeros({24, 4})));
      },
      "[bernoulli_log_density] expected a target of [12 / n, 4], got [24, 4]");
  expect_error(
      [&] {
        static_cast<void>(continuous_bernoulli_log_density(logits, Tensor::zeros({0, 4})));
      },
      "[continuous_bernoulli_log_density] expected a target of [12 / n, 4], got [0, 4]");
  expect_error(
      [&] {
        static_cast<void>(gaussian_log_density(params, Tensor::zeros({12, 8})));
      },
      "[gaussian_log_density] expected a target of [12 / n, 4], got [12, 8]");
  expect_error(
      [&] {
        static_cast<void>(gaussian_log_density(Variable(params, true), Tensor::zeros({7, 4})));
      },
      "[gaussian_log_density] expected a target of [12 / n, 4], got [7, 4]");
  expect_error([&] { static_cast<void>(bernoulli_log_density(logits, Variable(logits, true))); },
               "[bernoulli_log_density] expected a constant target, got one that requires gradients");
  expect_error(
      [&] {
        static_cast<void>(gaussian_log_density(Tensor::zeros({2, 3}), Tensor::zeros({2, 1})));
      },
      "[gaussian_log_density] expected params of [rows, 2 columns] (mean, then log variance), got "
      "[2, 3]");
  expect_error([&] { static_cast<void>(repeat_rows(logits, 0)); },
               "[repeat_rows] expected 1 or more repetitions, got 0");
  EXPECT_EQ(bernoulli_log_density(Tensor::zeros({0, 4}), Tensor::zeros({0, 4})).shape(), Shape({0, 1}));
}

TEST(MixtureLogDensity, IgnoresComponentsOfZeroWeightOnEveryDevice) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Tensor z = row({0.3f, -1}, device);
    const Tensor both = Tensor::from(std::vector<float>{1, 2, 0, 0.5f, 9, 9, 9, 9}, {2, 4}, device);
    const auto density = [&](const Tensor& component_params, const std::vector<float>& log_weights) {
      const Tensor w = Tensor::from(log_weights, {static_cast<std::int64_t>(log_weights.size())}, device);
      return mixture_log_density(z, component_params, PosteriorScale::log_variance, w).value().item();
    };
    const auto none = static_cast<float>(-kInfinity);
    EXPECT_EQ(density(both, {-0.5f, none}), density(both.slice(0, 1), {-0.5f}));
    EXPECT_EQ(density(both, {none, none}), -kInfinity);
  }
}

TEST(MixtureLogDensity, HasZeroGradientsForZeroRowsOnEveryDevice) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Variable component_params(Tensor::zeros({3, 4}, DType::f32, device), true);
    const Variable log_weights(Tensor::zeros({3}, DType::f32, device), true);
    const Tensor z = Tensor::zeros({0, 2}, DType::f32, device);
    const Variable out = mixture_log_density(z, component_params, PosteriorScale::softplus, log_weights);
    EXPECT_EQ(out.shape(), Shape({0, 1}));
    sum(out).backward();
    EXPECT_EQ(component_params.grad().to_vector(), std::vector<float>(12, 0.0f));
    EXPECT_EQ(log_weights.grad().to_vector(), std::vector<float>(3, 0.0f));
  }
}

TEST(MixtureLogDensity, RefusesWrongShapes) {
  const Tensor z = Tensor::zeros({5, 2}), component_params = Tensor::zeros({3, 4});
  const auto density = [](const Variable& z, const Variable& component_params, const Variable& log_weights) {
    return [=] {
      static_cast<void>(mixture_log_density(z, component_params, PosteriorScale::log_sigma, log_weights));
    };
  };
  const std::string expected =
      "[mixture_log_density] expected component_params of [components, 4] (mean, then scale parameter) for z "
      "[5, 2], "
      "got ";
  expect_error(density(z, Tensor::zeros({3, 6}), {}), expected + "[3, 6]");
  expect_error(density(z, Tensor::zeros({0, 4}), {}), expected + "[0, 4]");
  expect_error(density(z, component_params, Tensor::zeros({2})),
               "[mixture_log_density] expected log_weights of [3], got [2]");
  expect_error(density(Tensor::zeros({5}), component_params, {}),
               "[mixture_log_density] expected z of [rows, latent], got [5]");
  expect_error(density(Tensor::zeros({5, 0}), Tensor::zeros({3, 0}), {}),
               "[mixture_log_density] expected z of at least one column, got [5, 0]");
  expect_error(density({}, component_params, {}),
               "[mixture_log_density] expected z, got an undefined variable");
}

}  // namespace
}  // namespace gpuvae
