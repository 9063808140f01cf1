// Tests which kernels the CUDA backend fuses into products of matrices on the emulated device, and that the
// products have the results of the CPU and the precision that was asked for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>

#include "counters.h"
#include "gpuvae/ops.h"
#include "kernels/backend.h"

namespace gpuvae {
namespace {

// Returns the number of launches that `work` makes. An epilogue that cuBLASLt fuses adds none.
std::uint64_t launches_of(const std::function<void()>& work) {
  kernels::Backend& backend = Device::cuda().backend();
  const std::uint64_t before = backend.launches();
  work();
  return backend.launches() - before;
}

// Returns a [3, columns] matrix whose second row contains a NaN.
Variable rows_with_nan(std::int64_t columns) {
  std::vector<float> x(static_cast<std::size_t>(3 * columns), 0.5f);
  x[static_cast<std::size_t>(columns)] = std::numeric_limits<float>::quiet_NaN();
  return Tensor::from(x, {3, columns}, Device::cuda());
}

void expect_relu(std::int64_t columns, std::uint64_t launches) {
  const Device cuda = Device::cuda();
  const Variable x = rows_with_nan(columns);
  const Variable weight =
      Tensor::from(std::vector<float>(static_cast<std::size_t>(2 * columns), 2), {2, columns}, cuda);
  const Variable bias = Tensor::from(std::vector<float>{1, -1e6f}, {2}, cuda);
  const auto layer = [&] { return linear(x, weight, bias, Activation::relu).value(); };
  layer();  // the first call with a shape chooses an algorithm and checks in a trial whether it keeps NaN
  Tensor y;
  EXPECT_EQ(launches_of([&] { y = layer(); }), launches);
  const std::vector<float> got = y.to_vector();
  const float first = static_cast<float>(columns) + 1;
  for (const std::size_t row : {0, 2}) {
    EXPECT_EQ(got[2 * row], first);
    EXPECT_EQ(got[2 * row + 1], 0.0f);
  }
  EXPECT_TRUE(std::isnan(got[2]) && std::isnan(got[3])) << got[2] << ", " << got[3];
}

TEST(EmulatedBackend, ReluIsFusedIntoTheProductIfItKeepsNan) {
  expect_relu(7, 1);
  ASSERT_EQ(setenv("PTX_RELU_HIDES_NAN", "1", 1), 0);
  expect_relu(9, 2);  // a new shape, because each shape is tried only once
  ASSERT_EQ(unsetenv("PTX_RELU_HIDES_NAN"), 0);
}

TEST(EmulatedBackend, BiasGradientIsFusedIntoTheWeightGradient) {
  const Device cuda = Device::cuda();
  const Variable x = random_normal({6, 8}, {.seed = 1}, 0, 1, DType::f32, cuda);
  const Variable weight(random_normal({4, 8}, {.seed = 2}, 0, 1, DType::f32, cuda), true);
  const Variable bias(Tensor::zeros({4}, DType::f32, cuda), true);
  const Variable loss = sum(linear(x, weight, bias));
  // One launch fills in the gradient of the sum; the product computes both gradients.
  EXPECT_EQ(launches_of([&] { loss.backward(true); }), 2u);
  EXPECT_EQ(bias.grad().to_vector(), std::vector<float>(4, 6));
  // Accumulation into existing gradients needs a separate kernel for the bias.
  EXPECT_EQ(launches_of([&] { loss.backward(); }), 3u);
  EXPECT_EQ(bias.grad().to_vector(), std::vector<float>(4, 12));
}

// Runs two layers of `hidden` units with ReLU between them on 6 rows, and keeps the gradients and the number
// of launches of a backward pass.
// once: one backward pass; shared: the loss also depends directly on the hidden layer; twice: two backward
// passes through the same graph.
enum class Use { once, shared, twice };
struct TwoLayers {
  std::vector<std::vector<float>> gradients;
  std::uint64_t launches = 0;

  TwoLayers(Device device, std::int64_t hidden, Use use) {
    const auto draw = [&](Shape shape, std::uint64_t seed) {
      return random_normal(shape, {.seed = seed}, 0, 1, DType::f32, device);
    };
    const Variable x = draw({6, 8}, 1);
    const std::vector<Variable> parameters = {
        Variable(draw({hidden, 8}, 2), true), Variable(draw({hidden}, 3), true),
        Variable(draw({4, hidden}, 4), true), Variable(draw({4}, 5), true)};
    const auto loss = [&] {
      const Variable h = linear(x, parameters[0], parameters[1], Activation::relu);
      const Variable y = sum(square(linear(h, parameters[2], parameters[3])));
      return use == Use::shared ? add(y, sum(h)) : y;
    };
    loss().backward();  // chooses algorithms
    for (const Variable& p : parameters) p.zero_grad();
    const Variable total = loss();
    launches = launches_of([&] { total.backward(use == Use::twice); });
    if (use == Use::twice) total.backward();
    for (const Variable& p : parameters) gradients.push_back(p.grad().to_vector());
  }
};
void expect_gradients_of_cpu(const TwoLayers& got, std::int64_t hidden, Use use) {
  const TwoLayers expected(Device::cpu(), hidden, use);
  for (std::size_t i = 0; i < got.gradients.size(); ++i)
    for (std::size_t j = 0; j < got.gradients[i].size(); ++j)
      EXPECT_NEAR(got.gradients[i][j], expected.gradients[i][j], 1e-3) << "parameter " << i << ", " << j;
}

TEST(EmulatedBackend, ReluBackwardIsFusedIntoTheGradientProduct) {
  const TwoLayers fused(Device::cuda(), 12, Use::once);
  expect_gradients_of_cpu(fused, 12, Use::once);
  ASSERT_EQ(setenv("PTX_RELU_HIDES_NAN", "1", 1), 0);
  // A new shape, because each shape is tried only once.
  const TwoLayers apart(Device::cuda(), 16, Use::once);
  ASSERT_EQ(unsetenv("PTX_RELU_HIDES_NAN"), 0);
  expect_gradients_of_cpu(apart, 16, Use::once);
  EXPECT_EQ(fused.launches + 1, apart.launches)
      << "fusing the ReLU derivative and the bias gradient saves one kernel";
}

// Returns the weight gradient of a ReLU layer. Half of the layer's outputs are exactly 0, because the first
// half of its weights and all its biases are 0.
Tensor gradient_through_zeros(Device device, std::int64_t hidden) {
  std::vector<float> weights(static_cast<std::size_t>(8 * hidden), 0.0f),
      biases(static_cast<std::size_t>(hidden), 0.0f);
  for (std::size_t i = weights.size() / 2; i < weights.size(); ++i) weights[i] = i % 3 == 0 ? -0.5f : 0.25f;
  const Variable x = random_normal({6, 8}, {.seed = 1}, 0, 1, DType::f32, device);
  const Variable weight(Tensor::from(weights, {hidden, 8}, device), true);
  const Variable bias(Tensor::from(biases, {hidden}, device), true);
  const Variable next(random_normal({4, hidden}, {.seed = 4}, 0, 1, DType::f32, device), true);
  for (int i = 0; i < 2; ++i) {  // the first pass chooses algorithms
    for (const Variable* parameter : {&weight, &bias, &next}) parameter->zero_grad();
    const Variable h = linear(x, weight, bias, Activation::relu);
    const Variable y = linear(h, next, {});
    sum(add(square(y), y)).backward();
  }
  return weight.grad();
}

TEST(EmulatedBackend, NoGradientPassesReluAtExactlyZero) {
  for (const std::int64_t hidden : {12, 20}) {
    // Each shape is tried only once, so the second run uses a new one.
    if (hidden == 20) {
      ASSERT_EQ(setenv("PTX_RELU_MASK_AT_ZERO", "1", 1), 0);
    }
    const std::vector<float> got = gradient_through_zeros(Device::cuda(), hidden).to_vector();
    ASSERT_EQ(unsetenv("PTX_RELU_MASK_AT_ZERO"), 0);
    const std::vector<float> expected = gradient_through_zeros(Device::cpu(), hidden).to_vector();
    float largest = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], expected[i], 1e-3) << i;
      if (i < got.size() / 2) {
        EXPECT_EQ(got[i], 0.0f) << i;
      }
      largest = std::max(largest, std::abs(got[i]));
    }
    EXPECT_GT(largest, 0.1f);
  }
}

TEST(EmulatedBackend, PrecisionIsPassedToCublaslt) {
  const Device cuda = Device::cuda();
  const Variable x = random_normal({16, 8}, {.seed = 1}, 0, 1, DType::f32, cuda);
  const Variable w = random_normal({4, 8}, {.seed = 2}, 0, 1, DType::f32, cuda);
  const auto products = [&](Precision precision) {
    const emulator::Counters before = emulator::counters();
    static_cast<void>(linear(x, w, {}, Activation::identity, precision));
    const emulator::Counters after = emulator::counters();
    return std::pair(after.tf32_products - before.tf32_products, after.bf16_products - before.bf16_products);
  };
  EXPECT_EQ(products(Precision::f32), std::pair(std::uint64_t{0}, std::uint64_t{0}));
  EXPECT_EQ(products(Precision::tf32), std::pair(std::uint64_t{1}, std::uint64_t{0}));
  EXPECT_EQ(products(Precision::bf16), std::pair(std::uint64_t{0}, std::uint64_t{1}));
}

TEST(EmulatedBackend, ReluBackwardIsCorrectForSummedGradients) {
  expect_gradients_of_cpu(TwoLayers(Device::cuda(), 12, Use::shared), 12, Use::shared);
  expect_gradients_of_cpu(TwoLayers(Device::cuda(), 12, Use::twice), 12, Use::twice);
}

}  // namespace
}  // namespace gpuvae
