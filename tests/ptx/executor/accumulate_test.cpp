// Tests the sums of mma: exact sums rounded once, and truncated sums as published for NVIDIA's tensor cores.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "fragments.h"

namespace ptx {
namespace {

Options truncating() {
  Options options;
  options.accumulate = Accumulate::truncating;
  return options;
}

// Returns c plus the sum over k of a[k] b[k], as element (0, 0) of a product of TF32 (k < 8) or bfloat16 (k <
// 16).
float dot(const std::vector<float>& a, const std::vector<float>& b, float c, const Options& options) {
  Operands o;
  o.c[0][0] = c;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const auto x = std::bit_cast<std::uint32_t>(a[k]), y = std::bit_cast<std::uint32_t>(b[k]);
    if (a.size() == 8) {
      o.a[k % 4][k / 4 * 2] = x;
      o.b[k % 4][k / 4] = y;
    } else {
      o.a[k % 8 / 2][k / 8 * 2] |= k % 2 ? x & 0xffff0000u : x >> 16;
      o.b[k % 8 / 2][k / 8] |= k % 2 ? y & 0xffff0000u : y >> 16;
    }
  }
  return multiply(a.size() == 8 ? kTf32 : kBf16, {o}, options)[0][0][0];
}
float dot(const std::vector<float>& a, float c, const Options& options) {
  return dot(a, std::vector<float>(a.size(), 1.0f), c, options);
}

TEST(PtxAccumulate, ExactSumsAreRoundedOnce) {
  const std::vector<float> a = {0x1p-24f, 0x1p-24f, 0x1p-24f, 0x1p-24f, 0, 0, 0, -0x1p-24f};
  EXPECT_EQ(dot(a, 1, {}), 1 + 0x1.8p-23f + -0x1p-24f);  // added one by one, each term would be lost
  EXPECT_EQ(dot({0x1p-24f, 0x1p-40f, 0, 0, 0, 0, 0, 0}, 1, {}), 1 + 0x1p-23f);
}

// Each term is truncated 24 bits below the largest exponent, and the sum is rounded towards zero.
TEST(PtxAccumulate, TruncatingSumsTruncateEachTerm) {
  const Options t = truncating();
  EXPECT_EQ(dot({0x1.8p-24f, 0, 0, 0, 0, 0, 0, 0}, 1, t), 1);
  EXPECT_EQ(dot({0x1p-24f, 0x1p-24f, 0, 0, 0, 0, 0, 0}, 1, t), 1 + 0x1p-23f);     // the extra bit
  EXPECT_EQ(dot({0x1p-25f, 0x1p-25f, 0x1p-25f, 0x1p-25f, 0, 0, 0, 0}, 1, t), 1);  // below the extra bit
  // The two terms are in different groups, and the sum of each group is truncated to 1.
  EXPECT_EQ(dot({0x1p-24f, 0, 0, 0, 0x1p-24f, 0, 0, 0}, 1, t), 1);
  EXPECT_EQ(dot({-0x1p-24f, 0, 0, 0, 0, 0, 0, 0}, 1, t), 1 - 0x1p-24f);
  EXPECT_EQ(dot({0x1.8p-24f, 0, 0, 0, 0, 0, 0, 0}, -1, t), -1 + 0x1p-24f);
  EXPECT_EQ(dot({-0x1p-24f, 0, 0, 0, 0, 0, 0, 0}, -1, t), -1);
}

TEST(PtxAccumulate, GroupsOfBfloat16HaveEightTerms) {
  std::vector<float> a(16);
  a[0] = a[7] = 0x1p-24f;
  EXPECT_EQ(dot(a, 1, truncating()), 1 + 0x1p-23f);
  a[7] = 0;
  a[8] = 0x1p-24f;
  EXPECT_EQ(dot(a, 1, truncating()), 1);
  EXPECT_EQ(dot(a, 1, {}), 1 + 0x1p-23f);
}

// Sums are not normalised between terms: small terms are truncated even if the large terms cancel.
TEST(PtxAccumulate, CancellationDoesNotBringBitsBack) {
  const std::vector<float> a = {0x1p20f, -0x1p20f, 0x1p-10f, 0, 0, 0, 0, 0};
  EXPECT_EQ(dot(a, 0, truncating()), 0);
  EXPECT_EQ(dot(a, 0, {}), 0x1p-10f);
  EXPECT_EQ(dot({0x1p20f, -0x1p20f, 0x1p-4f, 0, 0, 0, 0, 0}, 0, truncating()), 0x1p-4f);
}

TEST(PtxAccumulate, InfinitiesAndNanPropagate) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  for (const Options& options : {Options(), truncating()}) {
    EXPECT_EQ(dot({kInf, 1, 0, 0, 0, 0, 0, 0}, 1, options), kInf);
    EXPECT_EQ(dot({1, 1, 0, 0, 0, 0, 0, 0}, -kInf, options), -kInf);
    EXPECT_TRUE(std::isnan(dot({kInf, -kInf, 0, 0, 0, 0, 0, 0}, 1, options)));
    EXPECT_TRUE(std::isnan(dot({1, 1, 0, 0, 0, 0, 0, 0}, std::nanf(""), options)));
    EXPECT_EQ(dot({0, 0, 0, 0, 0, 0, 0, 0}, 0, options), 0);
  }
}

// An independent scalar model in integer arithmetic: each term is truncated to a whole number of units.
float model(const std::vector<float>& a, const std::vector<float>& b, float c, std::size_t group) {
  float sum = c;
  for (std::size_t k = 0; k < a.size(); k += group) {
    std::vector<double> terms = {sum};
    for (std::size_t i = k; i < k + group; ++i) terms.push_back(double(a[i]) * b[i]);
    int exponent = -1000;
    for (const double t : terms)
      if (t != 0) exponent = std::max(exponent, std::ilogb(t));
    if (exponent == -1000) continue;
    std::int64_t units = 0;
    for (const double t : terms) units += static_cast<std::int64_t>(std::ldexp(t, 24 - exponent));
    std::uint64_t magnitude = static_cast<std::uint64_t>(units < 0 ? -units : units);
    int shift = 0;
    while (magnitude >> 24) {  // 24 significant bits
      magnitude >>= 1;
      ++shift;
    }
    sum = static_cast<float>(
        std::ldexp(units < 0 ? -double(magnitude) : double(magnitude), shift + exponent - 24));
  }
  return sum;
}

TEST(PtxAccumulate, TruncatingSumsMatchTheModel) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  double worst = 0;
  for (int n = 0; n < 400; ++n) {
    const std::size_t depth = n % 2 ? 8 : 16;
    std::vector<float> a(depth), b(depth);
    const std::uint32_t mask = depth == 8 ? ~0x1fffu : 0xffff0000u;
    const auto draw = [&] {
      const float x = std::ldexp(normal(random), static_cast<int>(random() % 24) - 12);
      return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x) & mask);
    };
    for (float& x : a) x = draw();
    for (float& x : b) x = draw();
    const float c = normal(random), got = dot(a, b, c, truncating());
    ASSERT_EQ(got, model(a, b, c, depth == 8 ? 4 : 8)) << n;
    double sum = c, size = std::fabs(c);
    for (std::size_t k = 0; k < depth; ++k) {
      sum += double(a[k]) * b[k];
      size += std::fabs(double(a[k]) * b[k]);
    }
    ASSERT_EQ(dot(a, b, c, {}), static_cast<float>(sum)) << n;
    worst = std::max(worst, std::fabs(got - sum) / size);
  }
  EXPECT_GT(worst, 0x1p-24);  // more than one rounding error
  EXPECT_LT(worst, 0x1p-20);
}

}  // namespace
}  // namespace ptx
