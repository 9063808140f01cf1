// Likelihoods of bytes, counts and tables of several types as parts of a model, with and without missing
// values.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <future>
#include <thread>

#include "gpuvae/data.h"
#include "gpuvae/error.h"
#include "gpuvae/evaluate.h"
#include "gpuvae/train.h"
#include "tests/devices.h"

namespace gpuvae {
namespace {

using Doubles = std::vector<double>;

Tensor matrix(const Doubles& values, std::int64_t rows, Device device = Device::cpu(),
              DType dtype = DType::f32) {
  return Tensor::from(values, {rows, static_cast<std::int64_t>(values.size()) / rows}).to(dtype).to(device);
}

std::string error_text(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// The Bernoulli, Gaussian, Poisson and categorical columns of objectives with known terms.
std::shared_ptr<Likelihood> four_types() {
  return product_likelihood({{bernoulli_likelihood(), 1},
                             {gaussian_likelihood({.sigmoid_mean = false}), 1},
                             {poisson_likelihood(), 1},
                             {categorical_likelihood({3}), 3}});
}

TEST(ProductLikelihood, HasTheKnownValueAndGradient) {
  const Doubles params = {0.3, -0.2, 0.4, 1.1, 0.5, -0.4, 0.1}, x = {1, 0.9, 2, 0, 1, 0};
  const Doubles slopes = {0.4255574832,  0.7373520506, -0.0944563721, -1.0041660239,
                          -0.4814892179, 0.8042410925, -0.3227518747};
  Doubles with_missing = x;
  with_missing[1] = NAN;
  Doubles observed_slopes = slopes;
  observed_slopes[1] = observed_slopes[2] = 0;
  const std::shared_ptr<Likelihood> product = four_types();
  ASSERT_EQ(product->outputs(6), 7);
  for (const bool missing : {false, true})
    for (const DType dtype : {DType::f64, DType::f32}) {
      const double tolerance = dtype == DType::f64 ? 1e-9 : 1e-5;
      const Variable p(matrix(params, 1, Device::cpu(), dtype), true);
      const Variable value =
          product->log_density(p, matrix(missing ? with_missing : x, 1, Device::cpu(), dtype));
      value.backward();
      EXPECT_NEAR(value.value().item(), missing ? -3.6825398898 : -5.2070220509, tolerance * 5);
      for (std::size_t i = 0; i < slopes.size(); ++i)
        EXPECT_NEAR(p.grad().to_doubles()[i], (missing ? observed_slopes : slopes)[i], tolerance) << i;
    }
}

TEST(ProductLikelihood, HasMeansAndDrawsOfEachType) {
  const std::shared_ptr<Likelihood> product = four_types();
  Doubles params;
  constexpr std::int64_t kRows = 4000;
  for (std::int64_t r = 0; r < kRows; ++r) params.insert(params.end(), {0.3, -0.2, 0.4, 1.1, 0.5, -0.4, 0.1});
  const Tensor p = matrix(params, kRows);
  const Doubles mean = product->mean(p).value().to_doubles(),
                draws = product->sample(p, {.seed = 3, .purpose = RandomPurpose::test}).to_doubles();
  ASSERT_EQ(draws.size(), 6 * kRows);
  for (int c = 0; c < 6; ++c) {
    double sum = 0;
    for (std::int64_t r = 0; r < kRows; ++r) sum += draws[r * 6 + c] / kRows;
    EXPECT_NEAR(sum, mean[c], 0.12) << "column " << c;
  }
  for (std::int64_t r = 0; r < kRows; ++r)
    EXPECT_EQ(draws[r * 6 + 3] + draws[r * 6 + 4] + draws[r * 6 + 5], 1);
}

TEST(ProductLikelihood, MultipliesMeansOfCountsByTheLibrarySize) {
  const std::shared_ptr<Likelihood> product =
      product_likelihood({{poisson_likelihood(), 1}, {}, {poisson_likelihood(), 1}}, 100);
  ASSERT_EQ(product->outputs(3), 2);
  const Tensor params = matrix({0.5, 1.5}, 1);
  const auto density = [&](double library) {
    return product->log_density(params, matrix({2, library, 4}, 1)).value().item();
  };
  const auto expected = [](double factor) {
    const double a = std::exp(0.5) * factor, b = std::exp(1.5) * factor;
    return 2 * std::log(a) - a - std::log(2) + 4 * std::log(b) - b - std::log(24);
  };
  EXPECT_NEAR(density(100), expected(1), 1e-5);
  EXPECT_NEAR(density(250), expected(2.5), 1e-5);
  EXPECT_NEAR(density(NAN), expected(1), 1e-5);
  // Two rows of parameters share a row of the target, as in importance sampling.
  const Doubles two =
      product->log_density(matrix({0.5, 1.5, 0.5, 1.5}, 2), matrix({2, 250, 4}, 1)).value().to_doubles();
  EXPECT_NEAR(two[0], expected(2.5), 1e-5);
  EXPECT_NEAR(two[1], expected(2.5), 1e-5);
  EXPECT_EQ(product->mean(params).value().to_vector()[1], 100);
  // The means of a row whose library size is known are those at this size.
  const Doubles means =
      product->mean_given(matrix({0.5, 1.5, 0.5, 1.5}, 2), matrix({2, 250, 4, 2, NAN, 4}, 2))
          .value()
          .to_doubles();
  const double factors[] = {2.5, 1};
  for (std::size_t row = 0; row < 2; ++row) {
    EXPECT_NEAR(means[3 * row], factors[row] * std::exp(0.5), 1e-5);
    EXPECT_NEAR(means[3 * row + 1], factors[row] * 100, 1e-4);
    EXPECT_NEAR(means[3 * row + 2], factors[row] * std::exp(1.5), 1e-4);
  }
  EXPECT_EQ(error_text([] { static_cast<void>(product_likelihood({{}})); }),
            "[product] expected a block with a likelihood, and at most one without, got 0 and 1");
  EXPECT_EQ(error_text([] {
              static_cast<void>(product_likelihood({{bernoulli_likelihood(), 2}}, 0));
            }),
            "[product] expected a library reference above 0, got 0");
}

TEST(ProductLikelihood, RefusesAnotherNumberOfColumns) {
  VaeOptions options;
  options.features = 5;
  options.likelihood = four_types();
  EXPECT_EQ(error_text([&] { Vae model(options, Device::cpu()); }),
            "[product] expected types of 5 columns, got types of 6");
}

// Draws of counts have the mean and the variance of their distribution.
TEST(CountLikelihoods, DrawCounts) {
  constexpr std::int64_t kRows = 20000;
  for (const double e : {-1.0, 1.5, 5.0}) {
    const double mean = std::exp(e);
    for (const bool inflated : {false, true}) {
      const std::shared_ptr<Likelihood> l =
          inflated ? zero_inflated_negative_binomial_likelihood() : negative_binomial_likelihood();
      ModelContext context;
      context.features = 1;
      l->initialize(context);
      const Tensor params = inflated ? matrix({e, -0.5}, 1) : matrix({e}, 1);
      const Doubles x =
          l->sample(repeat_rows(params, kRows), {.seed = 1, .purpose = RandomPurpose::test}).to_doubles();
      double sum = 0, squares = 0;
      for (const double v : x) sum += v / kRows, squares += v * v / kRows;
      const double present = inflated ? 1 / (1 + std::exp(-0.5)) : 1;
      const double variance = present * (mean + 2 * mean * mean) - present * present * mean * mean;
      EXPECT_NEAR(sum, present * mean, 5 * std::sqrt(variance / kRows)) << e << inflated;
      EXPECT_NEAR((squares - sum * sum) / variance, 1, 0.15) << e << inflated;
      EXPECT_NEAR(l->mean(params).value().item(), present * mean, 1e-4 * mean);
    }
    const Doubles x =
        poisson_likelihood()
            ->sample(repeat_rows(matrix({e}, 1), kRows), {.seed = 2, .purpose = RandomPurpose::test})
            .to_doubles();
    double sum = 0, squares = 0;
    for (const double v : x) sum += v / kRows, squares += v * v / kRows;
    EXPECT_NEAR(sum, mean, 5 * std::sqrt(mean / kRows)) << e;
    EXPECT_NEAR((squares - sum * sum) / mean, 1, 0.06) << e;
  }
}

// A draw depends on the seed, the sample and the dimension, and not on the other rows of the call.
TEST(CountLikelihoods, DrawsBelongToTheirSamples) {
  constexpr std::int64_t kColumns = 3;
  for (const std::shared_ptr<Likelihood>& l :
       {poisson_likelihood(), negative_binomial_likelihood(), zero_inflated_negative_binomial_likelihood()}) {
    ModelContext context;
    context.features = kColumns;
    l->initialize(context);
    const std::int64_t width = l->outputs(kColumns);
    const auto draws = [&](std::int64_t rows, const Noise& noise) {
      return l->sample(Tensor::full({rows, width}, 2.5), noise).to_vector();
    };
    const Noise noise{.seed = 4, .purpose = RandomPurpose::test};
    const std::vector<float> all = draws(8, noise);
    Noise later = noise;
    later.first_sample = 5;
    EXPECT_EQ(draws(3, later), std::vector<float>(all.begin() + 5 * kColumns, all.end())) << l->name();
    Noise chosen = noise;
    const std::int32_t numbers[] = {6, 2};
    chosen.samples = Tensor::from(std::span<const std::int32_t>(numbers), {2});
    const std::vector<float> two = draws(2, chosen);
    for (std::size_t c = 0; c < kColumns; ++c) {
      EXPECT_EQ(two[c], all[6 * kColumns + c]) << l->name();
      EXPECT_EQ(two[kColumns + c], all[2 * kColumns + c]) << l->name();
    }
    Noise epoch = noise;
    epoch.clock.step = 1;
    EXPECT_NE(draws(8, epoch), all) << l->name();
    epoch.frozen = true;
    EXPECT_EQ(draws(8, epoch), all) << l->name();
  }
}

// A comparison with NaN is false, so that loops which wait for one would never end.
TEST(CountLikelihoods, DrawsOfNanAreNan) {
  std::packaged_task<std::vector<float>()> task([] {
    std::vector<float> drawn;
    for (const std::shared_ptr<Likelihood>& l :
         {negative_binomial_likelihood(), zero_inflated_negative_binomial_likelihood(),
          poisson_likelihood()}) {
      ModelContext context;
      context.features = 1;
      l->initialize(context);
      std::vector<Parameter> sizes;
      l->collect(sizes);
      const auto draw = [&](double value) {
        drawn.push_back(l->sample(Tensor::full({1, l->outputs(1)}, value), {}).to_vector()[0]);
      };
      draw(NAN);
      for (const Parameter& size : sizes) size.variable.value().fill(NAN);
      draw(sizes.empty() ? NAN : 1);
    }
    return drawn;
  });
  std::future<std::vector<float>> drawn = task.get_future();
  std::thread(std::move(task)).detach();
  ASSERT_EQ(drawn.wait_for(std::chrono::seconds(30)), std::future_status::ready) << "the draws do not end";
  const std::vector<float> values = drawn.get();
  ASSERT_EQ(values.size(), 6u);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_TRUE(std::isnan(values[i])) << i;
}

TEST(DiscretizedLogisticLikelihood, DrawsBytes) {
  constexpr std::int64_t kRows = 20000;
  const std::shared_ptr<Likelihood> l = discretized_logistic_likelihood({.sigmoid_location = false});
  const Tensor params = matrix({0.4, -3}, 1);
  const Doubles x =
      l->sample(repeat_rows(params, kRows), {.seed = 1, .purpose = RandomPurpose::test}).to_doubles();
  double sum = 0, at_most = 0;
  for (const double v : x) {
    EXPECT_NEAR(v * 255, std::round(v * 255), 1e-4);
    sum += v / kRows;
    at_most += v * 255 < 89.5 ? 1.0 / kRows : 0;
  }
  EXPECT_NEAR(sum, 0.4, 0.005);
  EXPECT_NEAR(at_most, 1 / (1 + std::exp(-(90.0 / 256 - 0.4) / std::exp(-3))), 0.02);
}

TEST(SyntheticCounts, AreTheKnownOnes) {
  const Split split = synthetic_counts();
  const std::vector<float> train = split.train.examples.to_vector(), test = split.test.examples.to_vector();
  EXPECT_EQ(std::vector<float>(train.begin(), train.begin() + 8),
            (std::vector<float>{17, 12, 1, 7, 8, 1, 0, 4}));
  double sum = 0, test_sum = 0, largest = 0, zeros = 0;
  for (const float v : train) sum += v, largest = std::max<double>(largest, v), zeros += v == 0;
  for (const float v : test) test_sum += v, largest = std::max<double>(largest, v), zeros += v == 0;
  EXPECT_EQ(sum, 546155);
  EXPECT_EQ(test_sum, 263547);
  EXPECT_EQ(largest, 1370);
  EXPECT_NEAR(100 * zeros / 90000, 15.8967, 1e-4);
}

// A model of counts with missing values: the loss is finite, does not depend on what the missing values were,
// decreases, and the reconstruction estimates them.
TEST(MissingValues, TrainAModelOfCounts) {
  for (const Device device : test::devices()) {
    const Dataset counts = synthetic_counts().train.slice(0, 64);
    std::vector<float> x = counts.examples.to_vector();
    for (std::size_t i = 0; i < x.size(); i += 7) x[i] = NAN;
    Dataset set = counts;
    set.examples = Tensor::from(x, counts.examples.shape());
    set = set.to(device);
    VaeOptions options;
    options.features = 30;
    options.encoder_widths = {16};
    options.likelihood = negative_binomial_likelihood();
    options.missing_values = options.log1p_counts = true;
    Vae model(options, device);
    Adam adam(model.parameters(), {.learning_rate = 0.01});
    TrainOptions training;
    training.batch_size = 32;
    Trainer trainer(model, adam, set, {}, training);
    const EpochResult first = trainer.run_epoch();
    EpochResult last = first;
    for (int i = 0; i < 3; ++i) last = trainer.run_epoch();
    EXPECT_TRUE(std::isfinite(first.train.loss) && last.train.loss < first.train.loss) << device.text();
    const Tensor imputed = model.impute(set.examples);
    const std::vector<float> values = imputed.to_vector();
    for (std::size_t i = 0; i < x.size(); ++i)
      EXPECT_TRUE(i % 7 == 0 ? values[i] > 0 : values[i] == x[i]) << i;
    EXPECT_TRUE(std::isfinite(importance_weighted_nll(model, set, 5, {}).nll));
    EXPECT_TRUE(std::isfinite(latent_statistics(model, set, {}).data_stddev));
  }
}

TEST(MissingValues, NeedALikelihoodThatSupportsThem) {
  VaeOptions options;
  options.likelihood = shared_gaussian_likelihood();
  options.missing_values = true;
  EXPECT_EQ(error_text([&] { Vae model(options, Device::cpu()); }),
            "[vae] expected a likelihood that supports missing values, got Gaussian of shared sigma");
}

}  // namespace
}  // namespace gpuvae
