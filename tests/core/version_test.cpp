// Tests that a backward pass detects values that changed in place after the operation saved them.
#include <gtest/gtest.h>

#include <utility>

#include "gpuvae/ops.h"
#include "gpuvae/optim.h"

namespace gpuvae {
namespace {

Variable leaf(std::vector<float> values, Shape shape, Device device = Device::cpu()) {
  return Variable(Tensor::from(values, shape, device), true);
}

// Returns the error of backward(), or "" if it succeeds.
std::string backward_error(const Variable& y) {
  try {
    sum(y).backward();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

void expect_error_of(const std::string& operation, const Variable& y) {
  const std::string message = backward_error(y), start = "[" + operation + "] ";
  EXPECT_EQ(message.substr(0, start.size()), start) << message;
  EXPECT_NE(message.find("changed in place"), std::string::npos) << message;
}

TEST(Version, CountsChangesInPlace) {
  const Tensor x = Tensor::zeros({4}), part = x.slice(1, 2);
  const std::uint64_t start = x.version();
  x.fill(1);
  EXPECT_EQ(x.version(), start + 1);
  part.copy_from(Tensor::zeros({2}));
  EXPECT_EQ(x.version(), start + 2) << "slices share the version counter";
  part.increment_version();
  EXPECT_EQ(x.reshape({2, 2}).version(), start + 3);
  static_cast<void>(x.to_vector());
  EXPECT_EQ(x.version(), start + 3);
  EXPECT_EQ(Tensor().version(), 0u);
}

TEST(VersionOnDevice, AnInputChangedAfterTheOperationIsAnError) {
  const Device device = Device::best();
  const Variable x = leaf({3}, {1}, device);
  const Variable y = square(x);
  x.value().fill(10);
  expect_error_of("square", y);
  EXPECT_FALSE(x.grad());
}

TEST(Version, OperationsThatSaveTheirInputsDetectChanges) {
  const auto expect_error = [](const std::string& operation, Variable (*of)(const Variable& x)) {
    const Variable x = leaf({1, 2, 3, 4}, {2, 2});
    const Variable y = of(x);
    x.value().fill(0.5);
    expect_error_of(operation, y);
  };
  expect_error("multiply", [](const Variable& x) { return x * x; });
  expect_error("divide", [](const Variable& x) { return 2 * x / x; });
  expect_error("matmul", [](const Variable& x) { return matmul(x, x); });
  expect_error("linear", [](const Variable& x) { return linear(x, x, Variable(), Activation::relu); });
  expect_error("log_sum_exp", [](const Variable& x) { return log_sum_exp(x, Axis::columns); });
}

TEST(Version, AReluOutputThatFeedsAProductDetectsChanges) {
  const Variable x = leaf({1, 2, 3, 4}, {2, 2}), b = leaf({1, 2}, {2});
  const Variable hidden = linear(x, x, b, Activation::relu);
  const Variable y = linear(hidden, leaf({1, 1}, {1, 2}), leaf({0}, {1}));
  hidden.value().fill(0);
  expect_error_of("linear", y);
}

TEST(Version, SavedConstantsAndOutputsDetectChanges) {
  const Variable x = leaf({1, 2}, {2});
  const Variable factor = Tensor::full({2}, 3);
  const Variable product = x * factor;
  factor.value().fill(4);
  expect_error_of("multiply", product);
  for (const auto& [name, y] : {std::pair("exp", exp(x)), std::pair("softmax", softmax(x, Axis::all))}) {
    y.value().fill(0);
    expect_error_of(name, y);
  }
}

TEST(Version, PosteriorsAndMixturesDetectChanges) {
  const Variable posterior_params = leaf({0, 1, 0.5f, -1}, {1, 4}), z = leaf({0.1f, 0.2f}, {1, 2});
  const Tensor epsilon = Tensor::full({1, 2}, 0.3);
  PosteriorOptions options;
  options.epsilon = epsilon;
  const Variable sample = sample_posterior(posterior_params, options);
  epsilon.fill(1);
  expect_error_of("sample_posterior", sample);
  const Variable kl = kl_divergence(posterior_params, PosteriorScale::log_variance);
  const Variable density = mixture_log_density(z, posterior_params, PosteriorScale::log_variance, Variable());
  posterior_params.value().fill(0);
  expect_error_of("kl_divergence", kl);
  expect_error_of("mixture_log_density", density);
}

TEST(Version, OperationsThatSaveNoValueAllowChanges) {
  const Variable x = leaf({1, 2}, {2}), other = Tensor::full({2}, 5);
  const Variable y = 3 * x + other - 1;
  x.value().fill(7);
  other.value().fill(8);
  EXPECT_EQ(backward_error(y), "");
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{3, 3}));
}

TEST(Version, AChangeBeforeTheOperationIsAllowed) {
  const Variable x = leaf({1, 2}, {2});
  x.value().fill(7);
  EXPECT_EQ(backward_error(square(x)), "");
  EXPECT_EQ(x.grad().to_vector(), (std::vector<float>{14, 14}));
}

TEST(VersionOnDevice, OptimiserStepsAreAllowedOnlyAfterTheBackwardPass) {
  const Device device = Device::best();
  Variable w = leaf({1, 2}, {1, 2}, device);
  Parameter parameter{"w", w, false};
  Optimizer optimizer({&parameter, 1}, OptimizerOptions::defaults(OptimizerKind::sgd));
  const Variable x = Tensor::full({3, 2}, 1, DType::f32, device);
  for (int step = 0; step < 3; ++step) {
    EXPECT_EQ(backward_error(square(linear(x, w, Variable()))), "");
    optimizer.step();
    optimizer.zero_grad();
  }
  const Variable late = linear(leaf({1, 2}, {1, 2}, device), w, Variable());
  optimizer.step();
  expect_error_of("linear", late);
}

}  // namespace
}  // namespace gpuvae
