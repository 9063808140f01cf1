// Compares conversions with tables and with exact arithmetic.
#include <gtest/gtest.h>

#include <bit>
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

using std::int32_t, std::int64_t, std::uint16_t, std::uint32_t, std::uint64_t;

template <class D, class A>
D one(const std::string& opcode, A a) {
  return evaluate<D>(opcode + " %d, %a0;", std::vector{a})[0];
}

TEST(PtxConvert, FloatToIntegerSaturates) {
  EXPECT_EQ((one<int32_t>("cvt.rzi.s32.f32", 2.9f)), 2);
  EXPECT_EQ((one<int32_t>("cvt.rzi.s32.f32", -2.9f)), -2);
  EXPECT_EQ((one<int32_t>("cvt.rmi.s32.f32", -2.1f)), -3);
  EXPECT_EQ((one<int32_t>("cvt.rpi.s32.f32", 2.1f)), 3);
  EXPECT_EQ((one<int32_t>("cvt.rni.s32.f32", 2.5f)), 2);
  EXPECT_EQ((one<int32_t>("cvt.rni.s32.f32", 3.5f)), 4);
  EXPECT_EQ((one<int32_t>("cvt.rzi.s32.f32", 3e9f)), 2147483647);
  EXPECT_EQ((one<int32_t>("cvt.rzi.s32.f32", -3e9f)), std::numeric_limits<int32_t>::min());
  EXPECT_EQ((one<uint32_t>("cvt.rzi.u32.f32", -1.0f)), 0u);
  EXPECT_EQ((one<uint32_t>("cvt.rzi.u32.f32", 4294967040.0f)), 4294967040u);
  EXPECT_EQ((one<uint32_t>("cvt.rzi.u32.f32", kInfinity)), 0xffffffffu);
  EXPECT_EQ((one<int64_t>("cvt.rzi.s64.f64", -1e300)), std::numeric_limits<int64_t>::min());
  EXPECT_EQ((one<uint64_t>("cvt.rni.u64.f64", 0x1.8p52 + 1)), 0x18000000000001u);
}

// PTX ISA manual on cvt: a NaN becomes 0 for 32-bit sources with results below 64 bits; otherwise only the
// highest bit is set.
TEST(PtxConvert, NanToInteger) {
  EXPECT_EQ((one<int32_t>("cvt.rzi.s32.f32", kNan)), 0);
  EXPECT_EQ((one<uint32_t>("cvt.rni.u32.f32", kNan)), 0u);
  EXPECT_EQ((one<int64_t>("cvt.rzi.s64.f32", kNan)), std::numeric_limits<int64_t>::min());
  EXPECT_EQ((one<uint32_t>("cvt.rzi.u32.f64", double(kNan))), 0x80000000u);
  EXPECT_EQ((one<uint64_t>("cvt.rzi.u64.f64", double(kNan))), 0x8000000000000000u);
}

TEST(PtxConvert, IntegerToFloatRounds) {
  const uint32_t tie = (1u << 24) + 1, above = (1u << 24) + 3;
  EXPECT_EQ((one<float>("cvt.rn.f32.u32", tie)), 0x1p24f);
  EXPECT_EQ((one<float>("cvt.rn.f32.u32", above)), 0x1p24f + 4);
  EXPECT_EQ((one<float>("cvt.rz.f32.u32", above)), 0x1p24f + 2);
  EXPECT_EQ((one<float>("cvt.rp.f32.u32", tie)), 0x1p24f + 2);
  EXPECT_EQ((one<float>("cvt.rm.f32.s32", -int32_t(tie))), -0x1p24f - 2);
  EXPECT_EQ((one<float>("cvt.rz.f32.s32", -int32_t(tie))), -0x1p24f);
  EXPECT_EQ((one<double>("cvt.rn.f64.u64", ~uint64_t(0))), 0x1p64);
  EXPECT_EQ((one<double>("cvt.rz.f64.u64", ~uint64_t(0))), 0x1.fffffffffffffp63);
  EXPECT_EQ((one<double>("cvt.rn.f64.s64", int64_t(-5))), -5.0);
  EXPECT_EQ((one<float>("cvt.rn.f32.u16", uint16_t(65535))), 65535.0f);
}

TEST(PtxConvert, DoubleToFloat) {
  const double above = 1 + 0x1p-24 + 0x1p-50, tie = 1 + 0x1p-24;
  EXPECT_EQ((one<float>("cvt.rn.f32.f64", above)), 1 + 0x1p-23f);
  EXPECT_EQ((one<float>("cvt.rn.f32.f64", tie)), 1.0f);
  EXPECT_EQ((one<float>("cvt.rz.f32.f64", above)), 1.0f);
  EXPECT_EQ((one<float>("cvt.rm.f32.f64", -above)), -1 - 0x1p-23f);
  EXPECT_EQ((one<float>("cvt.rp.f32.f64", -above)), -1.0f);
  EXPECT_EQ((one<float>("cvt.rn.f32.f64", 1e39)), kInfinity);
  EXPECT_EQ((one<float>("cvt.rz.f32.f64", 1e39)), std::numeric_limits<float>::max());
  EXPECT_EQ((one<float>("cvt.rn.f32.f64", 0x1p-149 * 0.75)), 0x1p-149f);
  EXPECT_EQ((one<double>("cvt.f64.f32", 0x1.234567p-130f)), 0x1.234567p-130f);
}

TEST(PtxConvert, WholeNumbersAndSaturation) {
  EXPECT_EQ((one<float>("cvt.rni.f32.f32", 2.5f)), 2.0f);
  EXPECT_EQ((one<float>("cvt.rni.f32.f32", -3.5f)), -4.0f);
  EXPECT_EQ((one<float>("cvt.rmi.f32.f32", -0.25f)), -1.0f);
  EXPECT_EQ((one<float>("cvt.rpi.f32.f32", 0.25f)), 1.0f);
  EXPECT_TRUE(std::signbit(one<float>("cvt.rzi.f32.f32", -0.75f)));
  EXPECT_EQ((one<float>("cvt.sat.f32.f32", 1.5f)), 1.0f);
  EXPECT_EQ((one<float>("cvt.sat.f32.f32", -1.5f)), 0.0f);
  EXPECT_EQ((one<float>("cvt.sat.f32.f32", 0.75f)), 0.75f);
  EXPECT_EQ((one<float>("cvt.sat.f32.f32", kNan)), 0.0f);
  EXPECT_EQ((one<uint32_t>("cvt.sat.u32.s32", int32_t(-7))), 0u);
  EXPECT_EQ((one<int32_t>("cvt.sat.s32.u32", 0x80000000u)), 2147483647);
}

TEST(PtxConvert, IntegersAreExtendedAndTruncated) {
  EXPECT_EQ((one<int64_t>("cvt.s64.s32", int32_t(-2))), -2);
  EXPECT_EQ((one<uint64_t>("cvt.u64.u32", 0xfffffffeu)), 0xfffffffeu);
  EXPECT_EQ((one<uint32_t>("cvt.u32.u64", uint64_t(0x123456789))), 0x23456789u);
  EXPECT_EQ((one<uint16_t>("cvt.u16.u32", 0x12345u)), 0x2345);
  EXPECT_EQ((one<int32_t>("cvt.s32.s8", 0x1ffu)), -1);  // only the low 8 bits of the source register count
  EXPECT_EQ((one<uint32_t>("cvt.u32.u8", 0x1ffu)), 255u);
  EXPECT_EQ((one<uint32_t>("cvt.s8.s32", 0x180u)), 0xffffff80u);
}

// cvt to TF32 returns the nearest number with 10 bits of fraction, ties away from zero.
TEST(PtxConvert, Tf32) {
  const auto tf32 = [](float x) { return std::bit_cast<float>(one<uint32_t>("cvt.rna.tf32.f32", x)); };
  EXPECT_EQ(tf32(1 + 0x1p-11f), 1 + 0x1p-10f);
  EXPECT_EQ(tf32(1 + 0x1p-10f + 0x1p-11f), 1 + 0x1p-9f);
  EXPECT_EQ(tf32(-1 - 0x1p-11f), -1 - 0x1p-10f);
  EXPECT_EQ(tf32(1 + 0x1p-11f - 0x1p-23f), 1.0f);
  EXPECT_EQ(tf32(2 - 0x1p-11f), 2.0f);
  EXPECT_EQ(tf32(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(tf32(kNan)));
  EXPECT_EQ(tf32(-0.0f), 0.0f);
}

// cvt to bfloat16 returns the nearest number with 7 bits of fraction, ties to even. The midpoint of two
// neighbours is exact in double.
TEST(PtxConvert, Bfloat16) {
  EXPECT_EQ((one<uint16_t>("cvt.rn.bf16.f32", 1 + 0x1p-8f)), 0x3f80);
  EXPECT_EQ((one<uint16_t>("cvt.rn.bf16.f32", 1 + 0x1p-7f + 0x1p-8f)), 0x3f82);
  EXPECT_EQ((one<uint16_t>("cvt.rn.bf16.f32", 1 + 0x1p-8f + 0x1p-23f)), 0x3f81);
  EXPECT_EQ((one<uint16_t>("cvt.rn.bf16.f32", -kInfinity)), 0xff80);
  EXPECT_EQ((one<uint16_t>("cvt.rn.bf16.f32", kNan)), 0x7fff);
  EXPECT_EQ((one<float>("cvt.f32.bf16", uint16_t(0xc040))), -3.0f);
  const std::vector<float> high = {1, -2.5f}, low = {3, 0.5f};
  EXPECT_EQ(evaluate<uint32_t>("cvt.rn.bf16x2.f32 %d, %a0, %a1;", high, low),
            (std::vector<uint32_t>{0x3f804040, 0xc0203f00}));
}

TEST(PtxConvert, RegistersArePackedFromTheLowestPart) {
  const std::vector<uint32_t> low = {0x11223344}, high = {0xaabbccdd};
  EXPECT_EQ(evaluate<uint64_t>("mov.b64 %d, {%a0, %a1};", low, high)[0], 0xaabbccdd11223344u);
  EXPECT_EQ(evaluate<uint32_t>(".reg .b16 %h<2>; mov.b32 {%h0, %h1}, %a0; mov.b32 %d, {%h1, %h0};", low)[0],
            0x33441122u);
  EXPECT_EQ(evaluate<uint32_t>(".reg .b64 %w; .reg .b32 %u; mov.b64 %w, {%a0, %a1}; mov.b64 {_, %d}, %w;",
                               low, high)[0],
            0xaabbccddu);
}

// Runs functions of the C++ library as nvcc compiles them, each within the error that the CUDA manual states.
TEST(PtxConvert, LibraryFunctionsAreWithinTheirDocumentedErrors) {
  using Function = double (*)(double);
  const std::pair<Function, double> functions[] = {{[](double v) { return std::exp(v); }, 2},
                                                   {[](double v) { return std::log(std::fabs(v)); }, 1},
                                                   {[](double v) { return std::tanh(v); }, 2},
                                                   {[](double v) { return std::sqrt(std::fabs(v)); }, 0.5},
                                                   {[](double v) { return std::sin(v); }, 2},
                                                   {[](double v) { return std::erf(v); }, 2},
                                                   {[](double v) { return std::log1p(std::fabs(v)); }, 2}};
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> x(1024);
  for (std::size_t n = 0; n < x.size(); ++n)
    x[n] = normal(random) * (n % 8 == 0 ? 20 : n % 8 == 1 ? 1e-5f : 1);
  Module module = load_module("math_functions");
  Memory memory;
  float* y = memory.allocate<float>(x.size() * std::size(functions));
  module.launch(memory, "math_functions", {4}, {256}, 0, upload(memory, x), y, 1024);
  for (std::size_t f = 0; f < std::size(functions); ++f)
    for (std::size_t n = 0; n < x.size(); ++n) {
      const double expected = functions[f].first(x[n]);
      const auto near = static_cast<float>(std::fabs(expected));
      const double ulp = static_cast<double>(std::nextafter(near, kInfinity)) - near;
      const double error = std::fabs(y[f * x.size() + n] - expected) / ulp;
      ASSERT_TRUE(error <= functions[f].second)
          << "function " << f << " of " << x[n] << ": " << error << " ulp";
    }
}

}  // namespace
}  // namespace ptx
