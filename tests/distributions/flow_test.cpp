// A custom posterior with parameters: an affine coupling flow (Dinh, Sohl-Dickstein and Bengio, 2017) on a
// diagonal Gaussian. Its density must integrate to 1 on a grid, agree with its draws, and have the right
// gradients.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numeric>

#include "gpuvae/evaluate.h"

namespace gpuvae {
namespace {

// ---- the user's code ----
// z = (a, b exp(tanh(s)) + t) for a draw (a, b) of the Gaussian, where s and t are linear functions of a.
class CouplingFlow : public Posterior {
 public:
  std::string name() const override { return "coupling flow"; }
  std::shared_ptr<Posterior> clone() const override { return std::make_shared<CouplingFlow>(*this); }
  void initialize(const ModelContext& c) override {
    const std::int64_t first = c.latent / 2, rest = c.latent - first;
    const Noise noise{.seed = c.initializer.seed, .purpose = RandomPurpose::initialization};
    weight = Variable(random_normal({2 * rest, first}, noise, 0, 0.1, DType::f32, c.device), true);
    bias = Variable(Tensor::zeros({2 * rest}, DType::f32, c.device), true);
  }
  void collect(std::vector<Parameter>& into) const override {
    into.push_back({"posterior.flow.weight", weight, false});
    into.push_back({"posterior.flow.bias", bias, true});
  }
  Variable mean(const Variable& posterior_params) const override {
    return forward(base_->mean(posterior_params)).z;
  }
  Variable rsample(const Variable& posterior_params, const Draw& draw) const override {
    return forward(base_->rsample(posterior_params, draw)).z;
  }
  DensitySample rsample_with_log_density(const Variable& posterior_params, const Draw& draw) const override {
    const DensitySample of_base = base_->rsample_with_log_density(posterior_params, draw);
    const DensitySample flow = forward(of_base.z);
    return {flow.z, of_base.log_density + flow.log_density};
  }
  Variable log_density(const Variable& posterior_params, const Variable& z) const override {
    const Parts at = parts(z);
    const Variable before = concat({at.a, (at.b - at.shift) * exp(-at.log_scale)}, Axis::columns);
    return base_->log_density(posterior_params, before) - sum(at.log_scale, Axis::columns);
  }

  Variable weight, bias;

 private:
  struct Parts {
    Variable a, b, log_scale, shift;
  };
  Parts parts(const Variable& z) const {
    const std::int64_t latent = z.shape()[1], first = latent / 2, rest = latent - first;
    const Variable a = columns(z, 0, first), h = linear(a, weight, bias);
    return {a, columns(z, first, rest), activate(columns(h, 0, rest), Activation::tanh),
            columns(h, rest, rest)};
  }
  // Returns the image of z and the change of the log density, which is -log |det dz'/dz|.
  DensitySample forward(const Variable& z) const {
    const Parts at = parts(z);
    return {concat({at.a, at.b * exp(at.log_scale) + at.shift}, Axis::columns),
            -sum(at.log_scale, Axis::columns)};
  }

  std::shared_ptr<const Posterior> base_ = diagonal_gaussian();
};
// ---- end of the user's code ----

// A flow without an inverse, whose density is known only at its own draws.
class OneWayFlow final : public CouplingFlow {
 public:
  std::shared_ptr<Posterior> clone() const override { return std::make_shared<OneWayFlow>(*this); }
  Variable log_density(const Variable&, const Variable&) const override {
    throw Error("posterior", "the density is known at draws only");
  }
};

// The parameters of a flow with two latent dimensions, in double precision.
struct Setting {
  std::vector<double> params{0.3, -0.5, -1, -0.4}, weight{0.9, -0.7}, bias{0.2, 0.4};
  CouplingFlow flow() const {
    CouplingFlow f;
    f.weight = Variable(Tensor::from(weight, {2, 1}), true);
    f.bias = Variable(Tensor::from(bias, {2}), true);
    return f;
  }
  Tensor rows(std::int64_t count) const { return repeat_rows(Tensor::from(params, {1, 4}), count); }
};

struct Moments {
  double total = 0;
  std::array<double, 2> mean{}, second{}, fourth{};
  void add(double weight, double a, double b) {
    total += weight;
    const std::array<double, 2> z{a, b};
    for (int d = 0; d < 2; ++d) {
      mean[d] += weight * z[d];
      second[d] += weight * z[d] * z[d];
      fourth[d] += weight * std::pow(z[d], 4);
    }
  }
};

TEST(Flow, DensityIntegratesToOneAndMatchesItsDraws) {
  const Setting setting;
  const CouplingFlow flow = setting.flow();
  constexpr int kSide = 281;
  constexpr double kStep = 0.1;
  std::vector<double> grid;
  for (int i = 0; i < kSide; ++i)
    for (int j = 0; j < kSide; ++j) grid.insert(grid.end(), {(i - 140) * kStep, (j - 140) * kStep});
  const NoGradGuard no_grad;
  const std::vector<double> density =
      flow.log_density(setting.rows(kSide * kSide), Tensor::from(grid, {kSide * kSide, 2}))
          .value()
          .to_doubles();
  Moments integral, drawn;
  for (std::size_t i = 0; i < density.size(); ++i)
    integral.add(std::exp(density[i]) * kStep * kStep, grid[2 * i], grid[2 * i + 1]);
  EXPECT_NEAR(integral.total, 1, 1e-6);
  constexpr int kDraws = 40000;
  const std::vector<double> z =
      flow.rsample(setting.rows(kDraws), {.noise = {.seed = 3}}).value().to_doubles();
  for (int i = 0; i < kDraws; ++i) drawn.add(1.0 / kDraws, z[2 * i], z[2 * i + 1]);
  for (int d = 0; d < 2; ++d) {  // within five standard errors of the estimates
    const double mean = integral.mean[d], second = integral.second[d];
    EXPECT_NEAR(drawn.mean[d], mean, 5 * std::sqrt((second - mean * mean) / kDraws)) << d;
    EXPECT_NEAR(drawn.second[d], second, 5 * std::sqrt((integral.fourth[d] - second * second) / kDraws)) << d;
  }
}

TEST(Flow, ReturnsTheLogDensityOfItsDraws) {
  const Setting setting;
  const CouplingFlow flow = setting.flow();
  const Variable params = setting.rows(100);
  const DensitySample sample = flow.rsample_with_log_density(params, {.noise = {.seed = 5}});
  const std::vector<double> expected = flow.log_density(params, sample.z).value().to_doubles(),
                            got = sample.log_density.value().to_doubles();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-10) << i;
}

TEST(Flow, KlGradientsMatchCentralDifferences) {
  const Tensor epsilon = Tensor::from(std::vector<double>{0.4, -1.1}, {1, 2});
  const auto kl = [&](const CouplingFlow& flow, const Variable& params) {
    return flow.rsample_with_kl(params, {.epsilon = epsilon}, *standard_normal_prior(), 0.7).kl;
  };
  const Setting at;
  const CouplingFlow flow = at.flow();
  const Variable params(Tensor::from(at.params, {1, 4}), true);
  kl(flow, params).backward();
  const auto check = [&](const char* what, const Variable& variable, std::vector<double> Setting::*numbers) {
    const std::vector<double> gradient = variable.grad().to_doubles();
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      constexpr double kStep = 1e-5;
      double difference = 0;
      for (const double sign : {1.0, -1.0}) {
        Setting moved = at;
        (moved.*numbers)[i] += sign * kStep;
        difference += sign * kl(moved.flow(), Tensor::from(moved.params, {1, 4})).value().item();
      }
      EXPECT_NEAR(gradient[i], difference / (2 * kStep), 1e-8) << what << " " << i;
    }
  };
  check("params", params, &Setting::params);
  check("weight", flow.weight, &Setting::weight);
  check("bias", flow.bias, &Setting::bias);
}

// Images of 4 x 4 pixels: ramps that differ in brightness and direction.
Dataset ramps(std::int64_t count, Device device) {
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i)
    for (int p = 0; p < 16; ++p)
      bytes.push_back(static_cast<std::uint8_t>(40 + (i * 13 % 100) + (i % 2 ? p % 4 : p / 4) * 30));
  return {4, 4, Tensor::from(bytes, {count, 16}, device), {}};
}

VaeOptions with_posterior(std::shared_ptr<const Posterior> posterior) {
  VaeOptions o;
  o.features = 16;
  o.encoder_widths = {16};
  o.latent = 3;
  o.likelihood = gaussian_likelihood();
  o.posterior = std::move(posterior);
  return o;
}

TEST(FrameworkFlow, TrainsWithTheModel) {
  const Device device = Device::best();
  const Vae model(with_posterior(std::make_shared<CouplingFlow>()), device);
  const std::vector<Parameter> parameters = model.parameters();
  const Variable weight = parameters[8].variable;
  EXPECT_EQ(parameters[8].name, "posterior.flow.weight");
  const std::vector<float> before = weight.value().to_vector();
  Optimizer optimizer(parameters, {.learning_rate = 5e-3});
  Trainer trainer(model, optimizer, ramps(256, device), ramps(64, device), {.batch_size = 32});
  const Losses first = trainer.run_epoch().train;
  Losses last;
  for (int i = 0; i < 25; ++i) last = trainer.run_epoch().train;
  EXPECT_LT(last.loss, first.loss - 5);
  EXPECT_GT(last.kl, 0.5);
  const std::vector<float> after = weight.value().to_vector();
  double moved = 0;
  for (std::size_t i = 0; i < before.size(); ++i)
    moved = std::max<double>(moved, std::fabs(after[i] - before[i]));
  EXPECT_GT(moved, 0.02);
  const Dataset images = ramps(20, device);
  EXPECT_LE(importance_weighted_nll(model, images, 50, {}).nll, evaluate_elbo(model, images, {}).loss + 0.5);
}

TEST(FrameworkFlow, EvaluationNeedsTheDensityOnlyAtDraws) {
  const Device device = Device::best();
  const Vae both_ways(with_posterior(std::make_shared<CouplingFlow>()), device),
      one_way(with_posterior(std::make_shared<OneWayFlow>()), device);
  const Dataset images = ramps(20, device);
  EXPECT_EQ(evaluate_elbo(one_way, images, {}).loss, evaluate_elbo(both_ways, images, {}).loss);
  EXPECT_EQ(importance_weighted_nll(one_way, images, 5, {}).nll,
            importance_weighted_nll(both_ways, images, 5, {}).nll);
  const LatentStatistics statistics = latent_statistics(one_way, images, {});
  EXPECT_TRUE(statistics.kl.empty());
  EXPECT_TRUE(std::isnan(statistics.mutual_information));
}

}  // namespace
}  // namespace gpuvae
