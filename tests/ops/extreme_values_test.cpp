// Compares operations on inputs that are difficult in single precision with the same operations in double
// precision, on every device.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "gpuvae/ops.h"
#include "kernels/backend.h"

namespace gpuvae {
namespace {

using Doubles = std::vector<double>;

struct Values {
  Shape shape;
  Doubles numbers;
  bool differentiable = true;
};
using Function = std::function<Variable(std::span<const Variable>)>;

// Returns the result, followed by the gradients of its sum.
std::vector<Doubles> evaluate_extreme(const Function& f, const std::vector<Values>& inputs, DType dtype,
                                      Device device) {
  std::vector<Variable> variables;
  for (const Values& v : inputs)
    variables.emplace_back(Tensor::from(v.numbers, v.shape).to(DType::f32).to(dtype).to(device),
                           v.differentiable);
  const Variable y = f(variables);
  std::vector<Doubles> all{y.value().to_doubles()};
  if (y.requires_grad()) sum(y).backward();
  for (const Variable& v : variables)
    if (v.requires_grad()) all.push_back(v.grad().to_doubles());
  return all;
}

// Expects a relative error of at most `tolerance` for each number that is not much smaller than the largest.
void expect_accurate(const Function& f, const std::vector<Values>& inputs, double tolerance,
                     const std::string& what) {
  const std::vector<Doubles> expected = evaluate_extreme(f, inputs, DType::f64, Device::cpu());
  for (const Device device : {Device::cpu(), Device::best()}) {
    const std::vector<Doubles> got = evaluate_extreme(f, inputs, DType::f32, device);
    for (std::size_t t = 0; t < expected.size(); ++t) {
      double largest = 0;
      for (const double x : expected[t]) largest = std::max(largest, std::fabs(x));
      for (std::size_t i = 0; i < expected[t].size(); ++i)
        ASSERT_TRUE(std::fabs(got[t][i] - expected[t][i]) <=
                    tolerance * std::fabs(expected[t][i]) + 3e-7 * largest)
            << what << " on " << device.text() << ", array " << t << ", element " << i << ": " << got[t][i]
            << ", expected " << expected[t][i];
    }
  }
}

// Returns `count` evenly spaced numbers from `low` to `high`.
Doubles evenly(double low, double high, std::int64_t count) {
  Doubles numbers;
  for (std::int64_t i = 0; i < count; ++i)
    numbers.push_back(low + (high - low) * static_cast<double>(i) / static_cast<double>(count - 1));
  return numbers;
}
Values extreme_row(Doubles numbers, bool differentiable = true) {
  const auto size = static_cast<std::int64_t>(numbers.size());
  return {{1, size}, std::move(numbers), differentiable};
}

// exp(-log variance) is close to 0 here, or underflows.
TEST(ExtremesDevice, GaussiansOfLargeVariance) {
  for (const bool sigmoid_mean : {false, true})
    for (const std::int64_t width : {64, 63}) {
      const GaussianOptions options{sigmoid_mean, -150, 150};
      Doubles params = evenly(-2, 2, width);
      for (const double log_variance : evenly(60, 140, width)) params.push_back(log_variance);
      const Values both{{1, 2 * width}, params}, target = extreme_row(evenly(0, 1, width), false);
      const auto nll = [&](auto v) { return gaussian_nll(v[0], v[1], options); };
      expect_accurate(nll, {both, target}, 2e-5, "gaussian_nll");
      const auto density = [&](auto v) { return gaussian_log_density(v[0], v[1], options); };
      expect_accurate(density, {both, target}, 2e-5, "gaussian_log_density");
    }
}

// Softplus of 100 is 100, with a slope of 1.
TEST(ExtremesDevice, WideComponentsOfMixtures) {
  constexpr std::int64_t kRows = 40, kComponents = 40;
  Doubles component_params;
  for (const double scale : evenly(70, 160, kComponents))
    component_params.insert(component_params.end(), {scale - 100, scale});
  const Values z{{kRows, 1}, evenly(-150, 150, kRows)};
  const auto density = [](auto v) {
    return mixture_log_density(v[0], v[1], PosteriorScale::softplus, Variable());
  };
  expect_accurate(density, {z, {{kComponents, 2}, component_params}}, 1e-4, "mixture_log_density");
}

// A component of infinite width has zero density everywhere, and NaN propagates.
TEST(ExtremesDevice, ComponentsWithoutDensity) {
  for (const Device device : {Device::cpu(), Device::best()})
    for (const float scale : {INFINITY, NAN}) {
      const Variable z = Tensor::zeros({1, 1}, DType::f32, device);
      const Variable component_params = Tensor::from(std::vector<float>{0, scale}, {1, 2}, device);
      const float density = mixture_log_density(z, component_params, PosteriorScale::softplus, Variable())
                                .value()
                                .to_vector()[0];
      EXPECT_TRUE(std::isnan(scale) ? std::isnan(density) : density == -INFINITY)
          << device.text() << ": " << density;
    }
}

// The rows are so far from most components that their terms are negligible next to the largest one, or 0.
TEST(ExtremesDevice, RowsFarFromComponents) {
  constexpr std::int64_t kRows = 40, kComponents = 70;
  Doubles component_params;
  for (const double mean : evenly(-40, 40, kComponents))
    component_params.insert(component_params.end(), {mean, 0.0});
  const Values z{{kRows, 1}, evenly(-55, 55, kRows)};
  const auto density = [](auto v) {
    return mixture_log_density(v[0], v[1], PosteriorScale::log_variance, Variable());
  };
  expect_accurate([&](auto v) { return density(v); },
                  {{z.shape, z.numbers}, {{kComponents, 2}, component_params, false}}, 1e-4,
                  "mixture_log_density");
}

// A sum of many terms is as accurate as its terms, because it is accumulated in double precision.
TEST(ExtremesDevice, LossesOfManyPixels) {
  constexpr std::int64_t kSize = 10'007;
  const auto pair = [](double low, double high) {
    return std::vector<Values>{{{1, kSize}, evenly(low, high, kSize), false},
                               extreme_row(evenly(1, 0, kSize), false)};
  };
  const auto sums = [&](const char* what, const Function& f, const std::vector<Values>& inputs,
                        double tolerance = 1.2e-7) {
    const double expected = evaluate_extreme(f, inputs, DType::f64, Device::cpu())[0][0];
    for (const Device device : {Device::cpu(), Device::best()}) {
      const double got = evaluate_extreme(f, inputs, DType::f32, device)[0][0];
      EXPECT_TRUE(std::fabs(got / expected - 1) <= tolerance)
          << what << " on " << device.text() << " differs by " << got / expected - 1;
    }
  };
  sums(
      "bce_with_logits", [](auto v) { return bce_with_logits(v[0], v[1], 0.01); }, pair(-9, 7));
  sums(
      "bce", [](auto v) { return bce(v[0], v[1], 0.01); }, pair(0.01, 0.98));
  sums(
      "continuous_bernoulli", [](auto v) { return continuous_bernoulli_nll(v[0], v[1], 0.01); }, pair(-9, 7));
  // The terms are small compared with the exponentials in them, which a GPU may consistently round down or
  // up.
  sums(
      "kl", [](auto v) { return kl_divergence(v[0], PosteriorScale::log_variance, 0.01); },
      {{{5000, 2}, evenly(-2, 3, 10'000), false}}, 5e-7);
  sums(
      "sum", [](auto v) { return sum(v[0]); }, pair(0.1, 0.7));
}

// Tests the weight of the KL divergence during its warm-up, with a step count on the host and with one that
// is partly on the device.
TEST(ExtremesDevice, KlWarmUpUsesTheStepsOfHostAndDevice) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const std::uint64_t step = 3;
    std::vector<std::uint8_t> bytes(sizeof step);
    std::memcpy(bytes.data(), &step, sizeof step);
    const Tensor on_device = Tensor::from(bytes, {sizeof step}, device);
    const auto* device_step = static_cast<const std::uint64_t*>(on_device.data());
    for (const kernels::Clock& clock :
         {kernels::Clock{.step = 7}, kernels::Clock{.step = 4, .device_step = device_step}}) {
      const Tensor weight = Tensor::zeros({1}, DType::f32, device);
      device.backend().ramp({DType::f32, 4, 20, clock, weight.data()}, Stream::current(device).handle());
      EXPECT_FLOAT_EQ(weight.to_vector()[0], 4 * 7 / 20.0f) << device.text();
    }
  }
}

}  // namespace
}  // namespace gpuvae
