// Tests matrix products of f32 that are cut into slices: their values, and that the number of threads does
// not change them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "gpuvae/gpuvae.h"
#include "kernels/backend.h"

namespace gpuvae {
namespace {

class SlicedProducts : public testing::Test {
 protected:
  void TearDown() override { set_num_threads(threads_); }
  int threads_ = num_threads();
};

struct Product {
  std::int64_t m, n, k;

  kernels::GemmArgs args(const Tensor& a, const Tensor& b, const Tensor& c, bool transpose_a,
                         bool transpose_b) const {
    kernels::GemmArgs args{.m = m, .n = n, .k = k, .a = a.data(), .b = b.data(), .c = c.data()};
    args.transpose_a = transpose_a;
    args.transpose_b = transpose_b;
    return args;
  }
};

// oneDNN's results depend on the size of the slices into which a product is cut.
TEST_F(SlicedProducts, HaveTheSameBitsForAnyNumberOfThreads) {
  const Noise noise{.seed = 5, .purpose = RandomPurpose::test};
  for (const Product& p : {Product{100, 784, 256},
                           {100, 256, 784},
                           {256, 784, 100},
                           {784, 200, 100},
                           {100, 200, 560},
                           {1024, 512, 100},
                           {37, 1500, 61},
                           {515, 130, 303},
                           {64, 50, 1000},
                           {2000, 17, 200},
                           {100, 64, 128},
                           {64, 200, 100},
                           {20, 200, 784}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true}) {
        const Tensor a = random_normal({p.m * p.k}, noise, 0, 1), b = random_normal({p.k * p.n}, noise, 1, 1);
        std::vector<float> first;
        for (const int threads : {1, 2, 3, 5}) {
          set_num_threads(threads);
          Tensor c = Tensor::zeros({p.m, p.n});
          kernels::GemmArgs args = p.args(a, b, c, transpose_a, transpose_b);
          args.activation = Activation::tanh;
          kernels::cpu_backend().gemm(args, nullptr);
          const std::vector<float> values = c.to_vector();
          if (first.empty()) first = values;
          EXPECT_EQ(values, first) << p.m << " x " << p.n << " x " << p.k << " on " << threads << " threads";
        }
      }
}

// Returns the largest error of a product, compared with sums in double precision. The product is either added
// to 3 or, if `finished` is true, followed by a bias and ReLU.
double largest_error(const Product& p, bool transpose_a, bool transpose_b, bool finished) {
  const Noise noise{.seed = 6, .purpose = RandomPurpose::test};
  const Tensor a = random_normal({p.m * p.k}, noise, 0, 1), b = random_normal({p.k * p.n}, noise, 1, 1),
               bias = random_normal({p.n}, noise, 2, 1), c = Tensor::full({p.m, p.n}, 3);
  kernels::GemmArgs args = p.args(a, b, c, transpose_a, transpose_b);
  args.accumulate = !finished;
  if (finished) args.bias = bias.data(), args.activation = Activation::relu;
  kernels::cpu_backend().gemm(args, nullptr);
  const std::vector<double> x = a.to_doubles(), y = b.to_doubles(), biases = bias.to_doubles(),
                            results = c.to_doubles();
  double largest = 0;
  for (std::int64_t i = 0; i < p.m; ++i)
    for (std::int64_t j = 0; j < p.n; ++j) {
      double sum = finished ? biases[static_cast<std::size_t>(j)] : 3;
      for (std::int64_t q = 0; q < p.k; ++q)
        sum += x[static_cast<std::size_t>(transpose_a ? q * p.m + i : i * p.k + q)] *
               y[static_cast<std::size_t>(transpose_b ? j * p.k + q : q * p.n + j)];
      if (finished) sum = std::max(sum, 0.0);
      const double error = std::abs(results[static_cast<std::size_t>(i * p.n + j)] - sum);
      if (!(error <= largest)) largest = error;
    }
  return largest;
}

// Products small enough for two slices, rows that do not divide evenly, and, in the last three, sums over k
// in two halves that are not equal.
TEST_F(SlicedProducts, AreTogetherTheWholeProduct) {
  set_num_threads(2);
  for (const Product& p : {Product{100, 64, 128},
                           {64, 200, 100},
                           {20, 200, 784},
                           {131, 77, 90},
                           {67, 129, 130},
                           {500, 33, 65},
                           {50, 70, 801},
                           {33, 201, 518},
                           {7, 640, 1027}})
    for (const bool transpose_a : {false, true})
      for (const bool transpose_b : {false, true})
        for (const bool finished : {false, true}) {
          const double error = largest_error(p, transpose_a, transpose_b, finished);
          EXPECT_TRUE(error <= 1e-6 * static_cast<double>(p.k))
              << error << " for " << p.m << " x " << p.n << " x " << p.k;
        }
}

// The parts in which an arena is updated follow its tensors. They must cover every element once.
TEST_F(SlicedProducts, UpdatesDoNotDependOnTheTensorsOfTheArena) {
  constexpr std::int64_t kSize = 200'000, kDecayed = 120'033;
  const Noise noise{.seed = 7, .purpose = RandomPurpose::test};
  const auto updated = [&](std::span<const std::int64_t> tensors) {
    const Tensor parameters = random_normal({kSize}, noise, 0, 1),
                 state1 = random_normal({kSize}, noise, 1, 1),
                 gradients = random_normal({kSize}, noise, 2, 1), state2 = Tensor::full({kSize}, 0.5);
    kernels::OptimizerArgs args{.kind = OptimizerKind::adam, .size = kSize, .decayed = kDecayed};
    args.decay = 0.1;
    args.parameters = parameters.data();
    args.gradients = gradients.data();
    args.state1 = state1.data();
    args.state2 = state2.data();
    args.tensors = tensors;
    kernels::cpu_backend().optimizer_step(args, nullptr);
    return std::vector{parameters.to_vector(), state1.to_vector(), state2.to_vector()};
  };
  const std::vector whole = updated({});
  EXPECT_EQ(updated(std::vector<std::int64_t>{0, 16, 48, 100'000, 100'032, 199'984}), whole);
  EXPECT_EQ(updated(std::vector<std::int64_t>{0}), whole);
  set_num_threads(1);
  EXPECT_EQ(updated(std::vector<std::int64_t>{0, 70'000}), whole);
}

}  // namespace
}  // namespace gpuvae
