// The likelihoods of bytes, counts and categories against values computed with 60 digits, the accuracy in
// f32, and edge cases. tests/cases covers gradients, shapes and devices.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "gpuvae/error.h"
#include "gpuvae/ops.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using Doubles = std::vector<double>;
using Density = std::function<Variable(const Variable& params, const Variable& target)>;

// A target, its parameters, the log density and the derivatives with respect to the parameters.
struct Row {
  double x;
  Doubles params;
  double value;
  Doubles slopes;
};

Variable parameter_leaf(const Doubles& values, DType dtype, Device device) {
  const auto n = static_cast<std::int64_t>(values.size());
  return Variable(Tensor::from(values, {1, n}).to(dtype).to(device), true);
}

// Evaluates one row. The result is the value, then the derivatives.
Doubles density_at(const Density& density, double x, const Doubles& params, DType dtype, Device device) {
  const Variable p = parameter_leaf(params, dtype, device);
  const Variable value = density(p, Tensor::from(Doubles{x}, {1, 1}).to(dtype).to(device));
  value.backward();
  Doubles result = {value.value().item()};
  for (const double slope : p.grad().to_doubles()) result.push_back(slope);
  return result;
}

Doubles rounded_to_float(Doubles values) {
  for (double& v : values) v = static_cast<float>(v);
  return values;
}

// In f64, the values must be those of the table. In f32, they must be those of f64 for the same inputs.
void check_table(const Density& density, const std::vector<Row>& rows) {
  Doubles largest(4, 0.0);
  const auto expected_of = [](const Row& row) {
    Doubles all = {row.value};
    all.insert(all.end(), row.slopes.begin(), row.slopes.end());
    return all;
  };
  for (const Row& row : rows)
    for (std::size_t i = 0; i < row.slopes.size() + 1; ++i)
      largest[i] = std::max(largest[i], std::fabs(expected_of(row)[i]));
  for (const Row& row : rows) {
    const Doubles exact = density_at(density, row.x, row.params, DType::f64, Device::cpu());
    const Doubles expected = expected_of(row), inputs = rounded_to_float(row.params);
    // Targets that are bytes / 255 are not f32 numbers, but the kernels round them to bytes.
    const Doubles single_exact = density_at(density, row.x, inputs, DType::f64, Device::cpu());
    for (std::size_t i = 0; i < expected.size(); ++i)
      EXPECT_TRUE(std::fabs(exact[i] - expected[i]) <= 1e-9 * largest[i])
          << "x " << row.x << ", entry " << i << ": " << exact[i] << ", expected " << expected[i];
    for (const Device device : test::devices()) {
      const Doubles single = density_at(density, row.x, inputs, DType::f32, device);
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(std::fabs(single[i] - single_exact[i]) <=
                    (i == 2 ? 5e-5 : 1e-5) * std::max(largest[i], 1.0))
            << device.text() << ", x " << row.x << ", entry " << i << ": " << single[i] << ", expected "
            << single_exact[i];
    }
  }
}

TEST(DiscretizedLogistic, HasTheValuesOfTheTable) {
  const Density density = [](auto& p, auto& x) { return discretized_logistic_log_density(p, x, {false}); };
  const auto byte = [](double v) { return v / 255; };
  check_table(density, {{byte(0), {0.1, -3}, -2.0656166378, {-17.5398936894, 1.6854741592}},
                        {byte(1), {0.1, -3}, -4.7171213947, {-14.8146681044, 0.3944999277}},
                        {byte(100), {0.4, -3}, -3.9371484160, {-1.4937611360, -0.9886613015}},
                        {byte(102), {0.4, -4.5}, -2.4343497882, {1.5703081260, -0.9942580423}},
                        {byte(128), {0.4, -2}, -5.0701284656, {2.6585425348, -0.7289320501}},
                        {byte(255), {0.9, -3}, -2.0656166378, {17.5398936894, 1.6854741592}},
                        {byte(100), {0.9, -5}, -75.8392958759, {-148.4131591026, 74.2802310126}},
                        {byte(100), {0.4, 2}, -8.9314720636, {-6.7968184287e-05, -0.9999994839}},
                        {byte(255), {0, -7}, -1092.3494351533, {1096.6331584285, 1092.3494351533}}});
}

TEST(DiscretizedLogistic, SumsARowAndGivesBitsPerDimension) {
  const Tensor params = Tensor::from(Doubles{0.1, 0.7, 0.35, -3, -4, -5}, {1, 6});
  const Tensor x = Tensor::from(Doubles{12 / 255., 200 / 255., 90 / 255.}, {1, 3});
  const double value = discretized_logistic_log_density(params, x, {false}).value().item();
  EXPECT_NEAR(value, -12.2964541560, 1e-9);
  EXPECT_NEAR(-value / (3 * std::log(2.0)), 5.9133444771, 1e-9);
}

// The probabilities of all bytes sum to 1 for any location and scale, also where a byte has nearly all of it.
TEST(DiscretizedLogistic, ProbabilitiesSumToOne) {
  Doubles x(256), params(512);
  for (int v = 0; v < 256; ++v) x[v] = v / 255.0;
  for (const auto& [m, l] : std::vector<std::pair<double, double>>{
           {0.9, -2.0}, {0.1, -7.0}, {0.5, 2.0}, {-0.3, -4.0}, {1.0, -5.0}}) {
    for (int v = 0; v < 256; ++v) params[2 * v] = m, params[2 * v + 1] = l;
    const Tensor p = Tensor::from(params, {256, 2}), target = Tensor::from(x, {256, 1});
    for (const DType dtype : {DType::f64, DType::f32}) {
      double sum = 0;
      for (const double log_p :
           discretized_logistic_log_density(p.to(dtype), target.to(dtype), {false}).value().to_doubles())
        sum += std::exp(log_p);
      EXPECT_NEAR(sum, 1, dtype == DType::f64 ? 1e-12 : 2e-5) << m << " " << l;
    }
  }
}

TEST(Poisson, HasTheValuesOfTheTable) {
  check_table(poisson_log_density, {{0, {-1}, -0.3678794412, {-0.3678794412}},
                                    {3, {0.5}, -1.9404807399, {1.3512787293}},
                                    {1000, {6.9}, -4.4028940932, {7.7252843950}},
                                    {200000, {12.2}, -10.7022242619, {1210.8488570456}}});
}

TEST(NegativeBinomial, HasTheValuesOfTheTable) {
  check_table(negative_binomial_log_density,
              {{0, {1, 0}, -1.3132616875, {-0.7310585786, -0.5822031089}},
               {7, {1.5, -0.5}, -3.3493953753, {0.3001900214, 0.5198339793}},
               {3, {0.5, 2}, -2.0177805360, {1.1047709993, 0.0747581108}},
               {1000, {6.5, 1}, -7.6177373937, {1.3629196688, 0.2706764514}},
               {3, {0.5, 20}, -1.9404807411, {1.3512787247, 1.2099443717e-09}},
               {1000, {6.9, 12}, -4.4057745737, {7.6784707051, 0.0028722297}},
               {200000, {12, 3}, -12.0865013217, {4.5958567204, 0.0468591401}}});
}

TEST(ZeroInflatedNegativeBinomial, HasTheValuesOfTheTable) {
  check_table(zero_inflated_negative_binomial_log_density,
              {{0, {1, 0, -0.7}, -0.6703772013, {-0.2568322265, -0.2045369893, 0.3168722498}},
               {4, {1, 0, -0.7}, -2.9694944865, {0.3447071068, 0.4253645390, -0.3318122278}},
               {0, {6, 1, 3}, -0.0485872904, {-1.6515543739e-07, -6.6730234168e-07, 0.0474258120}},
               {0, {9, 2, -40}, -39.9999919524, {-5.9410054196e-05, -0.0003568937, 0.9999919524}}});
}

// The relative error of f32, where the plain formula with log Gamma would err by up to 45 times the value.
TEST(Counts, AreAccurateInSinglePrecision) {
  std::mt19937 generator(1);
  std::uniform_real_distribution<double> log_mean(-4, 12), log_size(-5, 18), unit(0, 1);
  Doubles params, x;
  constexpr std::int64_t kCases = 4000;
  for (std::int64_t i = 0; i < kCases; ++i) {
    const double e = static_cast<float>(log_mean(generator)), r = static_cast<float>(log_size(generator));
    std::gamma_distribution<double> gamma(std::exp(r), std::exp(e - r));
    params.insert(params.end(), {e, r});
    x.push_back(std::floor(std::min(1e6, i % 2 ? gamma(generator) : 3 * unit(generator) * std::exp(e))));
  }
  const Tensor p = Tensor::from(params, {kCases, 2}), target = Tensor::from(x, {kCases, 1});
  const auto run = [&](DType dtype, Device device, Doubles& slopes) {
    const Variable leaf(p.to(dtype).to(device), true);
    const Variable value = negative_binomial_log_density(leaf, target.to(dtype).to(device));
    sum(value).backward();
    slopes = leaf.grad().to_doubles();
    return value.value().to_doubles();
  };
  Doubles exact_slopes, slopes;
  const Doubles exact = run(DType::f64, Device::cpu(), exact_slopes);
  for (std::int64_t i = 0; i < kCases; ++i) {  // the exact values against the plain formula
    const long double k = std::exp((long double)params[2 * i + 1]),
                      mean = std::exp((long double)params[2 * i]);
    const long double n = x[i], plain = std::lgamma(n + k) - std::lgamma(k) - std::lgamma(n + 1) +
                                        k * std::log(k / (k + mean)) + n * std::log(mean / (k + mean));
    // The plain formula loses digits for large k even in 80 bits.
    ASSERT_TRUE(std::fabs(exact[i] - double(plain)) <= 1e-8 * std::max(1.0, std::fabs(double(plain)))) << i;
  }
  for (const Device device : test::devices()) {
    const Doubles single = run(DType::f32, device, slopes);
    for (std::int64_t i = 0; i < kCases; ++i) {
      EXPECT_TRUE(std::fabs(single[i] - exact[i]) <= 2e-5 * std::max(1.0, std::fabs(exact[i])))
          << device.text() << ": x " << x[i] << ", e " << params[2 * i] << ", r " << params[2 * i + 1] << ": "
          << single[i] << ", expected " << exact[i];
      EXPECT_TRUE(std::fabs(slopes[2 * i + 1] - exact_slopes[2 * i + 1]) <=
                  2e-5 * std::max(1.0, std::fabs(exact_slopes[2 * i + 1])))
          << device.text() << ": x " << x[i] << ", e " << params[2 * i] << ", r " << params[2 * i + 1] << ": "
          << slopes[2 * i + 1] << ", expected " << exact_slopes[2 * i + 1];
    }
  }
}

TEST(Counts, ProbabilitiesSumToOne) {
  const auto total = [](const Density& density, const Doubles& params, int most) {
    Doubles all, x;
    for (int n = 0; n <= most; ++n) {
      x.push_back(n);
      all.insert(all.end(), params.begin(), params.end());
    }
    const auto columns = static_cast<std::int64_t>(params.size());
    double sum = 0;
    for (const double log_p :
         density(Tensor::from(all, {most + 1, columns}), Tensor::from(x, {most + 1, 1})).value().to_doubles())
      sum += std::exp(log_p);
    return sum;
  };
  EXPECT_NEAR(total(poisson_log_density, {2.3}, 200), 1, 1e-10);
  EXPECT_NEAR(total(negative_binomial_log_density, {1.5, 0.3}, 2000), 1, 1e-10);
  EXPECT_NEAR(total(zero_inflated_negative_binomial_log_density, {1.5, 0.3, -0.4}, 2000), 1, 1e-10);
}

// Parameters beyond the bounds have the value at the bound and no gradient.
TEST(Counts, ClipExtremeParameters) {
  for (const Device device : test::devices()) {
    const Doubles high = density_at(negative_binomial_log_density, 3, {90, -90}, DType::f32, device);
    const Doubles bound = density_at(negative_binomial_log_density, 3, {40, -40}, DType::f32, device);
    EXPECT_EQ(high[0], bound[0]) << device.text();
    EXPECT_TRUE(std::isfinite(high[0])) << device.text();
    EXPECT_EQ(high[1], 0) << device.text();
    EXPECT_EQ(high[2], 0) << device.text();
    EXPECT_TRUE(std::isnan(density_at(poisson_log_density, 3, {NAN}, DType::f32, device)[0]))
        << device.text();
  }
}

TEST(Categorical, HasTheKnownValue) {
  const Doubles slopes = {-0.3423188537, -0.0932927710, 0.4356116246, -0.8581489351, 0.8581489351};
  for (const Device device : test::devices()) {
    const std::vector<std::int64_t> sizes = {3, 2};
    const ColumnGroups groups(sizes, device);
    const bool cpu = device.is_cpu();
    const Variable logits =
        parameter_leaf({0.2, -1.1, 0.7, 1.5, -0.3}, cpu ? DType::f64 : DType::f32, device);
    const Tensor x = Tensor::from(Doubles{0, 0, 1, 0, 1}, {1, 5}).to(logits.dtype()).to(device);
    const Variable value = categorical_log_density(logits, x, groups);
    value.backward();
    EXPECT_NEAR(value.value().item(), -2.5249902662, cpu ? 1e-9 : 1e-5);
    for (int i = 0; i < 5; ++i) EXPECT_NEAR(logits.grad().to_doubles()[i], slopes[i], cpu ? 1e-9 : 1e-5);
  }
}

// A group of zeros, or with NaN, is a missing value.
TEST(Categorical, LeavesOutMissingGroups) {
  for (const Device device : test::devices())
    for (const double missing : {0.0, double(NAN)}) {
      const std::vector<std::int64_t> sizes = {3, 2};
      const Variable logits = parameter_leaf({0.2, -1.1, 0.7, 1.5, -0.3}, DType::f32, device);
      const Tensor x = Tensor::from(Doubles{0, 0, 1, missing, missing}, {1, 5}).to(DType::f32).to(device);
      const Variable value = categorical_log_density(logits, x, {sizes, device});
      value.backward();
      EXPECT_NEAR(value.value().item(), 0.7 - std::log(std::exp(0.2) + std::exp(-1.1) + std::exp(0.7)), 1e-6);
      EXPECT_EQ(logits.grad().to_doubles()[3], 0);
      EXPECT_EQ(logits.grad().to_doubles()[4], 0);
    }
}

TEST(DiscreteLikelihoods, RefuseWrongArguments) {
  const auto error_of = [](const auto& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  const std::vector<std::int64_t> sizes = {3, 2}, empty, zero = {2, 0};
  EXPECT_EQ(error_of([&] { ColumnGroups groups(empty, Device::cpu()); }),
            "[column_groups] expected the sizes of at least one group, got none");
  EXPECT_EQ(error_of([&] { ColumnGroups groups(zero, Device::cpu()); }),
            "[column_groups] expected groups of 1 or more columns, fewer than 2^31 in total, got one of 0");
  EXPECT_EQ(error_of([&] {
              static_cast<void>(
                  categorical_nll(Tensor::zeros({2, 4}), Tensor::zeros({2, 4}), {sizes, Device::cpu()}));
            }),
            "[categorical_nll] expected logits of [rows, 5], the columns of all groups, got [2, 4]");
  EXPECT_EQ(error_of([&] {
              static_cast<void>(negative_binomial_nll(Tensor::zeros({2, 3}), Tensor::zeros({2, 1})));
            }),
            "[negative_binomial_nll] expected params of [rows, 2 columns] (log mean, then log inverse "
            "dispersion), got [2, 3]");
  EXPECT_EQ(error_of([&] {
              static_cast<void>(
                  discretized_logistic_nll(Tensor::zeros({2, 2}), Tensor::zeros({2, 1}), {true, -50, 2}));
            }),
            "[discretized_logistic_nll] expected bounds of the log scale in [-30, 30], got -50 and 2");
}

// A missing value, which is NaN, counts neither in the value nor in the gradient.
TEST(MissingValues, AreLeftOutByEveryLikelihood) {
  struct Kind {
    const char* name;
    Density density;
    int parameters;
    double x;
  };
  const std::vector<Kind> kinds = {
      {"bernoulli", bernoulli_log_density, 1, 1},
      {"continuous", continuous_bernoulli_log_density, 1, 0.4},
      {"gaussian", [](auto& p, auto& x) { return gaussian_log_density(p, x); }, 2, 0.3},
      {"laplace", [](auto& p, auto& x) { return laplace_log_density(p, x); }, 2, 0.3},
      {"logistic", [](auto& p, auto& x) { return discretized_logistic_log_density(p, x); }, 2, 0.2},
      {"poisson", poisson_log_density, 1, 3},
      {"nb", negative_binomial_log_density, 2, 3},
      {"zinb", zero_inflated_negative_binomial_log_density, 3, 0}};
  for (const Device device : test::devices())
    for (const Kind& k : kinds) {
      constexpr int kColumns = 19;  // full vectors and a remainder
      Doubles params, x(kColumns, k.x), without;
      for (int i = 0; i < k.parameters * kColumns; ++i) params.push_back(0.1 * i - 0.7);
      for (int c = 0; c < kColumns; c += 3) x[c] = NAN;
      const Variable p = parameter_leaf(params, DType::f32, device);
      const Variable value = k.density(p, Tensor::from(x, {1, kColumns}).to(DType::f32).to(device));
      value.backward();
      double expected = 0;
      for (int c = 0; c < kColumns; ++c) {
        Doubles own;
        for (int i = 0; i < k.parameters; ++i) own.push_back(params[i * kColumns + c]);
        const Doubles one = density_at(k.density, k.x, own, DType::f32, device);
        const bool missing = c % 3 == 0;
        expected += missing ? 0 : one[0];
        for (int i = 0; i < k.parameters; ++i)
          EXPECT_NEAR(p.grad().to_doubles()[i * kColumns + c], missing ? 0 : one[i + 1], 1e-5)
              << k.name << " on " << device.text();
      }
      EXPECT_NEAR(value.value().item(), expected, 1e-4) << k.name << " on " << device.text();
    }
}

TEST(MissingValues, AreFilledAndFound) {
  for (const Device device : test::devices()) {
    const Tensor x = Tensor::from(std::vector<float>{1, NAN, -2, NAN}, {4}, device);
    EXPECT_EQ(fill_missing(x).value().to_vector(), (std::vector<float>{1, 0, -2, 0}));
    EXPECT_EQ(is_observed(x).value().to_vector(), (std::vector<float>{1, 0, 1, 0}));
  }
}

}  // namespace
}  // namespace gpuvae
