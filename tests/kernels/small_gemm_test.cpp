// Tests small matrix products against sums in the order of k, with guards around every matrix.
#include "kernels/cpu/gemm/small_gemm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace gpuvae::kernels {
namespace {

constexpr std::size_t kGuardElements = 32;  // elements before and after a matrix
constexpr float kGuardValue = -12345;

// A buffer whose surroundings must neither influence a result nor change.
struct GuardedMatrix {
  explicit GuardedMatrix(std::int64_t size, std::uint32_t seed)
      : memory(static_cast<std::size_t>(size) + 2 * kGuardElements, kGuardValue) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (std::int64_t i = 0; i < size; ++i) data()[i] = normal(random);
  }
  float* data() { return memory.data() + kGuardElements; }
  bool guards_hold() const {
    for (std::size_t i = 0; i < kGuardElements; ++i)
      if (memory[i] != kGuardValue || memory[memory.size() - 1 - i] != kGuardValue) return false;
    return true;
  }
  std::vector<float> memory;
};

struct SmallProduct {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b, accumulate, bias;
  Activation activation;
  std::string text() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k) +
           (transpose_a ? ", a^T" : "") + (transpose_b ? ", b^T" : "") + (accumulate ? ", added" : "") +
           (bias ? ", bias" : "");
  }
};

double activated_exactly(Activation activation, double x) {
  if (activation == Activation::relu) return std::max(x, 0.0);
  return activation == Activation::tanh ? std::tanh(x) : x;
}

// Compares a product with a sum in double precision.
void check_small_product(const SmallProduct& s) {
  SCOPED_TRACE(s.text());
  GuardedMatrix a(s.m * s.k, 1), b(s.k * s.n, 2), c(s.m * s.n, 3), bias(s.n, 4), input(s.m * s.n, 5);
  const std::vector<float> before = c.memory;
  GemmArgs args{.m = s.m, .n = s.n, .k = s.k};
  args.transpose_a = s.transpose_a;
  args.transpose_b = s.transpose_b;
  args.accumulate = s.accumulate;
  args.activation = s.activation;
  args.a = a.data();
  args.b = b.data();
  args.c = c.data();
  args.bias = s.bias ? bias.data() : nullptr;
  ASSERT_TRUE(small_gemm(args));
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = s.accumulate ? before[kGuardElements + static_cast<std::size_t>(i * s.n + j)] : 0,
             size = 1;
      for (std::int64_t p = 0; p < s.k; ++p) {
        const double term = double{a.data()[s.transpose_a ? p * s.m + i : i * s.k + p]} *
                            b.data()[s.transpose_b ? j * s.k + p : p * s.n + j];
        sum += term;
        size += std::abs(term);
      }
      if (s.bias) sum += bias.data()[j];
      const double got = c.data()[i * s.n + j];
      ASSERT_TRUE(std::abs(got - activated_exactly(s.activation, sum)) <= 1e-6 * size)
          << "c(" << i << ", " << j << ") is " << got << ", expected "
          << activated_exactly(s.activation, sum);
    }
  for (const GuardedMatrix* matrix : {&a, &b, &c, &bias}) EXPECT_TRUE(matrix->guards_hold());
}

TEST(SmallGemm, MatchesSumsInDoublePrecision) {
  for (const std::int64_t m : {1, 2, 3, 4, 5, 7, 17})
    for (const std::int64_t n : {1, 3, 7, 8, 9, 15, 16, 17, 31})
      for (const std::int64_t k : {1, 2, 7, 8, 31})
        if (m * n * k <= 4096)
          for (int flags = 0; flags < 16; ++flags)
            check_small_product({m, n, k, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0,
                                 (flags & 8) != 0,
                                 flags == 9    ? Activation::relu
                                 : flags == 11 ? Activation::tanh
                                               : Activation::identity});
}

TEST(SmallGemm, LongSidesStayWithinTheBuffer) {
  check_small_product({1, 1, 255, false, false, false, true, Activation::relu});
  check_small_product({4096, 1, 1, false, false, false, false, Activation::identity});
  check_small_product({1, 4096, 1, false, true, true, false, Activation::identity});
  check_small_product({1, 16, 256, true, true, false, false, Activation::identity});
}

TEST(SmallGemm, LargerProductsAreLeftToOthers) {
  std::vector<float> memory(5000 * 2);
  for (const auto& [m, n, k] :
       {std::array<std::int64_t, 3>{17, 17, 17}, {4097, 1, 1}, {1, 1, 300}, {1, 5000, 1}}) {
    GemmArgs args{.m = m, .n = n, .k = k};
    args.a = args.b = memory.data();
    args.c = memory.data() + 5000;
    EXPECT_FALSE(small_gemm(args)) << m << " " << n << " " << k;
  }
  EXPECT_EQ(memory, std::vector<float>(5000 * 2));
}

}  // namespace
}  // namespace gpuvae::kernels
