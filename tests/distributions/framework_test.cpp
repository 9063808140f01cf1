// Tests models with custom and built-in distributions, and the weights of the loss.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/evaluate.h"

namespace gpuvae {
namespace {

// ---- the user's code: a Laplace likelihood, p(x | z) = exp(-|x - m| / b) / (2 b) ----
class Laplace final : public Likelihood {
 public:
  explicit Laplace(double scale) : scale_(scale) {}
  std::string name() const override { return "Laplace"; }
  bool is_density() const override { return true; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    return sum(-abs(x - mean(params)) / scale_ - std::log(2 * scale_), Axis::columns);
  }
  Variable mean(const Variable& params) const override { return activate(params, Activation::sigmoid); }
  Tensor sample(const Variable& params, const Noise& noise) const override {
    std::vector<float> x = mean(params).value().to_vector();
    const std::vector<float> u = random_uniform(params.shape(), noise, -0.5, 0.5).to_vector();
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] -= static_cast<float>(scale_ * std::copysign(std::log1p(-2 * std::abs(u[i])), u[i]));
    return Tensor::from(x, params.shape(), params.device());
  }

 private:
  double scale_;
};
// ---- end of the user's code ----

// A custom prior N(0, 4 I), and a custom posterior with a fixed standard deviation.
class WideNormal final : public Prior {
 public:
  std::string name() const override { return "N(0, 4)"; }
  Variable log_density(const Variable& z) const override {
    return sum(-square(z) / 8 - 0.5 * std::log(8 * M_PI), Axis::columns);
  }
  Tensor sample(std::int64_t rows, std::int64_t latent, const Noise& noise, Device device) const override {
    return random_normal({rows, latent}, noise, 0, 2, DType::f32, device);
  }
};
class FixedSpread final : public Posterior {
 public:
  std::string name() const override { return "N(mean, 0.25)"; }
  int params_per_dimension() const override { return 1; }
  Variable mean(const Variable& posterior_params) const override { return posterior_params; }
  Variable rsample(const Variable& posterior_params, const Draw& draw) const override {
    return posterior_params +
           random_normal(posterior_params.shape(), draw.noise, 0, 0.5, DType::f32, posterior_params.device());
  }
  Variable log_density(const Variable& posterior_params, const Variable& z) const override {
    return sum(-2 * square(z - posterior_params) - 0.5 * std::log(0.5 * M_PI), Axis::columns);
  }
};

// Images of 4 x 4 pixels: ramps that differ in brightness and direction.
Dataset gradients(std::int64_t count) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i)
    for (int p = 0; p < 16; ++p)
      bytes.push_back(static_cast<std::uint8_t>(40 + (i * 13 % 100) + (i % 2 ? p % 4 : p / 4) * 30));
  return {4, 4, Tensor::from(bytes, {count, 16}), {}};
}

VaeOptions small_model() {
  VaeOptions o;
  o.features = 16;
  o.encoder_widths = {16};
  return o;
}

struct FirstAndLast {
  Losses first, last;
};
FirstAndLast train(const VaeOptions& options, TrainOptions how = {}, int epochs = 30) {
  const Device device = Device::best();
  Vae model(options, device);
  OptimizerOptions adam;
  adam.learning_rate = 5e-3;
  Optimizer optimizer(model.parameters(), adam);
  how.batch_size = 32;
  Trainer trainer(model, optimizer, gradients(256).to(device), gradients(64).to(device), how);
  FirstAndLast o{trainer.run_epoch().train, {}};
  for (int i = 1; i < epochs; ++i) o.last = trainer.run_epoch().train;
  return o;
}

TEST(Framework, ACustomLikelihoodTrains) {
  VaeOptions o = small_model();
  o.likelihood = std::make_shared<Laplace>(0.05);
  const FirstAndLast outcome = train(o);
  EXPECT_LT(outcome.last.reconstruction, outcome.first.reconstruction - 10);
  // If |x - m| averages the scale b = 0.05, 16 pixels cost 16 (1 + log(2 b)) = -20.8 nats.
  EXPECT_LT(outcome.last.reconstruction, -12);
  EXPECT_GT(outcome.last.kl, 0.5);
}

TEST(Framework, ACustomLikelihoodDrawsAndEvaluates) {
  VaeOptions o = small_model();
  o.likelihood = std::make_shared<Laplace>(0.05);
  const Vae model(o, Device::best());
  const Vae::Generated g = model.sample_prior(400, 3);
  const std::vector<float> x = g.x.to_vector(), mean = g.mean.to_vector();
  double error = 0;
  for (std::size_t i = 0; i < x.size(); ++i) error += std::abs(x[i] - mean[i]);
  EXPECT_NEAR(error / static_cast<double>(x.size()), 0.05, 0.004);  // E|x - m| = b
  const Dataset images = gradients(20).to(Device::best());
  EXPECT_LE(importance_weighted_nll(model, images, 50, {}).nll, evaluate_elbo(model, images, {}).loss + 0.5);
}

TEST(Framework, ACustomPriorAndPosteriorTrain) {
  VaeOptions o = small_model();
  o.likelihood = std::make_shared<Laplace>(0.05);
  o.prior = std::make_shared<WideNormal>();
  o.posterior = std::make_shared<FixedSpread>();
  const FirstAndLast outcome = train(o);
  EXPECT_LT(outcome.last.loss, outcome.first.loss - 8);
  // KL(N(m, 1/4) || N(0, 4)) is at least log 4 - 15/32 in each of the two dimensions.
  EXPECT_GT(outcome.last.kl, 2 * (std::log(4.0) - 15.0 / 32) - 0.1);
}

TEST(Framework, EstimatedKlAgreesWithTheClosedForm) {
  const std::int64_t rows = 4000;
  std::vector<float> values;
  for (std::int64_t r = 0; r < rows; ++r) values.insert(values.end(), {0.8f, -0.3f, -1.0f, 0.4f});
  const Variable posterior_params = Tensor::from(values, {rows, 4}, Device::best());
  for (const PosteriorScale scale :
       {PosteriorScale::log_variance, PosteriorScale::log_sigma, PosteriorScale::softplus}) {
    const auto q = diagonal_gaussian({scale});
    const auto p = standard_normal_prior();
    const double closed = q->rsample_with_kl(posterior_params, {}, *p, 1.0 / rows).kl.value().item();
    const double estimate =
        q->Posterior::rsample_with_kl(posterior_params, {}, *p, 1.0 / rows).kl.value().item();
    EXPECT_NEAR(estimate, closed, 0.06) << name(scale);
    const double by_dimension = sum(q->kl_to_standard_normal(posterior_params)).value().item() / rows;
    EXPECT_NEAR(by_dimension, closed, 1e-4 * closed) << name(scale);
  }
}

TEST(Framework, EveryLikelihoodLearnsAndItsLossIsItsNegativeLogDensity) {
  const std::pair<std::shared_ptr<Likelihood>, double> all[] = {{bernoulli_likelihood(), 0.1},
                                                                {continuous_bernoulli_likelihood(), 0.5},
                                                                {gaussian_likelihood(), 5},
                                                                {shared_gaussian_likelihood(), 5},
                                                                {fixed_gaussian_likelihood(0.1), 5}};
  for (const auto& [likelihood, gain] : all) {
    VaeOptions o = small_model();
    o.likelihood = likelihood;
    const FirstAndLast outcome = train(o, {}, 40);
    EXPECT_LT(outcome.last.reconstruction, outcome.first.reconstruction - gain) << likelihood->name();

    const Vae model(o, Device::best());
    const Variable z = random_normal({7, 2}, {.seed = 1}, 0, 1, DType::f32, Device::best());
    const Variable params = model.decode(z), x = model.decode_mean(Variable(z.value())).detach();
    const Likelihood& own = model.likelihood();
    const double loss = own.negative_log_likelihood(params, x, 0.5).value().item();
    double sum = 0;
    for (float v : own.log_density(params, x).value().to_vector()) sum -= 0.5 * v;
    EXPECT_NEAR(loss, sum, 1e-3 + 1e-5 * std::abs(sum)) << likelihood->name();
  }
}

// Every element is one standard deviation away from its mean.
TEST(Framework, FixedAndSharedGaussiansHaveTheirDensities) {
  const Variable params = Tensor::zeros({3, 16}, DType::f32, Device::best());
  const Variable x = Tensor::full({3, 16}, 0.7, DType::f32, Device::best());
  const double expected = 3 * 16 * (0.5 * std::log(2 * M_PI * 0.04) + 0.04 / (2 * 0.04));
  const auto fixed = fixed_gaussian_likelihood(0.2);  // sigmoid(0) = 0.5 is 0.2 away from x
  fixed->initialize({16, 2, {}, Device::best(), true, {}});
  EXPECT_NEAR(fixed->negative_log_likelihood(params, x, 1).value().item(), expected, 1e-3);
  std::vector<Parameter> none;
  fixed->collect(none);
  EXPECT_TRUE(none.empty());
  const auto shared = shared_gaussian_likelihood();
  shared->initialize({16, 2, {}, Device::best(), true, {}});
  std::vector<Parameter> one;
  shared->collect(one);
  ASSERT_EQ(one.size(), 1u);
  one[0].variable.value().fill(std::log(0.04));
  EXPECT_NEAR(shared->negative_log_likelihood(params, x, 1).value().item(), expected, 1e-3);
}

TEST(Framework, LearnedPriorsTrainAndDraw) {
  for (const auto& prior : {gaussian_mixture_prior(5), vamp_prior(5)}) {
    VaeOptions o = small_model();
    o.likelihood = gaussian_likelihood();
    o.prior = prior;
    const FirstAndLast outcome = train(o, {}, 20);
    EXPECT_LT(outcome.last.loss, outcome.first.loss - 5) << prior->name();
    const Vae model(o, Device::best());
    const Prior& own = model.prior();
    const Tensor z = own.sample(500, 2, {.seed = 2, .purpose = RandomPurpose::prior}, Device::best());
    // The mean log density at the prior's own draws is its negative entropy, which must exceed the mean log
    // density at distant points.
    const double near = sum(own.log_density(z)).value().item() / 500;
    const Variable far = Tensor::full({500, 2}, 30, DType::f32, Device::best());
    EXPECT_GT(near, sum(own.log_density(far)).value().item() / 500 + 5) << prior->name();
  }
}

TEST(Framework, AVampPriorRequiresLogVariances) {
  VaeOptions o = small_model();
  o.prior = vamp_prior(3);
  o.posterior = diagonal_gaussian({PosteriorScale::softplus});
  EXPECT_THROW(Vae(o, Device::best()), Error);
}

TEST(Framework, BernoulliDrawsHaveTheirProbabilities) {
  const auto bernoulli = bernoulli_likelihood();
  const Variable logits = Tensor::full({500, 40}, 1.0, DType::f32, Device::best());
  const std::vector<float> x = bernoulli->sample(logits, {.seed = 4}).to_vector();
  double ones = 0;
  for (float v : x) {
    ASSERT_TRUE(v == 0 || v == 1);
    ones += v;
  }
  EXPECT_NEAR(ones / 20000, 1 / (1 + std::exp(-1.0)), 0.01);
}

TEST(Framework, ContinuousBernoulliDrawsHaveItsMean) {
  const auto likelihood = continuous_bernoulli_likelihood();
  for (const double l : {-40.0, -3.0, 0.0, 0.5, 5.0}) {
    const Variable logits = Tensor::full({500, 40}, l, DType::f32, Device::best());
    const Tensor draws = likelihood->sample(logits, {.seed = 4});
    const double drawn = sum(Variable(draws)).value().item() / 20000;
    // E[x] = 1 / (1 - exp(-l)) - 1 / l
    const double expected = l == 0 ? 0.5 : 1 / (1 - std::exp(-l)) - 1 / l;
    EXPECT_NEAR(drawn, expected, 0.01) << l;
    EXPECT_NEAR(likelihood->mean(logits).value().to_vector()[0], expected, 1e-5) << l;
  }
}

// The mean of |x - location| is the scale, and its standard error here is scale / 141.
TEST(Framework, LaplaceDrawsHaveTheirLocationAndScale) {
  const auto likelihood = laplace_likelihood({.sigmoid_location = false, .low = -2});
  for (const auto& [log_scale, scale] : {std::pair(0.7f, std::exp(0.7)), std::pair(-3.f, std::exp(-2.0))}) {
    std::vector<float> params(40000, 0.25f);  // one row of 20,000 locations, followed by 20,000 log scales
    std::fill(params.begin() + 20000, params.end(), log_scale);
    const Tensor row = Tensor::from(params, {1, 40000});
    double signed_sum = 0, sum = 0;
    for (const float x : likelihood->sample(row, {.seed = 3, .purpose = RandomPurpose::test}).to_vector()) {
      signed_sum += x - 0.25;
      sum += std::abs(x - 0.25);
    }
    EXPECT_NEAR(sum / 20000, scale, 0.04 * scale);
    EXPECT_NEAR(signed_sum / 20000, 0, 0.06 * scale);
    EXPECT_FLOAT_EQ(likelihood->mean(row).value().to_vector()[7], 0.25f);
  }
}

std::vector<float> parameters_after(const TrainOptions& how, double rate, int epochs = 1) {
  const Device device = Device::best();
  Vae model(small_model(), device);
  OptimizerOptions sgd = OptimizerOptions::defaults(OptimizerKind::sgd);
  sgd.learning_rate = rate;
  Optimizer optimizer(model.parameters(), sgd);
  TrainOptions o = how;
  o.batch_size = 32;
  Trainer trainer(model, optimizer, gradients(64).to(device), gradients(32).to(device), o);
  for (int i = 0; i < epochs; ++i) trainer.run_epoch();
  std::vector<float> all;
  for (const Parameter& p : model.parameters())
    for (float v : p.variable.value().to_vector()) all.push_back(v);
  return all;
}
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double d = 0;
  for (std::size_t i = 0; i < a.size(); ++i) d = std::max<double>(d, std::abs(a[i] - b[i]));
  return d;
}

TEST(Framework, ABatchSumEqualsTheMeanTimesTheBatchSize) {
  TrainOptions sum;
  sum.batch_sum = true;
  EXPECT_LT(largest_difference(parameters_after(sum, 1e-3), parameters_after({}, 32e-3)), 1e-5);
  EXPECT_GT(largest_difference(parameters_after(sum, 1e-3), parameters_after({}, 1e-3)), 1e-3);
}

TEST(Framework, KlWarmUpBeginsWithoutTheKlTermAndEndsWithAllOfIt) {
  TrainOptions slow, none, whole, over;
  slow.warmup_epochs = 1e9;
  none.beta = 0;
  over.warmup_epochs = 1e-9;
  EXPECT_LT(largest_difference(parameters_after(slow, 1e-2), parameters_after(none, 1e-2)), 1e-6);
  EXPECT_LT(largest_difference(parameters_after(over, 1e-2, 3), parameters_after(whole, 1e-2, 3)), 1e-2);
  EXPECT_GT(largest_difference(parameters_after(none, 1e-2), parameters_after(whole, 1e-2)), 1e-4);
}

TEST(Framework, FreeBitsIgnoreSmallDimensionsAndReportThePlainKl) {
  TrainOptions free, none;
  free.free_bits = 100;  // all dimensions are below 100 nats, so the KL term has no gradient
  none.beta = 0;
  EXPECT_LT(largest_difference(parameters_after(free, 1e-2), parameters_after(none, 1e-2)), 1e-6);
  TrainOptions little;
  little.free_bits = 1e-6;  // all dimensions are above the limit, so the gradient is the plain one
  EXPECT_LT(largest_difference(parameters_after(little, 1e-2), parameters_after({}, 1e-2)), 1e-5);
  EXPECT_LT(train(small_model(), free, 2).last.kl, 100);
  VaeOptions mixture = small_model();
  mixture.prior = gaussian_mixture_prior(2);
  EXPECT_THROW(train(mixture, free, 1), Error);
}

}  // namespace
}  // namespace gpuvae
