// Compares likelihood estimates with the exact likelihood of a linear model, and tests statistics of latent
// codes.
#include "gpuvae/evaluate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gpuvae {
namespace {

constexpr int kObserved = 3;
constexpr double kWeight[kObserved] = {0.4, -0.2, 0.3}, kBias[kObserved] = {0.5, 0.4, 0.3}, kSigma = 0.25;

// The model x = w z + b + sigma e with one latent dimension. All its distributions have closed forms (Bishop,
// PRML, section 12.2).
struct LinearGaussian {
  VaeOptions options = [] {
    VaeOptions o;
    o.features = kObserved;
    o.latent = 1;
    o.encoder_widths = {};
    o.likelihood = fixed_gaussian_likelihood(kSigma, false);
    return o;
  }();
  Vae model{options, Device::best()};
  double precision = 1;

  // The encoder returns the true posterior, shifted and widened.
  explicit LinearGaussian(double shift = 0, double wider = 1) {
    double offset = 0;
    std::vector<float> encode(2 * kObserved, 0.0f), weight, bias;
    for (int i = 0; i < kObserved; ++i) precision += kWeight[i] * kWeight[i] / (kSigma * kSigma);
    for (int i = 0; i < kObserved; ++i) {
      const double gain = kWeight[i] / (kSigma * kSigma) / precision;
      encode[i] = static_cast<float>(gain);
      offset -= gain * kBias[i];
      weight.push_back(static_cast<float>(kWeight[i])), bias.push_back(static_cast<float>(kBias[i]));
    }
    const std::vector<float> head = {static_cast<float>(offset + shift),
                                     static_cast<float>(2 * std::log(wider) - std::log(precision))};
    for (const Parameter& p : model.parameters()) {
      const std::vector<float>& v = p.name == "posterior.weight" ? encode
                                    : p.name == "posterior.bias" ? head
                                    : p.name == "output.weight"  ? weight
                                                                 : bias;
      p.variable.value().copy_from(Tensor::from(v, p.variable.shape(), Device::best()));
    }
  }

  // Returns -log N(x | b, w w' + sigma^2 I), by the matrix determinant lemma and the Sherman-Morrison
  // formula.
  static double nll(const std::vector<float>& x) {
    const double s2 = kSigma * kSigma;
    double ww = 0, wd = 0, dd = 0;
    for (int i = 0; i < kObserved; ++i) {
      const double d = x[i] - kBias[i];
      ww += kWeight[i] * kWeight[i];
      wd += kWeight[i] * d;
      dd += d * d;
    }
    const double log_determinant = kObserved * std::log(s2) + std::log(1 + ww / s2);
    const double quadratic = dd / s2 - wd * wd / (s2 * s2) / (1 + ww / s2);
    return 0.5 * (kObserved * std::log(2 * M_PI) + log_determinant + quadratic);
  }
};

Dataset points(std::int64_t count) {
  const std::vector<float> x = random_uniform({count, kObserved}, {.seed = 9}, 0, 1).to_vector();
  return {1, kObserved, Tensor::from(x, {count, kObserved}, Device::best()), {}};
}
double exact_nll(const Dataset& images) {
  const std::vector<float> x = images.examples.to_vector();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); i += kObserved)
    sum += LinearGaussian::nll({x.begin() + i, x.begin() + i + kObserved});
  return sum / static_cast<double>(images.count());
}

// Twice the density of N(0, I) where the first dimension is positive, and 0 elsewhere.
class HalfNormal final : public Prior {
 public:
  std::string name() const override { return "half normal"; }
  Variable log_density(const Variable& z) const override {
    const Variable inside = clamp(1e30 * columns(z, 0, 1), 0, 1);
    return normal_->log_density(z) + log(2 * inside);
  }
  Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise, Device device) const override {
    return normal_->sample(rows, latent, noise, device);
  }

 private:
  std::shared_ptr<Prior> normal_ = standard_normal_prior();
};

// With all parameters 0, the weight of a draw is 2 p(x) if its first dimension is positive, else 0. The first
// draws of some rows have the weight 0, which must not make the estimate NaN.
TEST(Evaluation, DrawsMayHaveTheWeightZero) {
  VaeOptions options;
  options.features = 2;
  options.latent = 1;
  options.encoder_widths = {};
  options.prior = std::make_shared<HalfNormal>();
  const Vae model(options, Device::cpu());
  for (const Parameter& p : model.parameters()) p.variable.value().fill(0);
  constexpr std::int64_t kRows = 40;
  const Dataset set{1, 2, Tensor::zeros({kRows, 2}), {}};
  const double log_p = -2 * std::log(2.0);
  for (const std::int64_t samples : {1, 5}) {
    const RowScores scores = score_rows(model, set, samples, {});
    int empty = 0, full = 0;
    double nll = 0, effective = 0;
    for (std::size_t row = 0; row < kRows; ++row) {
      const double n = scores.effective_samples[row];
      EXPECT_NEAR(n, std::round(n), 1e-4);
      const double expected = log_p + std::log(2 * n / static_cast<double>(samples));
      EXPECT_TRUE(n == 0 ? scores.log_likelihood[row] == -INFINITY
                         : std::fabs(scores.log_likelihood[row] - expected) <= 1e-4)
          << row << ": " << scores.log_likelihood[row];
      empty += n == 0;
      full += n == static_cast<double>(samples);
      nll -= scores.log_likelihood[row] / kRows;
      effective += n / kRows;
    }
    EXPECT_LT(full, kRows - 5);
    EXPECT_TRUE(samples > 1 || empty > 5) << empty;
    const ImportanceEstimate estimate = importance_weighted_nll(model, set, samples, {});
    EXPECT_NEAR(estimate.effective_samples, effective, 1e-6);
    EXPECT_TRUE(empty > 0 ? estimate.nll == INFINITY : std::fabs(estimate.nll - nll) <= 1e-6) << estimate.nll;
  }
}

TEST(Evaluation, WithTheTruePosteriorOneSampleIsExact) {
  const Dataset images = points(40);
  for (const std::int64_t samples : {1, 7}) {
    const ImportanceEstimate e = importance_weighted_nll(LinearGaussian().model, images, samples, {});
    EXPECT_NEAR(e.nll, exact_nll(images), 2e-5);
    EXPECT_NEAR(e.effective_samples, static_cast<double>(samples), 1e-2);
  }
}

TEST(Evaluation, ManySamplesOvercomeAWrongPosterior) {
  const Dataset images = points(20);
  const LinearGaussian wrong(0.3, 1.4);
  const double exact = exact_nll(images), elbo = evaluate_elbo(wrong.model, images, {}).loss;
  const ImportanceEstimate one = importance_weighted_nll(wrong.model, images, 1, {});
  const ImportanceEstimate many = importance_weighted_nll(wrong.model, images, 1000, {});
  EXPECT_GT(elbo, exact + 0.1);
  EXPECT_GT(one.nll, exact + 0.1);
  EXPECT_NEAR(many.nll, exact, 0.02);
  EXPECT_LT(many.effective_samples, 900);
  EXPECT_GT(many.effective_samples, 100);
}

TEST(Evaluation, RowScoresHaveTheMeansOfTheEstimates) {
  const Dataset images = points(23);
  const LinearGaussian wrong(0.3, 1.4);
  EvaluationOptions options;
  options.seed = 3;
  options.rows = 10;
  const RowScores scores = score_rows(wrong.model, images, 50, options);
  const Losses elbo = evaluate_elbo(wrong.model, images, options);
  const ImportanceEstimate bound = importance_weighted_nll(wrong.model, images, 50, options);
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double v : values) sum += v / static_cast<double>(values.size());
    return sum;
  };
  ASSERT_EQ(scores.elbo.size(), 23u);
  ASSERT_EQ(scores.log_likelihood.size(), 23u);
  EXPECT_NEAR(mean(scores.reconstruction), elbo.reconstruction, 1e-5);
  EXPECT_NEAR(mean(scores.kl), elbo.kl, 1e-5);
  EXPECT_NEAR(mean(scores.elbo), -elbo.loss, 1e-5);
  EXPECT_NEAR(mean(scores.log_likelihood), -bound.nll, 1e-12);
  EXPECT_NEAR(mean(scores.effective_samples), bound.effective_samples, 1e-9);
  for (const double n : scores.effective_samples) {
    EXPECT_GE(n, 1 - 1e-12);
    EXPECT_LE(n, 50 + 1e-9);
  }
  EXPECT_TRUE(score_rows(wrong.model, images, 0, options).log_likelihood.empty());
  EXPECT_THROW(score_rows(wrong.model, images, -1, options), Error);
  // With the true posterior, every weight is p(x).
  const RowScores exact = score_rows(LinearGaussian().model, images, 5, options);
  const std::vector<float> x = images.examples.to_vector();
  for (std::size_t i = 0; i < 23; ++i) {
    const std::vector<float> row(x.begin() + 3 * static_cast<std::ptrdiff_t>(i),
                                 x.begin() + 3 * static_cast<std::ptrdiff_t>(i) + 3);
    EXPECT_NEAR(exact.log_likelihood[i], -LinearGaussian::nll(row), 1e-4);
    EXPECT_NEAR(exact.effective_samples[i], 5, 1e-3);
  }
}

TEST(Evaluation, DoesNotDependOnTheBatchSize) {
  const Dataset images = points(23);
  const LinearGaussian wrong(0.3, 1.4);
  EvaluationOptions small, large;
  small.rows = 10;
  large.rows = 1000;
  const double a = importance_weighted_nll(wrong.model, images, 64, small).nll;
  EXPECT_NEAR(importance_weighted_nll(wrong.model, images, 64, large).nll, a, 1e-5);
}

TEST(Evaluation, ElboOfTheTruePosteriorIsTheLogLikelihoodOnAverage) {
  const Dataset images = points(4000);
  const Losses elbo = evaluate_elbo(LinearGaussian().model, images, {});
  EXPECT_NEAR(elbo.loss, exact_nll(images), 0.05);
  EXPECT_NEAR(elbo.loss, elbo.reconstruction + elbo.kl, 1e-9);
}

TEST(Evaluation, StatisticsMatchAKnownPosterior) {
  const LinearGaussian exact;
  const Dataset images = points(3000);
  const LatentStatistics s = latent_statistics(exact.model, images, {});
  const std::vector<float> x = images.examples.to_vector();
  double sum = 0, squares = 0, kl = 0;
  for (std::size_t i = 0; i < x.size(); i += kObserved) {
    double mean = 0;
    for (int p = 0; p < kObserved; ++p)
      mean += kWeight[p] / (kSigma * kSigma) / exact.precision * (x[i + p] - kBias[p]);
    sum += mean / 3000;
    squares += mean * mean / 3000;
    kl += (0.5 * (mean * mean + 1 / exact.precision - 1) + 0.5 * std::log(exact.precision)) / 3000;
  }
  const double variance = squares - sum * sum;
  ASSERT_EQ(s.kl.size(), 1u);
  EXPECT_NEAR(s.kl[0], kl, 1e-4);
  EXPECT_NEAR(s.mean_variance[0], variance, 1e-4);
  EXPECT_EQ(s.active_units, 1);
  EXPECT_FALSE(s.collapsed());
  // The decoded means are w z + b.
  EXPECT_NEAR(s.decoded_stddev, std::sqrt(variance) * (0.4 + 0.2 + 0.3) / kObserved, 1e-4);
  // The means are nearly normal, so I(x; z) is about that of a Gaussian channel: half the log of the total
  // variance over the noise variance.
  EXPECT_NEAR(s.mutual_information, 0.5 * std::log(1 + variance * exact.precision), 0.05);
}

TEST(Evaluation, MutualInformationIsTheLogOfTheNumberOfDistinguishableImages) {
  const LinearGaussian model(0, 1e-3);  // sharp posteriors: z identifies the image
  EXPECT_NEAR(latent_statistics(model.model, points(8), {}).mutual_information, std::log(8.0), 1e-2);
  Dataset same = points(8);
  for (int i = 1; i < 8; ++i) same.examples.slice(i, 1).copy_from(same.examples.slice(0, 1));
  EXPECT_NEAR(latent_statistics(model.model, same, {}).mutual_information, 0, 1e-3);
}

TEST(Evaluation, ADecoderThatIgnoresZIsCollapsed) {
  LinearGaussian model;
  for (const Parameter& p : model.model.parameters())
    if (p.name == "output.weight") p.variable.value().fill(1e-4);
  const LatentStatistics s = latent_statistics(model.model, points(100), {});
  EXPECT_TRUE(s.collapsed());
}

TEST(Evaluation, InvalidArgumentsAreErrors) {
  const LinearGaussian model;
  EXPECT_THROW(static_cast<void>(importance_weighted_nll(model.model, points(3), 0, {})), Error);
  EXPECT_THROW(static_cast<void>(importance_weighted_nll(model.model, points(3).slice(0, 0), 5, {})), Error);
  EXPECT_THROW(static_cast<void>(importance_weighted_nll(model.model, points(3), std::int64_t{1} << 32, {})),
               Error);
}

}  // namespace
}  // namespace gpuvae
