// Posteriors and exemplar priors: densities of draws against quadrature and differences, training, and
// refusals.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "gpuvae/evaluate.h"
#include "gpuvae/exemplar_prior.h"
#include "gpuvae/vae.h"
#include "src/nn/made.h"
#include "src/vae/named_distributions.h"

namespace gpuvae {
namespace {

using Numbers = std::vector<double>;

VaeOptions model_with(const std::string& posterior) {
  VaeOptions o;
  o.features = 16;
  o.encoder_widths = {16};
  o.latent = 3;
  o.likelihood = gaussian_likelihood();
  o.posterior = named_posterior(posterior);
  return o;
}

// The density of a draw must be that of the noise divided by |det dz/d epsilon|, which central differences of
// the draw give.
double log_density_by_differences(const Posterior& posterior, const Tensor& params, const Numbers& epsilon) {
  const auto n = static_cast<std::int64_t>(epsilon.size());
  const auto draw = [&](const Numbers& noise) {
    Draw given;
    given.epsilon = Tensor::from(noise, {1, n}).to(params.dtype());
    return posterior.rsample(params, given).value().to_doubles();
  };
  std::vector<Numbers> jacobian;
  constexpr double kStep = 1e-5;
  double log_density = -0.5 * static_cast<double>(n) * std::log(2 * std::numbers::pi);
  for (std::int64_t j = 0; j < n; ++j) {
    Numbers up = epsilon, down = epsilon;
    up[j] += kStep;
    down[j] -= kStep;
    Numbers column = draw(up);
    const Numbers low = draw(down);
    for (std::size_t i = 0; i < column.size(); ++i) column[i] = (column[i] - low[i]) / (2 * kStep);
    jacobian.push_back(column);
    log_density -= 0.5 * epsilon[j] * epsilon[j];
  }
  for (std::size_t i = 0; i < jacobian.size(); ++i) {  // Gaussian elimination; the pivots are far from 0
    for (std::size_t j = i + 1; j < jacobian.size(); ++j) {
      const double factor = jacobian[j][i] / jacobian[i][i];
      for (std::size_t k = i; k < jacobian.size(); ++k) jacobian[j][k] -= factor * jacobian[i][k];
    }
    log_density -= std::log(std::fabs(jacobian[i][i]));
  }
  return log_density;
}

TEST(Posteriors, ReturnTheLogDensityOfTheirDraws) {
  for (const char* name : {"planar:3", "full"}) {
    const auto posterior = named_posterior(name);
    std::int64_t width = 0;
    for (const std::int64_t size : posterior->head_sizes(3)) width += size;
    const Tensor params =
        random_normal({1, width}, {.seed = 4, .purpose = RandomPurpose::test}, 0, 0.7, DType::f64);
    const Numbers epsilon{0.3, -0.9, 1.2};
    Draw draw;
    draw.epsilon = Tensor::from(epsilon, {1, 3});
    const DensitySample sample = posterior->rsample_with_log_density(params, draw);
    EXPECT_NEAR(sample.log_density.value().item(), log_density_by_differences(*posterior, params, epsilon),
                1e-8)
        << name;
    EXPECT_EQ(sample.z.value().to_doubles(), posterior->rsample(params, draw).value().to_doubles());
  }
}

// The networks of an autoregressive flow are f32, so the differences are coarse.
TEST(Posteriors, AutoregressiveFlowReturnsTheLogDensityOfItsDraws) {
  VaeOptions options = model_with("iaf:2:7");
  options.initializer.bias_std = 0.3;
  const Vae model(options, Device::cpu());
  std::vector<Parameter> parameters;
  model.posterior().collect(parameters);
  std::vector<std::string> names;
  for (const Parameter& p : parameters) names.push_back(p.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"posterior.flow.0.input.weight", "posterior.flow.0.output.weight",
                                      "posterior.flow.0.output.bias", "posterior.flow.1.input.weight",
                                      "posterior.flow.1.output.weight", "posterior.flow.1.output.bias"}));
  // In double precision, the networks are built anew from the model's parameters.
  std::vector<Made> networks;
  for (int i = 0; i < 2; ++i) {
    const auto f64 = [&](int j) {
      return Variable(parameters[static_cast<std::size_t>(3 * i + j)].variable.value().to(DType::f64));
    };
    networks.emplace_back(f64(0), f64(1), f64(2), i == 1);
  }
  const Tensor context = random_normal({1, 7}, {.seed = 9}, 0, 1, DType::f64);
  class Flow final : public Posterior {
   public:
    Flow(const std::vector<Made>& networks, Tensor context) : networks_(networks), context_(context) {}
    std::string name() const override { return "flow"; }
    Variable mean(const Variable& x) const override { return x; }
    Variable log_density(const Variable&, const Variable&) const override { return {}; }
    Variable rsample(const Variable& params, const Draw& draw) const override {
      return rsample_with_log_density(params, draw).z;
    }
    DensitySample rsample_with_log_density(const Variable& params, const Draw& draw) const override {
      const DensitySample base = diagonal_gaussian()->rsample_with_log_density(params, draw);
      const FlowSample first = autoregressive_step(base.z, networks_[0](base.z, context_));
      const FlowSample second = autoregressive_step(first.z, networks_[1](first.z, context_));
      return {second.z, base.log_density - first.log_det - second.log_det};
    }

   private:
    const std::vector<Made>& networks_;
    Tensor context_;
  };
  const Flow flow(networks, context);
  const Tensor params = Tensor::from(Numbers{.2, -.4, .6, -.3, .5, -1}, {1, 6});
  const Numbers epsilon{0.3, -0.9, 1.2};
  Draw draw;
  draw.epsilon = Tensor::from(epsilon, {1, 3});
  EXPECT_NEAR(flow.rsample_with_log_density(params, draw).log_density.value().item(),
              log_density_by_differences(flow, params, epsilon), 1e-7);
  // The posterior of the model is this flow, with the same context for both layers.
  Numbers all = params.to_doubles();
  for (int layer = 0; layer < 2; ++layer) {
    const Numbers c = context.to_doubles();
    all.insert(all.end(), c.begin(), c.end());
  }
  Draw single;
  single.epsilon = draw.epsilon.to(DType::f32);
  const DensitySample got =
      model.posterior().rsample_with_log_density(Tensor::from(all, {1, 20}).to(DType::f32), single);
  const DensitySample expected = flow.rsample_with_log_density(params, draw);
  EXPECT_NEAR(got.log_density.value().item(), expected.log_density.value().item(), 1e-5);
  for (int d = 0; d < 3; ++d)
    EXPECT_NEAR(got.z.value().to_doubles()[d], expected.z.value().to_doubles()[d], 1e-5);
}

TEST(Posteriors, UnknownFamiliesAreErrors) {
  for (const char* name :
       {"", "planar", "planar:", "planar:0", "planar:1001", "planar:x", "planar:2:3", "iaf", "iaf:0",
        "iaf:2:", "iaf:2:0", "iaf:2:3:4", "full:2", "gaussian:1", "student"})
    EXPECT_THROW(static_cast<void>(named_posterior(name)), Error) << name;
  EXPECT_THROW(static_cast<void>(named_posterior("full", {.noise_std = 0.5})), Error);
  EXPECT_THROW(static_cast<void>(planar_posterior(0)), Error);
  EXPECT_THROW(static_cast<void>(autoregressive_posterior(1, 0)), Error);
}

Dataset ramp_images(std::int64_t count, Device device) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i)
    for (int p = 0; p < 16; ++p)
      bytes.push_back(static_cast<std::uint8_t>(40 + (i * 13 % 100) + (i % 2 ? p % 4 : p / 4) * 30));
  return {4, 4, Tensor::from(bytes, {count, 16}, device), {}};
}

// With all exemplars in a step, the prior of a training step is the mixture that leaves out the row's
// example.
TEST(PosteriorsDevice, ExemplarPriorLeavesOutTheRowsExample) {
  const Device device = Device::best();
  const Dataset set = ramp_images(6, device);
  VaeOptions options = model_with("gaussian");
  options.prior = exemplar_prior(set, {.per_step = 6});
  const Vae model(options, device);
  EXPECT_EQ(model.parameters().back().name, "prior.log_variance");
  const Tensor x = gather_batch(set, 6, {.step = 0, .steps_per_epoch = 1}, {.shuffle = false}).x;
  const Variable means = model.encode_mean(x);
  const Variable components =
      concat({means, Variable(Tensor::zeros({6, 3}, DType::f32, device))}, Axis::columns);
  const Tensor z = random_normal({2, 3}, {.seed = 8}, 0, 1, DType::f32, device);
  const std::int32_t rows[] = {4, 1};
  Draw draw;
  draw.noise.samples = Tensor::from(std::span<const std::int32_t>(rows), {2}, device);
  const auto close = [](const Tensor& a, const Tensor& b) {
    const Numbers left = a.to_doubles(), right = b.to_doubles();
    for (std::size_t i = 0; i < left.size(); ++i) EXPECT_NEAR(left[i], right[i], 1e-4) << i;
  };
  close(model.prior().training_log_density(z, draw).value(),
        mixture_log_density(z, components, PosteriorScale::log_variance, {}, draw.noise.samples).value());
  close(model.prior().log_density(z).value(),
        mixture_log_density(z, components, PosteriorScale::log_variance, {}).value());
  EXPECT_EQ(model.sample_prior(4, 1).z.shape(), Shape({4, 3}));
  EXPECT_THROW(static_cast<void>(exemplar_prior(set, {.per_step = 1})), Error);
  EXPECT_THROW(static_cast<void>(exemplar_prior(ramp_images(1, device))), Error);
}

// Exemplars enter the encoder like the examples whose codes the prior describes: with missing values filled
// and counts transformed, but for the columns of a condition.
TEST(Posteriors, ExemplarPriorEncodesExemplarsLikeExamples) {
  constexpr std::int64_t kRows = 4, kFeatures = 3, kConditions = 2;
  std::vector<float> exemplars, transformed;
  for (int row = 0; row < kRows; ++row)
    for (int c = 0; c < kFeatures + kConditions; ++c) {
      const float count = static_cast<float>(c < kFeatures ? row * 37 % 11 + 20 * c : row % 2);
      const bool missing = c < kFeatures && (row + c) % 3 == 0;
      exemplars.push_back(missing ? NAN : count);
      transformed.push_back(missing ? 0 : c < kFeatures ? std::log1p(count) : count);
    }
  const Dataset set{1, kFeatures, Tensor::from(exemplars, {kRows, kFeatures + kConditions}), {}};
  VaeOptions options;
  options.features = kFeatures;
  options.conditions = kConditions;
  options.encoder_widths = {6};
  options.likelihood = poisson_likelihood();
  options.missing_values = options.log1p_counts = true;
  options.prior = exemplar_prior(set, {.per_step = kRows});
  const Vae model(options, Device::cpu());
  const Variable x = Tensor::from(transformed, {kRows, kFeatures + kConditions});
  const Variable means = columns(model.posterior_head()(model.encoder()(x)), 0, options.latent);
  const Variable components = concat({means, Variable(Tensor::zeros(means.shape()))}, Axis::columns);
  const Tensor z = random_normal({5, options.latent}, {.seed = 8});
  const Numbers expected =
      mixture_log_density(z, components, PosteriorScale::log_variance, {}).value().to_doubles();
  const Numbers all = model.prior().log_density(z).value().to_doubles(),
                in_training = model.prior().training_log_density(z, {}).value().to_doubles();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double tolerance = 1e-5 * std::max(1.0, std::fabs(expected[i]));
    EXPECT_TRUE(std::fabs(all[i] - expected[i]) <= tolerance) << i << ": " << all[i];
    EXPECT_TRUE(std::fabs(in_training[i] - expected[i]) <= tolerance) << i << ": " << in_training[i];
  }
}

// A Bernoulli likelihood that counts the rows that enter the encoder.
class RowCountingLikelihood final : public Likelihood {
 public:
  std::string name() const override { return "counting"; }
  Variable encoder_input(const Variable& x) const override {
    rows += x.shape()[0];
    return x;
  }
  Variable log_density(const Variable& logits, const Variable& x) const override {
    return bernoulli_log_density(logits, x);
  }
  Variable mean(const Variable& logits) const override { return activate(logits, Activation::sigmoid); }

  mutable std::int64_t rows = 0;
};

// An evaluation encodes the exemplars once, and not once per batch or per piece of importance samples.
TEST(Posteriors, EvaluationsEncodeTheExemplarsOnce) {
  constexpr std::int64_t kExemplars = 40, kRows = 12;
  const Dataset exemplars = ramp_images(kExemplars, Device::cpu()), set = ramp_images(kRows, Device::cpu());
  const auto counting = std::make_shared<RowCountingLikelihood>();
  VaeOptions options = model_with("gaussian");
  options.likelihood = counting;
  options.log1p_counts = true;
  options.prior = exemplar_prior(exemplars, {.per_step = 20});
  const Vae model(options, Device::cpu());
  const auto rows_of = [&](const auto& evaluation) {
    counting->rows = 0;
    evaluation();
    return counting->rows;
  };
  const EvaluationOptions three{.rows = 3};
  EXPECT_EQ(rows_of([&] { static_cast<void>(evaluate_elbo(model, set, three)); }), kRows + kExemplars);
  EXPECT_EQ(rows_of([&] { static_cast<void>(importance_weighted_nll(model, set, 7, three)); }),
            kRows + kExemplars);
  EXPECT_EQ(rows_of([&] { static_cast<void>(score_rows(model, set, 7, three)); }), 2 * kRows + kExemplars);
  Optimizer optimizer(model.parameters(), {.learning_rate = 1e-2});
  TrainOptions training{.batch_size = 20};
  training.validation_batch = 3;
  Trainer trainer(model, optimizer, exemplars, set, training);
  EXPECT_EQ(rows_of([&] { static_cast<void>(trainer.evaluate(set)); }), kRows + kExemplars);

  // The prior for evaluation has the same bits, until the parameters change.
  const Tensor z = random_normal({5, 3}, {.seed = 8});
  const auto density = [&](const Vae& of) { return of.prior().log_density(z).value().to_vector(); };
  const Vae before = model.for_evaluation();
  EXPECT_EQ(density(before), density(model));
  const auto draws = [&](const Vae& of) { return of.prior().sample(3, 3, {}, Device::cpu()).to_vector(); };
  EXPECT_EQ(draws(before), draws(model));
  trainer.run_epoch();
  EXPECT_NE(density(before), density(model));
  EXPECT_EQ(density(model.for_evaluation()), density(model));
  EXPECT_EQ(before.parameters().size(), model.parameters().size());
}

TEST(PosteriorsDevice, ExemplarPriorTrains) {
  const Device device = Device::best();
  const Dataset set = ramp_images(128, device);
  VaeOptions options = model_with("gaussian");
  options.prior = exemplar_prior(set, {.per_step = 32});
  const Vae model(options, device);
  Optimizer optimizer(model.parameters(), {.learning_rate = 1e-2});
  Trainer trainer(model, optimizer, set, ramp_images(32, device), {.batch_size = 32});
  const Losses first = trainer.run_epoch().train;
  Losses last;
  for (int i = 0; i < 8; ++i) last = trainer.run_epoch().train;
  EXPECT_LT(last.loss, first.loss - 3);
  EXPECT_NE(model.parameters().back().variable.value().item(), 0);
}

// Every posterior trains on the device, also as a graph, and with gated layers.
TEST(PosteriorsDevice, TrainWithTheModel) {
  for (const char* name : {"gaussian", "planar:2", "iaf:2:8", "full"}) {
    const Device device = Device::best();
    VaeOptions options = model_with(name);
    options.gated = true;
    options.initializer.weight = WeightInit::he_normal;
    const Vae model(options, device);
    Optimizer optimizer(model.parameters(), {.learning_rate = 1e-2});
    Trainer trainer(model, optimizer, ramp_images(128, device), ramp_images(32, device), {.batch_size = 32});
    const Losses first = trainer.run_epoch().train;
    Losses last;
    for (int i = 0; i < 8; ++i) last = trainer.run_epoch().train;
    EXPECT_LT(last.loss, first.loss - 3) << name;
    EXPECT_GT(last.kl, 0.3) << name;
    const Dataset images = ramp_images(20, device);
    EXPECT_LE(importance_weighted_nll(model, images, 20, {}).nll, evaluate_elbo(model, images, {}).loss + 0.5)
        << name;
    EXPECT_EQ(encode_all(model, images, {}).shape(), Shape({20, 3}));
  }
}

TEST(Posteriors, FurtherRefusals) {
  const Vae model(model_with("planar:2"), Device::cpu());
  const Tensor x = Tensor::zeros({2, 16});
  EXPECT_THROW(static_cast<void>(model.posterior().log_density(model.encode(x), Tensor::zeros({2, 3}))),
               Error);
  EXPECT_THROW(static_cast<void>(model.negative_elbo(x, {}, {.free_bits = 0.1})), Error);
  VaeOptions vamp = model_with("full");
  vamp.prior = vamp_prior(2);
  EXPECT_THROW(Vae(vamp, Device::cpu()), Error);
}

// Each group of outputs has the Glorot bound of a separate layer.
TEST(Posteriors, HeadsAreInitialisedLikeSeparateLayers) {
  const Vae model(model_with("planar:4"), Device::cpu());
  const std::vector<float> weight = model.posterior_head().weight.value().to_vector();
  const std::int64_t sizes[] = {3, 3, 28};
  std::size_t at = 0;
  for (const std::int64_t size : sizes) {
    double largest = 0;
    for (std::int64_t i = 0; i < size * 16; ++i)
      largest = std::max(largest, std::fabs(static_cast<double>(weight[at++])));
    const double bound = std::sqrt(6.0 / static_cast<double>(16 + size));
    EXPECT_LE(largest, bound * (1 + 1e-6));
    EXPECT_GT(largest, 0.8 * bound);
  }
  EXPECT_EQ(at, weight.size());
}

}  // namespace
}  // namespace gpuvae
