// Tests approximate instructions: nearest results, and the documented maximum error in both directions.
#include <gtest/gtest.h>

#include <algorithm>
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

using Real = long double;

std::vector<float> results(const std::string& opcode, Approximation mode, const std::vector<float>& a,
                           const std::vector<float>& b) {
  Options options;
  options.approximation = mode;
  return evaluate<float>(opcode + (opcode.starts_with("div") ? " %d, %a0, %a1;" : " %d, %a0;"), options, a,
                         b);
}

Real ulp(Real y) {
  int exponent;
  std::frexp(y, &exponent);
  return std::ldexp(Real(1), std::max(exponent - 24, -149));
}

struct Function {
  const char* opcode;
  std::function<Real(Real, Real)> exact;
  std::function<Real(Real, Real)> error;  // error bound of an input and its exact result
  float low, high;                        // range of the inputs
};

const Function kFunctions[] = {
    {"ex2.approx.f32", [](Real a, Real) { return std::exp2(a); }, [](Real, Real y) { return 2.5L * ulp(y); },
     -100, 100},
    {"ex2.approx.ftz.f32", [](Real a, Real) { return std::exp2(a); },
     [](Real, Real y) { return 2.5L * ulp(y); }, -1, 1},
    {"lg2.approx.f32", [](Real a, Real) { return std::log2(a); },
     [](Real a, Real y) { return 0x1p-22L * (a > 0.5L && a < 2 ? 1 : std::fabs(y)); }, 0.1f, 4},
    {"rcp.approx.f32", [](Real a, Real) { return 1 / a; }, [](Real, Real y) { return ulp(y); }, -9, 9},
    {"sqrt.approx.f32", [](Real a, Real) { return std::sqrt(a); }, [](Real, Real y) { return 0x1p-23L * y; },
     0, 100},
    {"rsqrt.approx.f32", [](Real a, Real) { return 1 / std::sqrt(a); },
     [](Real, Real y) { return std::pow(2.0L, -22.9L) * y; }, 0, 100},
    {"sin.approx.f32", [](Real a, Real) { return std::sin(a); },
     [](Real, Real) { return std::pow(2.0L, -20.5L); }, -6.28f, 6.28f},
    {"cos.approx.f32", [](Real a, Real) { return std::cos(a); },
     [](Real, Real) { return std::pow(2.0L, -14.7L); }, 7, 300},
    {"tanh.approx.f32", [](Real a, Real) { return std::tanh(a); },
     [](Real, Real y) { return 0x1p-11L * std::fabs(y); }, -5, 5},
    {"div.approx.f32", [](Real a, Real b) { return a / b; }, [](Real, Real y) { return 2 * ulp(y); }, -9, 9},
    {"div.full.f32", [](Real a, Real b) { return a / b; }, [](Real, Real y) { return 2 * ulp(y); }, -9, 9},
};

std::vector<float> inputs(float low, float high, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(low, high);
  std::vector<float> x(4000);
  for (float& v : x) v = uniform(random);
  return x;
}

TEST(PtxApproximate, NearestIsCorrectlyRounded) {
  for (const Function& f : kFunctions) {
    const auto a = inputs(f.low, f.high, 1), b = inputs(f.low, f.high, 2);
    const auto got = results(f.opcode, Approximation::nearest, a, b);
    for (std::size_t n = 0; n < a.size(); ++n)
      ASSERT_EQ(got[n], static_cast<float>(f.exact(a[n], b[n])))
          << f.opcode << " of " << a[n] << ", " << b[n];
  }
}

// Low results lie within the bound, and the floats below them do not. High results are the mirror image.
TEST(PtxApproximate, LowAndHighReachTheDocumentedBound) {
  for (const Function& f : kFunctions) {
    const auto a = inputs(f.low, f.high, 3), b = inputs(f.low, f.high, 4);
    const auto low = results(f.opcode, Approximation::low, a, b);
    const auto high = results(f.opcode, Approximation::high, a, b);
    for (std::size_t n = 0; n < a.size(); ++n) {
      const Real y = f.exact(a[n], b[n]), error = f.error(a[n], y), slack = 1e-9L * error;
      const bool ulps_of_rounded = std::string_view(f.opcode).starts_with("ex2");
      // 2 ulp of the rounded result are 1.5 to 2.5 ulp of the exact one.
      const Real next = ulps_of_rounded ? ulp(y) : 0;
      ASSERT_TRUE(low[n] >= y - error - slack && low[n] <= y) << f.opcode << " of " << a[n];
      ASSERT_TRUE(high[n] <= y + error + slack && high[n] >= y) << f.opcode << " of " << a[n];
      ASSERT_TRUE(std::nextafter(low[n], -kInfinity) <= y - error + next + slack)
          << f.opcode << " of " << a[n];
      ASSERT_TRUE(std::nextafter(high[n], kInfinity) >= y + error - next - slack)
          << f.opcode << " of " << a[n];
    }
  }
}

TEST(PtxApproximate, SpecialValuesAreExactInAllModes) {
  struct Case {
    const char* opcode;
    float input, expected;
  };
  const Case cases[] = {
      {"ex2.approx.f32", 0, 1},
      {"ex2.approx.f32", -0.0f, 1},
      {"ex2.approx.f32", -kInfinity, 0},
      {"ex2.approx.f32", kInfinity, kInfinity},
      {"ex2.approx.f32", kNan, kNan},
      {"ex2.approx.ftz.f32", -127.5f, 0},
      {"ex2.approx.f32", 200, kInfinity},
      {"lg2.approx.f32", 0, -kInfinity},
      {"lg2.approx.f32", kInfinity, kInfinity},
      {"lg2.approx.f32", -1, kNan},
      {"rcp.approx.f32", 0, kInfinity},
      {"rcp.approx.f32", -0.0f, -kInfinity},
      {"rcp.approx.f32", kInfinity, 0},
      {"rcp.approx.f32", -kInfinity, -0.0f},
      {"rcp.approx.ftz.f32", 0x1p-127f, kInfinity},
      {"sqrt.approx.f32", -0.0f, 0},
      {"sqrt.approx.f32", kInfinity, kInfinity},
      {"sqrt.approx.f32", -2, kNan},
      {"rsqrt.approx.f32", kInfinity, 0},
      {"rsqrt.approx.f32", 0, kInfinity},
      {"sin.approx.f32", 0, 0},
      {"sin.approx.f32", kInfinity, kNan},
      {"cos.approx.f32", 0, 1},
      {"cos.approx.f32", kInfinity, kNan},
      {"tanh.approx.f32", kInfinity, 1},
      {"tanh.approx.f32", -kInfinity, -1},
      {"tanh.approx.f32", 0x1p-140f, 0x1p-140f},
  };
  for (const Case& c : cases)
    for (const Approximation mode : {Approximation::nearest, Approximation::low, Approximation::high}) {
      const float got = results(c.opcode, mode, {c.input}, {1})[0];
      EXPECT_TRUE(std::isnan(c.expected) ? std::isnan(got) : got == c.expected)
          << c.opcode << " of " << c.input << ": " << got;
    }
}

TEST(PtxApproximate, DivisionByHugeNumbersFlushes) {
  const std::vector<float> a = {3, kInfinity, -3}, b = {0x1p127f, 0x1p127f, 0x1.8p126f};
  const auto got = results("div.approx.f32", Approximation::nearest, a, b);
  EXPECT_EQ(got[0], 0);
  EXPECT_TRUE(std::isnan(got[1]));
  EXPECT_TRUE(got[2] == 0 && std::signbit(got[2]));
  EXPECT_EQ(results("div.full.f32", Approximation::nearest, a, b)[0], 3 * 0x1p-127f);
}

TEST(PtxApproximate, F64ReciprocalUsesOnlyTheUpperHalf) {
  const std::vector<double> x = {3, -0.7, 1e300, 0x1p-1050};
  const auto got = evaluate<double>("rcp.approx.ftz.f64 %d, %a0;", x);
  for (std::size_t n = 0; n < 3; ++n) {
    EXPECT_TRUE(std::fabs(got[n] * x[n] - 1) <= 0x1p-18);
    std::uint64_t bits;
    std::memcpy(&bits, &got[n], sizeof bits);
    EXPECT_EQ(bits & 0xffffffff, 0u);
  }
  EXPECT_EQ(got[3], std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace ptx
