// Compares the moments of the gradients of importance-weighted bounds with those of a model of one dimension
// whose expectations an independent implementation computed.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "gpuvae/ops.h"

namespace gpuvae {
namespace {

using Numbers = std::vector<double>;

// p(z) = N(0, 1), p(x | z) = N(z, 1), x = 1.3: one row per estimate.
struct LinearModel {
  static constexpr double kX = 1.3, kLogEvidence = -1.6880121235;

  LinearModel(double mean, double log_sigma, std::int64_t rows) {
    const Tensor one = Tensor::from(Numbers{mean, log_sigma}, {1, 2});
    posterior_params = Variable(repeat_rows(one, rows), true);
  }
  // Computes the bounds, and the gradients of their sum.
  Tensor bounds(EncoderGradient gradient) const {
    PosteriorDrawOptions o;
    o.posterior.scale = PosteriorScale::log_sigma;
    o.posterior.noise.seed = 9;
    o.posterior.noise.purpose = RandomPurpose::test;
    o.draws = 2;
    o.gradient = gradient;
    const PosteriorDraws draws = sample_posterior_draws(posterior_params, o);
    const Variable log_likelihood = affine(square(draws.z - kX), -0.5, -0.5 * std::log(2 * std::numbers::pi));
    ImportanceOptions all;
    all.samples = 2;
    all.weight = -1;
    const ImportanceLoss loss = importance_weighted_loss(log_likelihood, draws.log_ratio, all);
    posterior_params.zero_grad();
    loss.loss.backward();
    return loss.bounds;
  }
  Variable posterior_params;  // [rows, 2], f64
};

struct Statistic {
  double mean = 0, stddev = 0;
};
// The mean and the standard deviation of the numbers first, first + stride, ...
Statistic statistic_of(const Numbers& numbers, std::size_t first, std::size_t stride) {
  double sum = 0, squares = 0, n = 0;
  for (std::size_t i = first; i < numbers.size(); i += stride, ++n) {
    sum += numbers[i];
    squares += numbers[i] * numbers[i];
  }
  return {sum / n, std::sqrt(squares / n - sum / n * (sum / n))};
}

TEST(Importance, GradientsOfTheBoundHaveTheirExpectations) {
  struct Expectation {
    EncoderGradient gradient;
    double d_mean, d_log_sigma, mean_deviation, log_sigma_deviation;
  };
  constexpr std::int64_t kEstimates = 200'000;
  const double root = std::sqrt(static_cast<double>(kEstimates));
  const LinearModel model(.2, -.1, kEstimates);
  for (const Expectation& e :
       {Expectation{EncoderGradient::total, 0.3716075169, -0.1174833726, 1.243354, 1.300890},
        {EncoderGradient::path, 0.6942975350, -0.2898242277, 0.484036, 0.557432},
        {EncoderGradient::doubly_reparameterized, 0.3716075169, -0.1174833726, 0.321867, 0.337086}}) {
    const Numbers bounds = model.bounds(e.gradient).to_doubles();
    const Numbers gradients = model.posterior_params.grad().to_doubles();
    const Statistic value = statistic_of(bounds, 0, 1), d_mean = statistic_of(gradients, 0, 2),
                    d_log_sigma = statistic_of(gradients, 1, 2);
    EXPECT_NEAR(value.mean, -1.7899783939, 5 * value.stddev / root) << name(e.gradient);
    EXPECT_NEAR(d_mean.mean, e.d_mean, 5 * e.mean_deviation / root) << name(e.gradient);
    EXPECT_NEAR(d_log_sigma.mean, e.d_log_sigma, 5 * e.log_sigma_deviation / root) << name(e.gradient);
    EXPECT_NEAR(d_mean.stddev, e.mean_deviation, 0.02 * e.mean_deviation) << name(e.gradient);
    EXPECT_NEAR(d_log_sigma.stddev, e.log_sigma_deviation, 0.02 * e.log_sigma_deviation) << name(e.gradient);
  }
}

// At the exact posterior, every weight is p(x), and the gradients of STL and DReG are 0 for every noise.
TEST(Importance, ExactPosteriorHasNoVariance) {
  const LinearModel model(.65, -0.5 * std::numbers::ln2, 20'000);
  for (const EncoderGradient gradient : {EncoderGradient::path, EncoderGradient::doubly_reparameterized}) {
    for (double value : model.bounds(gradient).to_doubles())
      ASSERT_NEAR(value, LinearModel::kLogEvidence, 1e-9);
    for (double slope : model.posterior_params.grad().to_doubles()) ASSERT_NEAR(slope, 0, 1e-12);
  }
  static_cast<void>(model.bounds(EncoderGradient::total));
  const Numbers gradients = model.posterior_params.grad().to_doubles();
  EXPECT_NEAR(statistic_of(gradients, 0, 2).stddev, 1, 0.03);
  EXPECT_NEAR(statistic_of(gradients, 1, 2).stddev, 1, 0.03);
}

}  // namespace
}  // namespace gpuvae
