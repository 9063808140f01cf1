// Compares floating-point arithmetic with the host's rounding modes and with quadruple precision.
#include <gtest/gtest.h>

#include <bit>
#include <cfenv>
#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "test_kernels.h"
#include "tests/special_values.h"

namespace ptx {
namespace {

using gpuvae::test::kInfinity;
using gpuvae::test::kNan;

using Quad = __float128;
constexpr float kTiny = std::numeric_limits<float>::denorm_min();
constexpr float kMax = std::numeric_limits<float>::max();

template <class T>
bool same(T a, T b) {
  return (a != a && b != b) || std::memcmp(&a, &b, sizeof a) == 0;
}

// Returns numbers whose sums and products are rounded, cancel, underflow and overflow.
std::vector<float> numbers() {
  std::vector<float> x = {0.0f,       -0.0f,     1,        -1,     1 + 0x1p-23f,   1 - 0x1p-24f,
                          0x1p-24f,   -0x1p-25f, kTiny,    -kTiny, 0x1p-126f,      0x1p-127f,
                          kMax,       -kMax,     0x1p127f, 3,      0x1.fffffep-1f, kInfinity,
                          -kInfinity, kNan};
  std::mt19937 random(7);
  std::uniform_real_distribution<float> mantissa(1, 2);
  for (int n = 0; n < 40; ++n)
    x.push_back(
        std::ldexp(n % 2 ? mantissa(random) : -mantissa(random), static_cast<int>(random() % 60) - 30));
  return x;
}

struct Triples {
  std::vector<float> a, b, c;
};
Triples triples() {
  Triples t;
  const std::vector<float> x = numbers();
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j)
      for (std::size_t k = i % 5; k < x.size(); k += 5) {
        t.a.push_back(x[i]);
        t.b.push_back(x[j]);
        t.c.push_back(x[k]);
      }
  return t;
}

// The host computes in its current rounding mode; volatile prevents constant folding by the compiler.
using Operation = float (*)(float, float, float);
float host_add(float a, float b, float) {
  volatile float x = a, y = b;
  return x + y;
}
float host_sub(float a, float b, float) {
  volatile float x = a, y = b;
  return x - y;
}
float host_mul(float a, float b, float) {
  volatile float x = a, y = b;
  return x * y;
}
float host_fma(float a, float b, float c) {
  volatile float x = a, y = b, z = c;
  return std::fma(x, y, z);
}

void compare_with_host(const std::string& opcode, int mode, Operation operation) {
  const Triples t = triples();
  const std::string inputs = opcode.starts_with("fma") ? " %d, %a0, %a1, %a2;" : " %d, %a0, %a1;";
  const auto got = evaluate<float>(opcode + inputs, t.a, t.b, t.c);
  std::vector<float> expected(got.size());
  std::fesetround(mode);
  for (std::size_t n = 0; n < got.size(); ++n) expected[n] = operation(t.a[n], t.b[n], t.c[n]);
  std::fesetround(FE_TONEAREST);
  for (std::size_t n = 0; n < got.size(); ++n)
    ASSERT_TRUE(same(got[n], expected[n])) << opcode << " of " << t.a[n] << ", " << t.b[n] << ", " << t.c[n]
                                           << ": got " << got[n] << ", expected " << expected[n];
}

TEST(PtxFloat, RoundsInTheDirectionOfTheInstruction) {
  const std::pair<const char*, Operation> operations[] = {
      {"add", host_add}, {"sub", host_sub}, {"mul", host_mul}, {"fma", host_fma}};
  const std::pair<const char*, int> modes[] = {
      {".rn", FE_TONEAREST}, {".rz", FE_TOWARDZERO}, {".rm", FE_DOWNWARD}, {".rp", FE_UPWARD}};
  for (const auto& [name, operation] : operations)
    for (const auto& [suffix, mode] : modes)
      compare_with_host(std::string(name) + suffix + ".f32", mode, operation);
}

TEST(PtxFloat, DirectedRoundingMatchesKnownBits) {
  const auto one = [](const char* opcode, float a, float b) {
    return evaluate<float>(std::string(opcode) + " %d, %a0, %a1;", std::vector{a}, std::vector{b})[0];
  };
  EXPECT_EQ(one("add.rn.f32", 1, 0x1p-24f), 1);
  EXPECT_EQ(one("add.rp.f32", 1, 0x1p-60f), 1 + 0x1p-23f);
  EXPECT_EQ(one("add.rz.f32", 1, -0x1p-60f), 1 - 0x1p-24f);
  EXPECT_EQ(one("add.rz.f32", -1, 0x1p-60f), -1 + 0x1p-24f);
  EXPECT_EQ(one("mul.rz.f32", kMax, 2), kMax);
  EXPECT_EQ(one("mul.rp.f32", kMax, 2), kInfinity);
  EXPECT_EQ(one("mul.rm.f32", -kTiny, 0x1p-20f), -kTiny);
  EXPECT_TRUE(std::signbit(one("add.rm.f32", 1, -1)));
  EXPECT_FALSE(std::signbit(one("add.rp.f32", 1, -1)));
}

// Returns whether sums of such numbers are exact in quadruple precision.
bool is_moderate(float x) {
  return x == 0 || !std::isfinite(x) || (std::fabs(x) > 0x1p-45f && std::fabs(x) < 0x1p45f);
}

TEST(PtxFloat, FmaRoundsOnce) {
  const Triples t = triples();
  const auto got = evaluate<float>("fma.rn.f32 %d, %a0, %a1, %a2;", t.a, t.b, t.c);
  const auto twice = evaluate<float>("mul.f32 %d, %a0, %a1; add.f32 %d, %d, %a2;", t.a, t.b, t.c);
  int differences = 0;
  for (std::size_t n = 0; n < got.size(); ++n) {
    if (!is_moderate(t.a[n]) || !is_moderate(t.b[n]) || !is_moderate(t.c[n])) continue;
    const float expected = static_cast<float>(Quad(t.a[n]) * t.b[n] + t.c[n]);
    ASSERT_TRUE(same(got[n], expected)) << t.a[n] << " " << t.b[n] << " " << t.c[n];
    differences += !same(got[n], twice[n]);
  }
  EXPECT_GT(differences, 1000);  // the inputs distinguish one rounding from two
}

TEST(PtxFloat, DivisionAndRootsAreCorrectlyRounded) {
  const auto [a, b] = pairs(numbers());
  const auto quotient = evaluate<float>("div.rn.f32 %d, %a0, %a1;", a, b);
  const auto inverse = evaluate<float>("rcp.rn.f32 %d, %a0;", a);
  const auto root = evaluate<float>("sqrt.rn.f32 %d, %a0;", a);
  for (std::size_t n = 0; n < a.size(); ++n) {
    ASSERT_TRUE(same(quotient[n], static_cast<float>(Quad(a[n]) / b[n]))) << a[n] << " / " << b[n];
    ASSERT_TRUE(same(inverse[n], static_cast<float>(Quad(1) / a[n]))) << a[n];
    const auto exact = static_cast<float>(std::sqrt(static_cast<long double>(a[n])));
    ASSERT_TRUE(same(root[n], exact)) << a[n];
  }
}

TEST(PtxFloat, DoublePrecisionIsCorrectlyRounded) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> uniform(-8, 8);
  std::vector<double> a(2000), b(2000);
  for (double& x : a) x = uniform(random);
  for (double& x : b) x = uniform(random);
  const auto check = [&](const std::string& body, const std::function<double(double, double)>& expected) {
    const auto got = evaluate<double>(body, a, b);
    for (std::size_t n = 0; n < a.size(); ++n)
      ASSERT_EQ(got[n], expected(a[n], b[n])) << body << a[n] << ", " << b[n];
  };
  check("add.f64 %d, %a0, %a1;", [](double x, double y) { return static_cast<double>(Quad(x) + y); });
  check("sub.f64 %d, %a0, %a1;", [](double x, double y) { return static_cast<double>(Quad(x) - y); });
  check("mul.f64 %d, %a0, %a1;", [](double x, double y) { return static_cast<double>(Quad(x) * y); });
  check("div.rn.f64 %d, %a0, %a1;", [](double x, double y) { return static_cast<double>(Quad(x) / y); });
  // Computes the rounding error of a product.
  check("mul.f64 %d, %a0, %a1; neg.f64 %d, %d; fma.rn.f64 %d, %a0, %a1, %d;",
        [](double x, double y) { return static_cast<double>(Quad(x) * y - Quad(x * y)); });
  check("max.f64 %d, %a0, %a1;", [](double x, double y) { return x > y ? x : y; });
  check("min.f64 %d, %a0, %a1;", [](double x, double y) { return x < y ? x : y; });
}

TEST(PtxFloat, MinimumAndMaximumReturnTheNumberIfOneOperandIsNan) {
  const std::vector<float> a = {kNan, 1, kNan, -0.0f, 0.0f, 2, -kInfinity},
                           b = {1, kNan, kNan, 0.0f, -0.0f, 3, kNan};
  const auto low = evaluate<float>("min.f32 %d, %a0, %a1;", a, b);
  const auto high = evaluate<float>("max.f32 %d, %a0, %a1;", a, b);
  const std::vector<float> lowest = {1, 1, kNan, -0.0f, -0.0f, 2, -kInfinity};
  const std::vector<float> highest = {1, 1, kNan, 0.0f, 0.0f, 3, -kInfinity};
  for (std::size_t n = 0; n < a.size(); ++n) {
    EXPECT_TRUE(same(low[n], lowest[n])) << n << ": " << low[n];
    EXPECT_TRUE(same(high[n], highest[n])) << n << ": " << high[n];
  }
}

TEST(PtxFloat, ModifiersFlushAndSaturate) {
  const std::vector<float> a = {0x1p-127f, -0x1p-127f, 0x1p-126f, 3, -3, 0.25f, kNan};
  const std::vector<float> b = {0x1p-126f, 0, -0x1.8p-126f, 1, 1, 0.5f, 1};
  const auto flushed = evaluate<float>("add.ftz.f32 %d, %a0, %a1;", a, b);
  const std::vector<float> expected = {0x1p-126f, 0, -0.0f, 4, -2, 0.75f, kNan};
  const auto saturated = evaluate<float>("add.sat.f32 %d, %a0, %a1;", a, b);
  const std::vector<float> clamped = {0x1.8p-126f, 0, 0, 1, 0, 0.75f, 0};
  const auto magnitude = evaluate<float>("copysign.f32 %d, %a0, %a1;", a, b);
  for (std::size_t n = 0; n < a.size(); ++n) {
    EXPECT_TRUE(same(flushed[n], expected[n])) << n << ": " << flushed[n];
    EXPECT_EQ(saturated[n], clamped[n]) << n;
    EXPECT_EQ(std::fabs(magnitude[n]), std::fabs(b[n]));
    EXPECT_EQ(std::signbit(magnitude[n]), std::signbit(a[n]));
  }
}

TEST(PtxFloat, OrderedAndUnorderedComparisonsTreatNanAsThePtxIsaDefines) {
  const std::vector<float> a = {1, 2, 1, kNan, 1, kNan}, b = {1, 1, 2, 1, kNan, kNan};
  const std::pair<const char*, std::vector<std::uint32_t>> table[] = {
      {"eq", {1, 0, 0, 0, 0, 0}},  {"equ", {1, 0, 0, 1, 1, 1}}, {"ne", {0, 1, 1, 0, 0, 0}},
      {"neu", {0, 1, 1, 1, 1, 1}}, {"lt", {0, 0, 1, 0, 0, 0}},  {"ltu", {0, 0, 1, 1, 1, 1}},
      {"le", {1, 0, 1, 0, 0, 0}},  {"leu", {1, 0, 1, 1, 1, 1}}, {"gt", {0, 1, 0, 0, 0, 0}},
      {"gtu", {0, 1, 0, 1, 1, 1}}, {"ge", {1, 1, 0, 0, 0, 0}},  {"geu", {1, 1, 0, 1, 1, 1}},
      {"num", {1, 1, 1, 0, 0, 0}}, {"nan", {0, 0, 0, 1, 1, 1}}};
  for (const auto& [name, expected] : table) {
    const std::string body = std::string("setp.") + name + ".f32 %q0, %a0, %a1; selp.u32 %d, 1, 0, %q0;";
    EXPECT_EQ(evaluate<std::uint32_t>(body, a, b), expected) << name;
  }
}

// Tests a sum that was never initialised, and one that only half of the lanes initialised.
TEST(PtxFloat, UninitialisedRegistersAreNan) {
  const std::vector<float> x(32, 1.0f);
  for (const float sum : evaluate<float>(".reg .f32 %sum; add.f32 %sum, %sum, %a0; mov.f32 %d, %sum;", x))
    EXPECT_TRUE(std::isnan(sum)) << sum;
  const auto half = evaluate<float>(
      "setp.lt.u32 %q0, %n1, 16; .reg .f32 %sum; @%q0 mov.f32 %sum, 0f00000000; add.f32 %d, %sum, %a0;", x);
  for (std::size_t lane = 0; lane < 32; ++lane)
    EXPECT_TRUE(lane < 16 ? half[lane] == 1.0f : std::isnan(half[lane])) << lane << ": " << half[lane];
}

}  // namespace
}  // namespace ptx
