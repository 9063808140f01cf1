// Tests parts of kernels that small inputs do not reach: unrolled loops over long, unaligned arrays, and sums
// over many tiles of rows. Results are compared with formulas in double precision.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/devices.h"
#include "tests/kernels/numbers.h"

namespace gpuvae {
namespace {

using test::devices;
using test::expect_close_elements;
using test::place;

using Doubles = std::vector<double>;

// ---- likelihoods of one parameter per element ----

struct Term {
  double value, slope;
};

Term bernoulli(double logit, double target) {
  return {std::log1p(std::exp(-std::fabs(logit))) + std::fmax(logit, 0.0) - target * logit,
          1 / (1 + std::exp(-logit)) - target};
}
Term bernoulli_of_probability(double p, double target) {
  return {-target * std::log(p) - (1 - target) * std::log1p(-p), (p - target) / (p * (1 - p))};
}
// The density of Loaiza-Ganem and Cunningham (2019), in terms of the logit.
Term continuous_bernoulli(double logit, double target) {
  const double a = std::fabs(logit), e = -std::expm1(-a);
  const double mean = 1 / e - 1 / a;
  return {std::log(e / a) + std::fmax(logit, 0.0) - target * logit, (logit > 0 ? mean : 1 - mean) - target};
}

// The size is odd, and each thread of a small GPU processes several elements.
TEST(UnrolledDevice, LikelihoodsOfUnalignedArrays) {
  using kernels::LikelihoodKind;
  constexpr std::int64_t kSize = 20'003;
  struct Formula {
    LikelihoodKind kind;
    Term (*term)(double, double);
    double low, high;
  };
  for (const Formula& f : {Formula{LikelihoodKind::bernoulli, bernoulli, -12, 12},
                           {LikelihoodKind::bernoulli_of_probability, bernoulli_of_probability, 0.25, 0.75},
                           {LikelihoodKind::continuous_bernoulli, continuous_bernoulli, -12, 12}}) {
    Doubles params, targets, slopes;
    double loss = 0;
    for (std::int64_t i = 0; i < kSize; ++i) {
      const double position = static_cast<double>(i * 7919 % kSize) + 0.37;
      params.push_back(static_cast<float>(f.low + (f.high - f.low) * position / kSize));
      targets.push_back(static_cast<double>(i % 5) / 4);
      const Term term = f.term(params.back(), targets.back());
      loss += term.value / 8;
      slopes.push_back(term.slope / 8);
    }
    for (const Device device : devices())
      for (const std::int64_t offset : {0, 1}) {
        const std::string what = fmt::format("likelihood {} on {}", static_cast<int>(f.kind), device.text());
        const Tensor x = place(params, {kSize}, device, offset), t = place(targets, {kSize}, device, offset),
                     d = place(params, {kSize}, device, offset), out = place({0}, {1}, device);
        kernels::LikelihoodArgs args{.likelihood = {f.kind}, .rows = 1, .columns = kSize, .weight = 0.125};
        args.params = x.data();
        args.target = t.data();
        args.loss = out.data();
        args.d_params = d.data();
        device.backend().likelihood(args, Stream::current(device).handle());
        expect_close_elements(d.to_doubles(), slopes, 2e-6, what);
        expect_close_elements(out.to_doubles(), {loss}, 5e-7, what);
        args.d_params = nullptr;  // another kernel, without gradients
        out.fill(0);
        device.backend().likelihood(args, Stream::current(device).handle());
        expect_close_elements(out.to_doubles(), {loss}, 5e-7, what + " without gradients");
      }
  }
}

// ---- slopes that are computed from the input ----

TEST(UnrolledDevice, GeluAndSiluOfSmallAndLargeNumbers) {
  constexpr std::int64_t kRows = 4001, kColumns = 5, kSize = kRows * kColumns;
  for (const Activation activation : {Activation::gelu, Activation::silu}) {
    Doubles inputs, values, slopes;
    for (std::int64_t i = 0; i < kSize; ++i) {
      inputs.push_back(i % 7 == 0 ? static_cast<double>(i / 7 % 2001) / 10 - 100
                                  : static_cast<double>(i * 7919 % 4001) / 512 - 4);
      const double x = inputs.back(), sigmoid = 1 / (1 + std::exp(-x));
      const double density = std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0));
      values.push_back(activation == Activation::gelu ? x * std::erfc(-x / std::sqrt(2.0)) / 2 : x * sigmoid);
      slopes.push_back(activation == Activation::gelu ? std::erfc(-x / std::sqrt(2.0)) / 2 + x * density
                                                      : sigmoid * (1 + x * (1 - sigmoid)));
    }
    for (const Device device : devices()) {
      const Variable y = activate(place(inputs, {kSize}, device), activation);
      expect_close_elements(y.value().to_doubles(), values, 5e-7,
                            fmt::format("{} on {}", name(activation), device.text()));
    }
    for (const Device device : devices())
      for (const std::int64_t offset : {0, 1})
        for (const bool with_bias : {false, true}) {
          const Tensor x = place(inputs, {kSize}, device, offset),
                       d = place(Doubles(kSize, 1.0), {kSize}, device, offset),
                       bias = place(Doubles(kColumns, 0.0), {kColumns}, device);
          kernels::ActivationBackwardArgs args{.rows = kRows, .columns = kColumns, .activation = activation};
          args.saved = x.data();
          args.d_output = d.data();
          args.d_input = d.data();
          if (with_bias) args.d_bias = bias.data();
          device.backend().activation_backward(args, Stream::current(device).handle());
          expect_close_elements(d.to_doubles(), slopes, 5e-7,
                                fmt::format("{} on {}, bias {}", name(activation), device.text(), with_bias));
        }
  }
}

// ---- sums, which are exact for these numbers ----

double eighths(std::int64_t i) { return static_cast<double>(i * 7 % 11 - 5) / 8; }

// A tile has at most 1024 rows, so these rows form more than 32 tiles.
TEST(UnrolledDevice, BiasGradientsOfManyRows) {
  constexpr std::int64_t kRows = 40'000, kColumns = 4, kSize = kRows * kColumns;
  Doubles outputs, gradients, expected(kColumns, 0.0), all(kColumns, 0.0);
  for (std::int64_t i = 0; i < kSize; ++i) {
    const auto column = static_cast<std::size_t>(i % kColumns);
    outputs.push_back(i % 3 == 0 ? 0 : 1);
    gradients.push_back(eighths(i));
    expected[column] += outputs.back() * gradients.back();
    all[column] += gradients.back();
  }
  for (const Device device : devices())
    for (const std::int64_t offset : {0, 1}) {
      const Tensor y = place(outputs, {kSize}, device, offset), d = place(gradients, {kSize}, device, offset),
                   bias = place(Doubles(kColumns, 0.0), {kColumns}, device);
      kernels::ActivationBackwardArgs args{
          .rows = kRows, .columns = kColumns, .activation = Activation::relu};
      args.saved = y.data();
      args.d_output = d.data();
      args.d_input = d.data();
      args.d_bias = bias.data();
      device.backend().activation_backward(args, Stream::current(device).handle());
      EXPECT_EQ(bias.to_doubles(), expected) << device.text() << ", offset " << offset;
      const Variable x = place(gradients, {kRows, kColumns}, device);
      EXPECT_EQ(sum(x, Axis::rows).value().to_doubles(), all) << device.text();
    }
}

// The deviations in the two halves of a row cancel, so the sum of the row is exact. The partial sums of
// single threads have many significant bits, so a shuffle that takes one half of a double from the wrong lane
// changes the result.
TEST(UnrolledDevice, SumsOverColumnsAreExact) {
  constexpr std::int64_t kRows = 9;
  for (const std::int64_t columns : {126, 128, 200, 1024, 1300}) {
    const double base = columns < 512 ? 30'000 : 10'000;
    Doubles numbers;
    for (std::int64_t row = 0; row < kRows; ++row)
      for (std::int64_t i = 0; i < columns; ++i) {
        const std::int64_t mirrored = std::min(i, columns - 1 - i);
        const double deviation = static_cast<double>((row * columns + mirrored) * 7919 % 20'011) / 256;
        numbers.push_back(2 * i < columns ? base + deviation : base - deviation);
      }
    const Doubles sums(kRows, base * static_cast<double>(columns));
    const Doubles densities(kRows, -base * static_cast<double>(columns));  // softplus(x) is x for large x
    for (const Device device : devices()) {
      const Variable x = place(numbers, {kRows, columns}, device);
      EXPECT_EQ(sum(x, Axis::columns).value().to_doubles(), sums) << device.text() << ", columns " << columns;
      const Tensor zeros = Tensor::zeros({kRows, columns}, DType::f32, device);
      const Doubles got = bernoulli_log_density(x, Variable(zeros)).value().to_doubles();
      EXPECT_EQ(got, densities) << device.text() << ", columns " << columns;
    }
  }
}

// With 96 rows, each thread of a GPU with three multiprocessors copies exactly four elements.
TEST(UnrolledDevice, CopiesOfBytesAndColumns) {
  for (const std::int64_t rows : {1, 96, 120}) {
    constexpr std::int64_t kColumns = 256, kWidth = 260;
    std::vector<std::uint8_t> bytes;
    Doubles all, part;
    for (std::int64_t i = 0; i < rows * kWidth; ++i) {
      bytes.push_back(static_cast<std::uint8_t>(i * 7919 % 251));
      all.push_back(bytes.back());
      if (i % kWidth >= 3 && i % kWidth < 3 + kColumns) part.push_back(all.back());
    }
    for (const Device device : devices()) {
      const Tensor x = Tensor::from(bytes, {rows, kWidth}, device).to(DType::f32);
      EXPECT_EQ(x.to_doubles(), all) << device.text() << ", rows " << rows;
      EXPECT_EQ(columns(Variable(x), 3, kColumns).value().to_doubles(), part)
          << device.text() << ", rows " << rows;
    }
  }
}

// exp(-200) is 0 in single precision.
TEST(UnrolledDevice, SoftmaxOfDistantElements) {
  for (const std::int64_t columns : {7, 40, 200, 1100, 1500}) {
    Doubles numbers(static_cast<std::size_t>(columns), -200.0), expected(numbers.size(), 0.0);
    numbers[5] = 0;
    expected[5] = 1;
    for (const Device device : devices()) {
      const Variable x = place(numbers, {1, columns}, device);
      EXPECT_EQ(softmax(x, Axis::columns).value().to_doubles(), expected)
          << device.text() << ", columns " << columns;
    }
  }
}

TEST(UnrolledDevice, SoftmaxIsAsAccurateAsItsExponentials) {
  constexpr std::int64_t kRows = 200;
  for (const std::int64_t columns : {33, 64, 70, 200, 224}) {
    Doubles numbers, expected;
    for (std::int64_t row = 0; row < kRows; ++row) {
      double total = 0;
      for (std::int64_t k = 0; k < columns; ++k) {
        numbers.push_back(static_cast<double>((row * columns + k) * 7919 % 61) / 32 - 1);
        total += std::exp(numbers.back());
      }
      for (std::int64_t k = 0; k < columns; ++k)
        expected.push_back(std::exp(numbers[static_cast<std::size_t>(row * columns + k)]) / total);
    }
    for (const Device device : devices()) {
      const Variable x = place(numbers, {kRows, columns}, device);
      const Doubles got = softmax(x, Axis::columns).value().to_doubles();
      double worst = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double error = std::fabs(got[i] / expected[i] - 1);
        if (!(error <= worst)) worst = error;
      }
      EXPECT_TRUE(worst <= 6e-7) << device.text() << ", columns " << columns << ": relative error " << worst;
    }
  }
}

// ---- mixtures ----

// With 97 or more components, some lanes process at least four of them.
TEST(UnrolledDevice, MixturesOfAboutAHundredComponents) {
  constexpr std::int64_t kRows = 3;
  for (const std::int64_t latent : {1, 5})
    for (const std::int64_t components : {97, 100, 128, 129, 161}) {
      Doubles params, z, expected;
      for (std::int64_t i = 0; i < 2 * components * latent; ++i)
        params.push_back(i % (2 * latent) < latent ? static_cast<double>(i * 37 % 101) / 64 - 1
                                                   : static_cast<double>(i % 5) / 4 - 1);
      for (std::int64_t i = 0; i < kRows * latent; ++i) z.push_back(static_cast<double>(i % 4) / 4 - 0.5);
      for (std::int64_t row = 0; row < kRows; ++row) {
        double density = 0;
        for (std::int64_t k = 0; k < components; ++k) {
          double exponent = 0;
          for (std::int64_t d = 0; d < latent; ++d) {
            const auto at = static_cast<std::size_t>(2 * k * latent + d);
            const double log_variance = params[at + static_cast<std::size_t>(latent)];
            const double difference = z[static_cast<std::size_t>(row * latent + d)] - params[at];
            exponent -= 0.5 * (difference * difference * std::exp(-log_variance) + log_variance +
                               std::log(2 * std::acos(-1.0)));
          }
          density += std::exp(exponent);
        }
        expected.push_back(std::log(density / static_cast<double>(components)));
      }
      for (const Device device : devices()) {
        const Variable density = mixture_log_density(place(z, {kRows, latent}, device),
                                                     place(params, {components, 2 * latent}, device),
                                                     PosteriorScale::log_variance, Variable());
        expect_close_elements(density.value().to_doubles(), expected, 1e-6,
                              fmt::format("{} components on {}", components, device.text()));
      }
    }
}

}  // namespace
}  // namespace gpuvae
