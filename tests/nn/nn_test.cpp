// Compares layers with plain loops in double precision, on every device.
#include "gpuvae/nn.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gpuvae {
namespace {

using Doubles = std::vector<double>;

constexpr std::int64_t kGatedRows = 9, kGatedIn = 7, kGatedOut = 5;

// (x W1^T + b1) * sigmoid(x W2^T + b2), and the gradients of the sum of d * y.
struct NaiveGated {
  Doubles x, value_weight, value_bias, gate_weight, gate_bias, d;
  Doubles y, d_x, d_value_weight, d_value_bias, d_gate_weight, d_gate_bias;

  void run() {
    y.assign(kGatedRows * kGatedOut, 0);
    d_x.assign(kGatedRows * kGatedIn, 0);
    d_value_weight.assign(kGatedOut * kGatedIn, 0);
    d_gate_weight.assign(kGatedOut * kGatedIn, 0);
    d_value_bias.assign(kGatedOut, 0);
    d_gate_bias.assign(kGatedOut, 0);
    for (std::int64_t row = 0; row < kGatedRows; ++row)
      for (std::int64_t out = 0; out < kGatedOut; ++out) run_element(row, out);
  }

 private:
  void run_element(std::int64_t row, std::int64_t out) {
    double value = value_bias[out], logit = gate_bias[out];
    for (std::int64_t i = 0; i < kGatedIn; ++i) {
      value += x[row * kGatedIn + i] * value_weight[out * kGatedIn + i];
      logit += x[row * kGatedIn + i] * gate_weight[out * kGatedIn + i];
    }
    const double gate = 1 / (1 + std::exp(-logit)), gradient = d[row * kGatedOut + out];
    y[row * kGatedOut + out] = value * gate;
    const double d_value = gradient * gate, d_logit = gradient * value * gate / (1 + std::exp(logit));
    d_value_bias[out] += d_value;
    d_gate_bias[out] += d_logit;
    for (std::int64_t i = 0; i < kGatedIn; ++i) {
      d_value_weight[out * kGatedIn + i] += d_value * x[row * kGatedIn + i];
      d_gate_weight[out * kGatedIn + i] += d_logit * x[row * kGatedIn + i];
      d_x[row * kGatedIn + i] +=
          d_value * value_weight[out * kGatedIn + i] + d_logit * gate_weight[out * kGatedIn + i];
    }
  }
};

void expect_close_gated(const Tensor& got, const Doubles& expected, const char* what) {
  const Doubles values = got.to_doubles();
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_TRUE(std::abs(values[i] - expected[i]) <= 2e-6 * (1 + std::abs(expected[i])))
        << what << ", element " << i << ": " << values[i] << ", expected " << expected[i];
}

Tensor draws(Shape shape, std::uint64_t seed, Device device) {
  return random_normal(shape, {.seed = seed, .purpose = RandomPurpose::test}, 0, 1, DType::f32, device);
}

TEST(LayersDevice, GatedLinearMatchesPlainLoops) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Initializer initializer{.bias_std = 0.5, .seed = 3};
    const GatedLinear layer("gated", kGatedIn, kGatedOut, initializer, device);
    const Variable x(draws({kGatedRows, kGatedIn}, 1, device), true);
    const Tensor d = draws({kGatedRows, kGatedOut}, 2, device);
    const Variable y = layer(x);
    sum(y * d).backward();

    NaiveGated naive;
    naive.x = x.value().to_doubles();
    naive.d = d.to_doubles();
    const Doubles weight = layer.both.weight.value().to_doubles(),
                  bias = layer.both.bias.value().to_doubles();
    const auto half = [](const Doubles& all, bool second) {
      const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
      return second ? Doubles(middle, all.end()) : Doubles(all.begin(), middle);
    };
    naive.value_weight = half(weight, false);
    naive.gate_weight = half(weight, true);
    naive.value_bias = half(bias, false);
    naive.gate_bias = half(bias, true);
    naive.run();
    EXPECT_NE(naive.value_weight, naive.gate_weight);
    expect_close_gated(y.value(), naive.y, "output");
    expect_close_gated(x.grad(), naive.d_x, "gradient of x");
    Doubles d_weight = naive.d_value_weight, d_bias = naive.d_value_bias;
    d_weight.insert(d_weight.end(), naive.d_gate_weight.begin(), naive.d_gate_weight.end());
    d_bias.insert(d_bias.end(), naive.d_gate_bias.begin(), naive.d_gate_bias.end());
    expect_close_gated(layer.both.weight.grad(), d_weight, "gradient of the weight");
    expect_close_gated(layer.both.bias.grad(), d_bias, "gradient of the bias");
  }
}

TEST(Layers, GatedLinearNamesItsParameters) {
  const GatedLinear layer("encoder.0", 3, 2, {}, Device::cpu());
  std::vector<Parameter> parameters;
  layer.collect(parameters);
  std::vector<std::string> names;
  for (const Parameter& parameter : parameters) names.push_back(parameter.name);
  EXPECT_EQ(names, (std::vector<std::string>{"encoder.0.weight", "encoder.0.bias"}));
  EXPECT_EQ(layer.both.weight.shape(), Shape({4, 3}));
  EXPECT_TRUE(parameters[1].is_bias);
  EXPECT_FALSE(parameters[0].is_bias);
}

TEST(Layers, GatedMlpHasTheWidthsOfItsOutputs) {
  const std::int64_t widths[] = {5, 3};
  const Mlp mlp("encoder", 4, widths, Activation::relu, {.weight = WeightInit::he_normal}, Device::cpu(),
                Precision::f32, true);
  EXPECT_EQ(mlp.outputs(), 3);
  EXPECT_EQ(mlp.layers[1].weight.shape(), Shape({6, 5}));
  EXPECT_EQ(mlp(Tensor::full({2, 4}, 0.5)).shape(), Shape({2, 3}));
}

}  // namespace
}  // namespace gpuvae
