// Tests operations on special values, on every device: the limits of float, roots, infinities, empty
// matrices, single rows, and wrong shapes.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "gpuvae/ops.h"
#include "tests/special_values.h"

namespace gpuvae {
namespace {

using test::kInfinity;

struct Kind {
  Device device;
  DType dtype;
};
std::vector<Kind> kinds() {
  std::vector<Kind> all{{Device::cpu(), DType::f32}, {Device::cpu(), DType::f64}};
  if (Device::cuda_count() > 0) all.push_back({Device::cuda(), DType::f32});
  return all;
}

Variable formula_leaf(const std::vector<double>& values, Shape shape, const Kind& kind) {
  return {Tensor::from(values, shape).to(kind.dtype).to(kind.device), true};
}
std::vector<double> gradient_of(const Variable& y, const Variable& x) {
  x.zero_grad();
  sum(y).backward();
  return x.grad().to_doubles();
}

// ---- log Gamma and its derivatives, compared with formulas in long double ----

using Exact = long double (*)(long double);

long double exact_lgamma(long double x) { return std::lgamma(x); }
long double exact_digamma(long double x) {
  long double sum = 0;
  for (; x < 40; ++x) sum -= 1 / x;
  const long double z = 1 / (x * x);
  return sum + std::log(x) - 0.5L / x -
         z * (1.L / 12 - z * (1.L / 120 - z * (1.L / 252 - z * (1.L / 240 - z / 132))));
}
long double exact_trigamma(long double x) {
  long double sum = 0;
  for (; x < 40; ++x) sum += 1 / (x * x);
  const long double y = 1 / x, z = y * y;
  return sum + y + z / 2 + y * z * (1.L / 6 - z * (1.L / 30 - z * (1.L / 42 - z * (1.L / 30 - z * 5 / 66))));
}

// Returns arguments in [1e-3, 1e5], evenly spaced on a logarithmic scale; arguments up to 10, evenly spaced;
// and arguments near the roots and near 7.5, where the formula changes.
std::vector<double> arguments(DType dtype) {
  std::vector<double> x;
  for (int i = 0; i <= 2000; ++i) x.push_back(1e-3 * std::pow(10.0, 8.0 * i / 2000));
  for (int i = 1; i <= 4000; ++i) x.push_back(i / 400.0 + 1e-4);
  for (const double root : {1.0, 1.4616321449683623, 2.0, 7.5})
    for (int i = -60; i <= 60; ++i)
      if (i != 0) x.push_back(root + i * std::abs(i) * 1e-4);
  if (dtype == DType::f32)
    for (double& v : x) v = static_cast<float>(v);
  return x;
}

void expect_relative(const char* what, const std::vector<double>& x, const std::vector<double>& got,
                     Exact exact, double tolerance) {
  ASSERT_EQ(got.size(), x.size());
  double worst = 0, at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double expected = exact(x[i]);
    const double error = static_cast<double>(std::abs((got[i] - expected) / expected));
    if (!(error <= worst)) {
      worst = error;
      at = x[i];
    }
  }
  EXPECT_TRUE(worst <= tolerance) << what << " at " << at << ": relative error " << worst;
  testing::Test::RecordProperty(what, std::to_string(worst));
}

TEST(FormulasDevice, GammaFunctionsHaveSmallRelativeErrors) {
  for (const Kind& kind : kinds()) {
    const double tolerance = kind.dtype == DType::f32 ? 2e-6 : 1e-14;
    const std::vector<double> points = arguments(kind.dtype);
    const Variable x = formula_leaf(points, {static_cast<std::int64_t>(points.size())}, kind);
    expect_relative("lgamma", points, lgamma(x).value().to_doubles(), exact_lgamma, tolerance);
    expect_relative("digamma", points, digamma(x).value().to_doubles(), exact_digamma, tolerance);
    expect_relative("slope of lgamma", points, gradient_of(lgamma(x), x), exact_digamma, tolerance);
    expect_relative("slope of digamma", points, gradient_of(digamma(x), x), exact_trigamma, tolerance);
  }
}

// The expected values were computed by mpmath with 50 digits.
TEST(FormulasDevice, GammaFunctionsHaveKnownValues) {
  for (const Kind& kind : kinds()) {
    const double tolerance = kind.dtype == DType::f32 ? 2e-6 : 1e-14;
    const Variable x = formula_leaf({0.5, 7.5, 12.25}, {3}, kind);
    const std::vector<double> value = lgamma(x).value().to_doubles(), slope = digamma(x).value().to_doubles();
    const double values[] = {0.572364942924700087, 7.53436423675873296, 18.1156695057108926};
    const double slopes[] = {-1.96351002602142348, 1.94675748424608679, 2.46415465518536896};
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_TRUE(std::abs(value[i] / values[i] - 1) <= tolerance) << value[i];
      EXPECT_TRUE(std::abs(slope[i] / slopes[i] - 1) <= tolerance) << slope[i];
    }
  }
  // At the double nearest to digamma's root, the result depends on digits of the root that a double lacks.
  const double nearest = digamma(formula_leaf({1.4616321449683622}, {1}, kinds()[1])).value().item();
  EXPECT_TRUE(std::abs(nearest / -9.24126552172942752e-17 - 1) <= 1e-10) << nearest;
}

TEST(FormulasDevice, GammaFunctionsAtTheEndsOfTheirDomain) {
  for (const Kind& kind : kinds()) {
    const double nan = std::nan("");
    const Variable x = formula_leaf({0, 1, 2, 1e30, kInfinity, -0.5, -3.5, -kInfinity, nan}, {9}, kind);
    const std::vector<double> y = lgamma(x).value().to_doubles(), d = digamma(x).value().to_doubles();
    EXPECT_EQ(y[0], kInfinity);
    EXPECT_EQ(y[1], 0);
    EXPECT_EQ(y[2], 0);
    EXPECT_NEAR(y[3] / 6.80775527898213705e31, 1, 1e-6);
    EXPECT_EQ(y[4], kInfinity);
    EXPECT_EQ(d[0], -kInfinity);
    EXPECT_NEAR(d[1], -0.577215664901532861, 1e-6);
    EXPECT_NEAR(d[3] / 69.0775527898213705, 1, 1e-6);
    EXPECT_EQ(d[4], kInfinity);
    for (std::size_t i = 5; i < 9; ++i) EXPECT_TRUE(std::isnan(y[i]) && std::isnan(d[i])) << i;
  }
}

// ---- activations ----

TEST(FormulasDevice, ActivationsOfLargeNumbersAreFinite) {
  for (const Kind& kind : kinds())
    for (const Activation activation : all_activations()) {
      const double largest = std::numeric_limits<float>::max();
      const Variable x =
          formula_leaf({0, -0.0, 20, -20, 100, -100, 1e4, -1e4, largest, -largest}, {10}, kind);
      const Variable y = activate(x, activation);
      const std::vector<double> values = y.value().to_doubles(), slopes = gradient_of(y, x);
      for (std::size_t i = 0; i < values.size(); ++i)
        EXPECT_TRUE(std::isfinite(values[i]) && std::isfinite(slopes[i]))
            << name(activation) << ", number " << i << ": " << values[i] << ", slope " << slopes[i];
    }
}

long double exact_gelu(long double x) { return x / 2 * std::erfc(-x / std::sqrt(2.0L)); }
long double exact_gelu_slope(long double x) {
  const long double density = std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0L));
  return std::erfc(-x / std::sqrt(2.0L)) / 2 + x * density;
}
long double exact_silu(long double x) { return x / (1 + std::exp(-x)); }
long double exact_silu_slope(long double x) {
  const long double s = 1 / (1 + std::exp(-x)), rest = 1 / (1 + std::exp(x));
  return s + x * s * rest;
}

// In the tails the values are small, so their relative errors reveal cancellation. Slopes cross zero, so
// their absolute errors are measured.
TEST(FormulasDevice, GeluAndSiluHaveSmallRelativeErrors) {
  for (const Kind& kind : kinds()) {
    std::vector<double> points;
    for (int i = -5000; i <= 9000; ++i) points.push_back(static_cast<float>(i / 1000.0 + 1e-4));
    const Variable x = formula_leaf(points, {static_cast<std::int64_t>(points.size())}, kind);
    const double tolerance = kind.dtype == DType::f32 ? 3e-6 : 3e-15;
    const auto check = [&](Activation activation, Exact value, Exact slope) {
      const Variable y = activate(x, activation);
      expect_relative(name(activation).data(), points, y.value().to_doubles(), value, tolerance);
      const std::vector<double> slopes = gradient_of(y, x);
      for (std::size_t i = 0; i < points.size(); ++i)
        ASSERT_TRUE(std::abs(slopes[i] - slope(points[i])) <= tolerance)
            << name(activation) << " " << points[i];
    };
    check(Activation::gelu, exact_gelu, exact_gelu_slope);
    check(Activation::silu, exact_silu, exact_silu_slope);
  }
}

// Vector code has no erfc. Its polynomial fit must be accurate down to arguments whose result is 0.
TEST(Formulas, VectorisedGeluHasSmallRelativeErrorsInItsTail) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const bool single = dtype == DType::f32;
    std::vector<double> points;
    for (int i = 0; i <= 20000; ++i)
      points.push_back(static_cast<float>((single ? -13.1 : -37) * i / 20000 - 1e-3));
    const Variable x =
        formula_leaf(points, {static_cast<std::int64_t>(points.size())}, {Device::cpu(), dtype});
    expect_relative("gelu", points, activate(x, Activation::gelu).value().to_doubles(), exact_gelu,
                    single ? 1e-6 : 2e-15);
  }
}

TEST(FormulasDevice, ActivationsReturnNaNForNaN) {
  for (const Kind& kind : kinds())
    for (const Activation activation : all_activations()) {
      const std::vector<double> numbers(17, std::nan(""));  // full vectors and a remainder
      for (const double y : activate(formula_leaf(numbers, {17}, kind), activation).value().to_doubles())
        EXPECT_TRUE(std::isnan(y)) << name(activation);
    }
}

// ---- softmax and log-sum-exp ----

TEST(FormulasDevice, SoftmaxAndLogSumExpOfLargeNumbers) {
  for (const Kind& kind : kinds()) {
    const Variable x = formula_leaf({1e4, 1e4, -1e4, -1e4, -1e4, -1e4 + 1}, {2, 3}, kind);
    const Variable total = log_sum_exp(x, Axis::columns);
    EXPECT_EQ(total.shape(), Shape({2, 1}));
    const std::vector<double> sums = total.value().to_doubles();
    EXPECT_NEAR(sums[0], 1e4 + std::log(2.0), 1e-3);
    EXPECT_NEAR(sums[1], -1e4 + std::log(2 + std::exp(1.0)), 1e-3);
    const double share = 1 / (2 + std::exp(1.0));
    const double expected[] = {0.5, 0.5, 0, share, share, 1 - 2 * share};
    const std::vector<double> y = softmax(x, Axis::columns).value().to_doubles();
    const std::vector<double> gradient = gradient_of(total, x);
    for (std::size_t i = 0; i < 6; ++i) {
      EXPECT_NEAR(y[i], expected[i], 1e-6);
      EXPECT_NEAR(gradient[i], expected[i], 1e-6);
    }
  }
}

TEST(FormulasDevice, SoftmaxAndLogSumExpOfInfinities) {
  for (const Kind& kind : kinds()) {
    const Variable x = formula_leaf({-kInfinity, 2, -kInfinity, -kInfinity, kInfinity, 1}, {3, 2}, kind);
    const std::vector<double> sums = log_sum_exp(x, Axis::columns).value().to_doubles();
    EXPECT_NEAR(sums[0], 2, 1e-6);
    EXPECT_EQ(sums[1], -kInfinity);
    EXPECT_EQ(sums[2], kInfinity);
    const std::vector<double> y = softmax(x, Axis::columns).value().to_doubles();
    EXPECT_EQ(y[0], 0);
    EXPECT_NEAR(y[1], 1, 1e-6);
    EXPECT_EQ(y[2], 0);
    EXPECT_EQ(y[3], 0);
    EXPECT_TRUE(std::isnan(y[4]));
    const Variable finite = formula_leaf({-kInfinity, 2, -kInfinity, -kInfinity}, {2, 2}, kind);
    const std::vector<double> zero(4, 0.0);
    const std::vector<double> slope = gradient_of(log_sum_exp(finite, Axis::columns), finite);
    EXPECT_EQ(slope[0], 0);
    EXPECT_NEAR(slope[1], 1, 1e-6);
    EXPECT_EQ(slope[2], 0);
    EXPECT_EQ(slope[3], 0);
    EXPECT_EQ(gradient_of(softmax(finite, Axis::columns), finite), zero);
  }
}

TEST(FormulasDevice, SoftmaxAndLogSumExpPropagateNaNAndAcceptRowsOfOneElement) {
  for (const Kind& kind : kinds()) {
    const Variable x = formula_leaf({1, std::nan(""), 3, 4}, {2, 2}, kind);
    const std::vector<double> sums = log_sum_exp(x, Axis::columns).value().to_doubles();
    EXPECT_TRUE(std::isnan(sums[0]));
    EXPECT_NEAR(sums[1], 3 + std::log(1 + std::exp(1.0)), 1e-5);
    EXPECT_TRUE(std::isnan(softmax(x, Axis::columns).value().to_doubles()[0]));
    const Variable ones = formula_leaf({-1e4, 7, 1e4}, {3, 1}, kind);
    EXPECT_EQ(log_sum_exp(ones, Axis::columns).value().to_doubles(), (std::vector<double>{-1e4, 7, 1e4}));
    EXPECT_EQ(softmax(ones, Axis::columns).value().to_doubles(), (std::vector<double>{1, 1, 1}));
  }
}

// ---- the other operations ----

TEST(FormulasDevice, AbsHasZeroSlopeAtZero) {
  for (const Kind& kind : kinds()) {
    const Variable x = formula_leaf({-2, 0, 3, -kInfinity}, {4}, kind);
    EXPECT_EQ(abs(x).value().to_doubles(), (std::vector<double>{2, 0, 3, kInfinity}));
    EXPECT_EQ(gradient_of(abs(x), x), (std::vector<double>{-1, 0, 1, -1}));
  }
}

// Writes -|x - m| / b - log(2 b) with operators, as a user would. The derivative with respect to m is +1 / b
// or -1 / b, and 0 where x = m.
TEST(FormulasDevice, LaplaceDensityWrittenWithOperators) {
  const double b = 0.25;
  for (const Kind& kind : kinds()) {
    const Tensor x = Tensor::from(std::vector<double>{1, 2, 3, 4}, {2, 2}).to(kind.dtype).to(kind.device);
    const Variable m = formula_leaf({1, 2.5, 2, 4.25}, {2, 2}, kind);
    const Variable density = sum(-abs(x - m) / b - std::log(2 * b), Axis::columns);
    EXPECT_EQ(density.shape(), Shape({2, 1}));
    const std::vector<double> values = density.value().to_doubles();
    EXPECT_NEAR(values[0], -0.5 / b - 2 * std::log(2 * b), 1e-5);
    EXPECT_NEAR(values[1], -1.25 / b - 2 * std::log(2 * b), 1e-5);
    EXPECT_EQ(gradient_of(density, m), (std::vector<double>{0, -4, 4, -4}));
  }
}

TEST(FormulasDevice, OperatorsTakeTensorsAndNumbersOnEitherSide) {
  for (const Kind& kind : kinds()) {
    const Tensor t = Tensor::from(std::vector<double>{1, 2, 4}, {3}).to(kind.dtype).to(kind.device);
    const Variable y = 2 * (1 - t / 4) + t * t - -t;
    EXPECT_FALSE(y.requires_grad());
    EXPECT_EQ(y.dtype(), kind.dtype);
    EXPECT_EQ(y.value().to_doubles(), (std::vector<double>{3.5, 7, 20}));
    EXPECT_EQ((8 / Variable(t) + 0.5).value().to_doubles(), (std::vector<double>{8.5, 4.5, 2.5}));
  }
}

TEST(FormulasDevice, MeanOfAnAxisAndItsShape) {
  for (const Kind& kind : kinds()) {
    const Variable x = formula_leaf({1, 2, 3, 4, 5, 9}, {2, 3}, kind);
    EXPECT_EQ(mean(x).shape(), Shape({1}));
    EXPECT_EQ(mean(x).value().item(), 4);
    EXPECT_EQ(mean(x, Axis::rows).shape(), Shape({3}));
    EXPECT_EQ(mean(x, Axis::rows).value().to_doubles(), (std::vector<double>{2.5, 3.5, 6}));
    EXPECT_EQ(mean(x, Axis::columns).shape(), Shape({2, 1}));
    EXPECT_EQ(mean(x, Axis::columns).value().to_doubles(), (std::vector<double>{2, 6}));
    EXPECT_EQ(gradient_of(mean(x, Axis::rows), x), std::vector<double>(6, 0.5));
  }
}

TEST(FormulasDevice, ColumnsUndoConcatenation) {
  for (const Kind& kind : kinds()) {
    const Variable a = formula_leaf({1, 2, 3, 4}, {2, 2}, kind), b = formula_leaf({5, 6}, {2, 1}, kind);
    const Variable wide = concat({a, b}, Axis::columns);
    EXPECT_EQ(wide.shape(), Shape({2, 3}));
    EXPECT_EQ(wide.value().to_doubles(), (std::vector<double>{1, 2, 5, 3, 4, 6}));
    EXPECT_EQ(columns(wide, 0, 2).value().to_doubles(), a.value().to_doubles());
    EXPECT_EQ(columns(wide, 2, 1).value().to_doubles(), b.value().to_doubles());
    const Variable tall = concat({a, transpose(b)}, Axis::rows);
    EXPECT_EQ(tall.shape(), Shape({3, 2}));
    EXPECT_EQ(tall.value().to_doubles(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(gradient_of(square(tall), b), (std::vector<double>{10, 12}));
  }
}

TEST(FormulasDevice, EmptyMatrices) {
  for (const Kind& kind : kinds()) {
    const Variable none = formula_leaf({}, {0, 3}, kind), narrow = formula_leaf({}, {3, 0}, kind);
    EXPECT_EQ(transpose(none).shape(), Shape({3, 0}));
    EXPECT_EQ(log_sum_exp(narrow, Axis::columns).value().to_doubles(), std::vector<double>(3, -kInfinity));
    EXPECT_EQ(softmax(none, Axis::columns).shape(), Shape({0, 3}));
    EXPECT_EQ(concat({none, formula_leaf({1, 2, 3}, {1, 3}, kind)}, Axis::rows).value().to_doubles(),
              (std::vector<double>{1, 2, 3}));
    EXPECT_THROW(static_cast<void>(mean(none)), Error);
  }
}

void expect_formula_error(const std::string& message, const std::function<void()>& run) {
  try {
    run();
    ADD_FAILURE() << "no error; expected " << message;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(message), std::string::npos) << e.what();
  }
}

TEST(Formulas, WrongShapesAreErrors) {
  const Variable a(Tensor::zeros({2, 3})), b(Tensor::zeros({3, 2})), cube(Tensor::zeros({2, 3, 4}));
  expect_formula_error("[add] expected shapes of which one broadcasts", [&] { static_cast<void>(a + b); });
  expect_formula_error("[divide] expected f32", [&] {
    static_cast<void>(a / Tensor::zeros({2, 3}, DType::f64));
  });
  expect_formula_error("[transpose] expected 2 dimensions, got [2, 3, 4]",
                       [&] { static_cast<void>(transpose(cube)); });
  expect_formula_error("as many columns as the first part [2, 3], got [3, 2]", [&] {
    static_cast<void>(concat({a, b}, Axis::rows));
  });
  expect_formula_error("as many rows as the first part [2, 3], got [3, 2]", [&] {
    static_cast<void>(concat({a, b}, Axis::columns));
  });
  expect_formula_error("[concat] expected axis rows or columns, got all", [&] {
    static_cast<void>(concat({a, a}, Axis::all));
  });
  expect_formula_error("[concat] expected at least one part",
                       [&] { static_cast<void>(concat({}, Axis::rows)); });
  expect_formula_error("[concat] expected every part", [&] {
    static_cast<void>(concat({a, Variable()}, Axis::rows));
  });
  expect_formula_error("[lgamma]", [&] { static_cast<void>(lgamma(Variable())); });
  expect_formula_error("[columns]", [&] { static_cast<void>(columns(a, 2, 2)); });
}

}  // namespace
}  // namespace gpuvae
