#include "kernels/cpu/gemm/sparse_gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gpuvae/threads.h"

namespace gpuvae::kernels {
namespace {

struct Sizes {
  std::int64_t m, n, k;
};

// A matrix as stored in memory; op(x) is [rows, columns].
struct Matrix {
  std::int64_t rows, columns;
  bool transposed;
  std::vector<float> values = std::vector<float>(static_cast<std::size_t>(rows * columns));

  float& at(std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(transposed ? j * rows + i : i * columns + j)];
  }
};

// Fills the whole matrix, or only a band that moves with the row, like an image on a black background.
Matrix random_matrix(std::int64_t rows, std::int64_t columns, bool transposed, bool band,
                     std::uint32_t seed) {
  Matrix x{rows, columns, transposed};
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const float value = normal(random);
      if (!band || (j + i / 3) % 16 < 5) x.at(i, j) = value;
    }
  return x;
}

// A product, its factors and its result. At most one factor is sparse.
struct Product {
  Matrix a, b;
  std::vector<float> c, bias;
  GemmArgs args;

  Product(Sizes s, bool transpose_a, bool transpose_b, bool sparse_a, bool sparse_b)
      : a(random_matrix(s.m, s.k, transpose_a, sparse_a, 1)),
        b(random_matrix(s.k, s.n, transpose_b, false, 2)),
        c(static_cast<std::size_t>(s.m * s.n), 0.5f),
        bias(static_cast<std::size_t>(s.n)),
        args{.m = s.m, .n = s.n, .k = s.k} {
    if (sparse_b)  // the band follows the columns of b, as pixels do in transposed images
      for (std::int64_t i = 0; i < s.k; ++i)
        for (std::int64_t j = 0; j < s.n; ++j)
          if ((j + i / 3) % 16 >= 5) b.at(i, j) = 0;
    for (std::size_t j = 0; j < bias.size(); ++j) bias[j] = 0.25f * static_cast<float>(j % 7);
    args.transpose_a = transpose_a;
    args.transpose_b = transpose_b;
    args.a = a.values.data();
    args.b = b.values.data();
    args.c = c.data();
  }
  bool run() { return sparse_gemm(args); }

  // Returns the largest error of an element of c, relative to the sum of its terms' magnitudes.
  double error(float before, bool relu) {
    double worst = 0;
    for (std::int64_t i = 0; i < args.m; ++i)
      for (std::int64_t j = 0; j < args.n; ++j) {
        double sum = args.bias ? double{bias[static_cast<std::size_t>(j)]} : 0, size = 1e-6;
        for (std::int64_t p = 0; p < args.k; ++p) {
          const double term = double{a.at(i, p)} * b.at(p, j);
          sum += term;
          size += std::abs(term);
        }
        sum += args.accumulate ? double{before} : 0;
        if (relu) sum = std::max(sum, 0.0);
        const double error = std::abs(c[static_cast<std::size_t>(i * args.n + j)] - sum) / size;
        if (!(error <= worst)) worst = error;
      }
    return worst;
  }
};

TEST(SparseGemm, MatchesTheNaiveProductInEveryForm) {
  // The sizes cover whole panels and strips; remainders of rows, columns and depth; and sizes just above the
  // minimum.
  for (const Sizes s : {Sizes{64, 96, 392}, Sizes{70, 101, 395}, Sizes{17, 350, 341}, Sizes{341, 17, 350}})
    for (int form = 0; form < 16; ++form) {
      const bool transpose_a = form & 1, transpose_b = form & 2, sparse_a = form & 4, accumulate = form & 8;
      SCOPED_TRACE(::testing::Message() << s.m << " x " << s.n << " x " << s.k << ", form " << form);
      Product product(s, transpose_a, transpose_b, sparse_a, !sparse_a);
      product.args.accumulate = accumulate;
      ASSERT_TRUE(product.run());
      EXPECT_LE(product.error(0.5f, false), 1e-6);
    }
}

TEST(SparseGemm, AppliesBiasAndActivation) {
  Product product({64, 97, 392}, false, true, true, false);
  product.args.bias = product.bias.data();
  product.args.activation = Activation::relu;
  ASSERT_TRUE(product.run());
  EXPECT_LE(product.error(0, true), 1e-6);
}

TEST(SparseGemm, HasTheSameBitsForAnyNumberOfThreads) {
  const int before = num_threads();
  for (const bool forward : {true, false}) {
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 7}) {
      set_num_threads(threads);
      Product product({70, 101, 395}, !forward, forward, forward, !forward);
      EXPECT_TRUE(product.run());
      if (first.empty()) first = product.c;
      EXPECT_EQ(product.c, first) << threads << " threads";
    }
  }
  set_num_threads(before);
}

TEST(SparseGemm, RefusesUnsuitableProductsAndLeavesTheResultUnchanged) {
  const auto untouched = [](Product product) {
    return !product.run() && product.c == std::vector<float>(product.c.size(), 0.5f);
  };
  EXPECT_TRUE(untouched(Product({64, 96, 392}, false, true, false, false))) << "dense";
  EXPECT_TRUE(untouched(Product({20, 100, 784}, false, true, true, false))) << "small";
  EXPECT_TRUE(untouched(Product({8, 784, 784}, false, true, true, false))) << "too few rows";
  Product half({64, 96, 392}, false, true, false, false);  // half of the elements are zero, but no panel is
  std::mt19937 random(3);
  for (float& value : half.a.values) value = random() % 2 ? value : 0;
  EXPECT_TRUE(untouched(half)) << "scattered zeros, as after ReLU";
}

TEST(SparseGemm, HandlesNegativeZeros) {
  Product product({64, 96, 392}, false, true, true, false);
  std::fill(product.a.values.begin(), product.a.values.end(), -0.0f);
  ASSERT_TRUE(product.run());
  EXPECT_EQ(product.c, std::vector<float>(product.c.size(), 0));
}

TEST(SparseGemm, PropagatesNan) {
  Product product({64, 96, 392}, false, true, true, false);
  product.a.at(9, 200) = std::numeric_limits<float>::quiet_NaN();
  ASSERT_TRUE(product.run());
  for (std::int64_t i = 0; i < 64; ++i)
    EXPECT_EQ(std::isnan(product.c[static_cast<std::size_t>(i * 96)]), i == 9) << "row " << i;
}

}  // namespace
}  // namespace gpuvae::kernels
