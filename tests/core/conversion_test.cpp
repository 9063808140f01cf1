// Compares conversions between dtypes on every device with double-precision arithmetic.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "gpuvae/tensor.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using test::devices;

constexpr std::int64_t kMany = 20'001;  // more than the threads of a launch on a small GPU

// Returns the nearest number with 8 significant bits, ties to even.
double to_bf16(double x) {
  if (x == 0 || !std::isfinite(x)) return x;
  const double unit = std::ldexp(1.0, std::ilogb(x) - 7);
  return std::nearbyint(x / unit) * unit;
}

template <class T>
void expect_conversions(const std::vector<T>& values, Device device) {
  const Tensor x = Tensor::from(values, {static_cast<std::int64_t>(values.size())}).to(device);
  const std::vector<double> halves = x.to(DType::bf16).to(DType::f32).to_doubles();
  const std::vector<double> floats = x.to(DType::f32).to_doubles();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double exact = static_cast<float>(values[i]);
    ASSERT_EQ(floats[i], exact) << "element " << i;
    ASSERT_EQ(halves[i], to_bf16(exact)) << "element " << i;
  }
}

TEST(ConversionDevice, BytesKeepTheirValues) {
  std::vector<std::uint8_t> bytes(kMany);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 7);
  for (const Device device : devices()) expect_conversions(bytes, device);
}

TEST(ConversionDevice, IntegersKeepTheirSignAndRoundToTheNearestFloat) {
  std::vector<std::int32_t> integers(kMany);
  for (std::size_t i = 0; i < integers.size(); ++i)
    integers[i] = static_cast<std::int32_t>(i * 2'654'435'761u);
  integers[1] = -1;
  integers[2] = (1 << 24) + 1;
  integers[3] = std::numeric_limits<std::int32_t>::min();
  for (const Device device : devices()) expect_conversions(integers, device);
}

TEST(ConversionDevice, FloatsRoundToTheNearestBf16AndTiesToEven) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> floats(kMany);
  for (std::size_t i = 0; i < floats.size(); ++i)
    floats[i] = std::ldexp(std::sin(static_cast<float>(i)), static_cast<int>(i % 60) - 30);
  // 1 + 2^-8 and 1 + 3 * 2^-8 are halfway cases; 2 - 2^-9 rounds up to 2.
  const std::vector<float> edges{0,         -0.0f,     1.00390625f, 1.01171875f, -1.00390625f, 1.998046875f,
                                 kInfinity, -kInfinity};
  std::copy(edges.begin(), edges.end(), floats.begin());
  for (const Device device : devices()) {
    expect_conversions(floats, device);
    const Tensor nan = Tensor::full({3}, std::nan(""), DType::f32, device);
    for (const double x : nan.to(DType::bf16).to(DType::f32).to_doubles()) EXPECT_TRUE(std::isnan(x));
  }
}

}  // namespace
}  // namespace gpuvae
