// Several draws per example from flows and from the Gaussian with a full covariance matrix, and with an
// exemplar prior: values by hand, gradients by differences, and training.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "gpuvae/exemplar_prior.h"
#include "gpuvae/types.h"
#include "src/ops/draws.h"
#include "src/vae/named_distributions.h"
#include "tests/train/places.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

constexpr std::int64_t kLatentOfDraws = 3;

std::int64_t width_of(const Posterior& posterior) {
  const std::vector<std::int64_t> sizes = posterior.head_sizes(kLatentOfDraws);
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
}
Tensor params_of(const Posterior& posterior, std::int64_t rows) {
  const Noise noise{.seed = 4, .purpose = RandomPurpose::test};
  return random_normal({rows, width_of(posterior)}, noise, 0, 0.6, DType::f64);
}
Draw draw_for_samples(std::vector<std::int32_t> samples) {
  Draw draw;
  draw.noise.seed = 6;
  draw.noise.samples =
      Tensor::from(std::span<const std::int32_t>(samples), {static_cast<std::int64_t>(samples.size())});
  return draw;
}
void expect_close(const std::vector<double>& got, const std::vector<double>& expected, double tolerance,
                  const std::string& what) {
  ASSERT_EQ(got.size(), expected.size()) << what;
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(std::fabs(got[i] - expected[i]) <= tolerance * std::max(1.0, std::fabs(expected[i])))
        << what << ", element " << i << ": " << got[i] << ", expected " << expected[i];
}

// ---- values and gradients of the draws, in double precision ----

TEST(PosteriorDraws, AreSingleDrawsWithTheNoiseOfTheExample) {
  for (const char* name : {"planar:2", "full"}) {
    const auto posterior = named_posterior(name);
    const auto prior = standard_normal_prior();
    const Tensor params = params_of(*posterior, 2);
    const Draw draw = draw_for_samples({7, 3});
    const PosteriorDraws draws = posterior->rsample_draws(params, draw, *prior, {3, kLatentOfDraws, {}});
    const Tensor epsilon = ops::draw_epsilon(draw.noise, 2, kLatentOfDraws, 3, DType::f64, Device::cpu());
    for (std::int64_t i = 0; i < 6; ++i) {
      Draw single;
      single.epsilon = epsilon.slice(i, 1);
      const DensitySample q = posterior->rsample_with_log_density(params.slice(i / 3, 1), single);
      expect_close(draws.z.value().slice(i, 1).to_doubles(), q.z.value().to_doubles(), 1e-12, name);
      const double ratio = prior->log_density(q.z).value().item() - q.log_density.value().item();
      EXPECT_NEAR(draws.log_ratio.value().slice(i, 1).item(), ratio, 1e-10) << name;
    }
    // The first draw of an example is its only draw with one draw per example.
    const PosteriorDraws one = posterior->rsample_draws(params, draw, *prior, {1, kLatentOfDraws, {}});
    for (std::int64_t row = 0; row < 2; ++row)
      expect_close(one.z.value().slice(row, 1).to_doubles(), draws.z.value().slice(3 * row, 1).to_doubles(),
                   1e-12, name);
  }
}

// Compares a gradient with central differences.
void expect_differences(const std::vector<double>& gradient, const Tensor& at,
                        const std::function<double(const Tensor&)>& f, const std::string& what) {
  std::vector<double> expected;
  const std::vector<double> values = at.to_doubles();
  constexpr double kStep = 1e-5;
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::vector<double> up = values, down = values;
    up[i] += kStep;
    down[i] -= kStep;
    expected.push_back((f(Tensor::from(up, at.shape())) - f(Tensor::from(down, at.shape()))) / (2 * kStep));
  }
  expect_close(gradient, expected, 1e-7, what);
}

TEST(PosteriorDraws, GradientsOfBoundsMatchDifferences) {
  for (const char* name : {"planar:2", "full"}) {
    const auto posterior = named_posterior(name);
    Draw draw = draw_for_samples({7, 3});
    draw.epsilon = random_normal({8, kLatentOfDraws}, {.seed = 8}, 0, 1, DType::f64);
    for (const double elbo_share : {0.0, 0.4, 1.0}) {
      const auto loss = [&](const Variable& params) {
        const PosteriorDraws draws =
            posterior->rsample_draws(params, draw, *standard_normal_prior(), {4, kLatentOfDraws, {}});
        ImportanceOptions options;
        options.samples = 2;
        options.groups = 2;
        options.elbo_share = elbo_share;
        const Variable log_likelihood = -1.5 * sum(square(draws.z - 0.7), Axis::columns);
        return importance_weighted_loss(log_likelihood, draws.log_ratio, options).loss;
      };
      const Variable params(params_of(*posterior, 2), true);
      loss(params).backward();
      expect_differences(
          params.grad().to_doubles(), params.value(), [&](const Tensor& p) { return loss(p).value().item(); },
          name);
    }
  }
}

// Returns log N(z; mean, L L^T) of one row, by forward substitution.
double log_density_of_full(const std::vector<double>& params, const std::vector<double>& z) {
  double result = 0;
  std::vector<double> u;
  std::size_t at = 2 * z.size();
  for (std::size_t i = 0; i < z.size(); ++i) {
    double rest = z[i] - params[i];
    for (std::size_t j = 0; j < i; ++j) rest -= params[at++] * u[j];
    u.push_back(rest * std::exp(-params[z.size() + i]));
    result -= 0.5 * u[i] * u[i] + params[z.size() + i] + 0.5 * std::log(2 * M_PI);
  }
  return result;
}

TEST(PosteriorDraws, FullCovarianceStopsTheParametersOfItsDensity) {
  const auto posterior = full_covariance_posterior();
  const auto prior = standard_normal_prior();
  Draw draw;
  draw.epsilon = random_normal({1, kLatentOfDraws}, {.seed = 8}, 0, 1, DType::f64);
  const Variable params(params_of(*posterior, 1), true);
  const PosteriorDraws drawn =
      posterior->rsample_draws(params, draw, *prior, {1, kLatentOfDraws, EncoderGradient::path});
  const std::vector<double> fixed = params.value().to_doubles();
  const auto log_ratio = [&](const Tensor& z) {
    return prior->log_density(z).value().item() - log_density_of_full(fixed, z.to_doubles());
  };
  EXPECT_NEAR(drawn.log_ratio.value().item(), log_ratio(drawn.z.value()), 1e-6);
  sum(drawn.log_ratio).backward();
  expect_differences(
      params.grad().to_doubles(), params.value(),
      [&](const Tensor& p) { return log_ratio(posterior->rsample(p, draw).value()); }, "path derivative");
}

// Without elements below the diagonal, the posterior is the diagonal Gaussian.
TEST(PosteriorDraws, FullCovarianceHasTheEstimatorsOfTheDiagonalGaussian) {
  const auto full = full_covariance_posterior(), diagonal = diagonal_gaussian({PosteriorScale::log_sigma, 1});
  const Tensor of_diagonal = params_of(*diagonal, 2);
  for (const EncoderGradient gradient :
       {EncoderGradient::total, EncoderGradient::path, EncoderGradient::doubly_reparameterized}) {
    const auto gradient_of = [&](const Posterior& posterior, const Tensor& values) {
      const Variable params(values, true);
      const PosteriorDraws draws = posterior.rsample_draws(
          params, draw_for_samples({5, 9}), *standard_normal_prior(), {4, kLatentOfDraws, gradient});
      ImportanceOptions options;
      options.samples = 4;
      options.elbo_share = 0;
      const Variable log_likelihood = -1.5 * sum(square(draws.z - 0.7), Axis::columns);
      importance_weighted_loss(log_likelihood, draws.log_ratio, options).loss.backward();
      return columns(params.grad(), 0, 2 * kLatentOfDraws).value().to_doubles();
    };
    const Tensor below = Tensor::zeros({2, width_of(*full) - 2 * kLatentOfDraws}, DType::f64);
    expect_close(gradient_of(*full, concat({of_diagonal, below}, Axis::columns).value()),
                 gradient_of(*diagonal, of_diagonal), 1e-9, std::string(name(gradient)));
  }
}

// ---- objectives of models ----

VaeOptions draws_model(const std::string& posterior) {
  VaeOptions o = test::small_model();
  o.latent = kLatentOfDraws;
  o.posterior = named_posterior(posterior);
  return o;
}
constexpr const char* kPosteriors[] = {"planar:2", "iaf:2:8", "full"};

double log_mean_exp_of(double a, double b) { return std::log(0.5 * (std::exp(a) + std::exp(b))); }

// The bounds of one example with four draws follow from the sampled ELBO of each draw alone.
TEST(PosteriorDraws, ObjectivesAreThoseOfTheirSingleDraws) {
  for (const char* name : kPosteriors) {
    const Vae model(draws_model(name), Device::cpu());
    const Variable x = random_uniform({1, 16}, {.seed = 1}, 0, 1);
    const Draw draw = draw_for_samples({11});
    const auto value = [&](const Objective& objective, const Draw& noise) {
      return -model.negative_objective(x, noise, objective).loss.value().item();
    };
    const Tensor epsilon = ops::draw_epsilon(draw.noise, 1, kLatentOfDraws, 4, DType::f32, Device::cpu());
    std::vector<double> w;
    for (std::int64_t k = 0; k < 4; ++k) {
      Draw single;
      single.epsilon = epsilon.slice(k, 1);
      w.push_back(value({.sampled_kl = true}, single));
    }
    const double elbo = 0.25 * (w[0] + w[1] + w[2] + w[3]);
    const double first = log_mean_exp_of(w[0], w[1]), second = log_mean_exp_of(w[2], w[3]);
    const double iwae = log_mean_exp_of(first, second);
    const auto near = [&](const Objective& objective, double expected) {
      EXPECT_NEAR(value(objective, draw), expected, 2e-5 * std::fabs(expected))
          << name << ", " << objective_text(objective);
    };
    near({.samples = 4, .sampled_kl = true}, elbo);
    near({.samples = 4}, elbo);
    near({.kind = ObjectiveKind::iwae, .samples = 4}, iwae);
    near({.kind = ObjectiveKind::ciwae, .samples = 4, .mix = 0.25}, 0.25 * elbo + 0.75 * iwae);
    near({.kind = ObjectiveKind::miwae, .samples = 2, .groups = 2}, 0.5 * (first + second));
    near({.kind = ObjectiveKind::piwae, .samples = 2, .groups = 2}, iwae);
  }
}

struct DrawsRun {
  DrawsRun(const VaeOptions& options, const Objective& objective, const test::Place& place,
           double clip_norm = 0, OnNan on_nan = OnNan::stop)
      : model(options, place.device),
        optimizer(model.parameters(), {.learning_rate = 1e-2, .clip_norm = clip_norm}),
        trainer(model, optimizer, test::byte_images(20, place.device), test::byte_images(10, place.device),
                [&] {
                  TrainOptions o;
                  o.batch_size = 10;
                  o.executor = place.executor;
                  o.objective = objective;
                  o.on_nan = on_nan;
                  return o;
                }()) {}
  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

Objective objective_of_four(ObjectiveKind kind) {
  const bool grouped = kind == ObjectiveKind::miwae || kind == ObjectiveKind::piwae;
  return {.kind = kind, .samples = grouped ? 2 : 4, .groups = grouped ? 2 : 1};
}
// All objectives that a posterior supports.
std::vector<Objective> objectives_for(const std::string& posterior) {
  const bool is_gaussian = posterior == "gaussian" || posterior == "full";
  std::vector<Objective> all;
  for (int kind = 0; kind <= static_cast<int>(ObjectiveKind::piwae); ++kind) {
    const Objective o = objective_of_four(static_cast<ObjectiveKind>(kind));
    const bool stops =
        o.kind == ObjectiveKind::stl || o.kind == ObjectiveKind::iwae_stl || o.kind == ObjectiveKind::dreg;
    if (is_gaussian || !stops) all.push_back(o);
  }
  return all;
}

TEST(PosteriorDrawsDevice, EveryPosteriorTrainsWithEveryObjective) {
  for (const char* name : kPosteriors)
    for (const Objective& objective : objectives_for(name)) {
      std::vector<std::vector<float>> weights;
      for (const test::Place& place : test::autograd_places()) {
        DrawsRun run(draws_model(name), objective, place);
        const std::vector<EpochResult> epochs = run.trainer.run_epochs(3);
        EXPECT_LT(epochs.back().validation.loss, epochs[0].validation.loss)
            << name << ", " << objective_text(objective) << " on " << place.text();
        if (!place.device.is_cpu()) weights.push_back(test::weights_of(run.model));
      }
      for (const std::vector<float>& of_executor : weights) EXPECT_EQ(of_executor, weights[0]) << name;
    }
}

TEST(PosteriorDraws, FlowsRefuseEstimatorsThatStopTheirParameters) {
  for (const ObjectiveKind kind : {ObjectiveKind::stl, ObjectiveKind::iwae_stl, ObjectiveKind::dreg}) try {
      DrawsRun(draws_model("planar:2"), {.kind = kind}, {Device::cpu(), Executor::eager});
      ADD_FAILURE() << name(kind);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "[objective] expected the posterior gaussian or full for " +
                                               std::string(name(kind)) + ", got planar flow of 2 layers");
    }
}

// ---- clipping and skipping ----

TEST(PosteriorDrawsDevice, EveryObjectiveClipsAndSkips) {
  const VaeOptions options = draws_model("gaussian");
  for (const Objective& objective : objectives_for("gaussian"))
    for (const test::Place& place : test::autograd_places()) {
      const std::string what = objective_text(objective) + " on " + place.text();
      const auto trained = [&](double clip_norm, OnNan on_nan) {
        DrawsRun run(options, objective, place, clip_norm, on_nan);
        EXPECT_EQ(run.trainer.run_epoch().skipped, 0u) << what;
        return test::weights_of(run.model);
      };
      // A guard and a limit that no gradient reaches change nothing.
      const std::vector<float> plain = trained(0, OnNan::stop);
      EXPECT_EQ(trained(1e9, OnNan::stop), plain) << what;
      EXPECT_EQ(trained(0, OnNan::skip), plain) << what;
      EXPECT_NE(trained(1e-9, OnNan::stop), plain) << what;
    }
}

// ---- the exemplar prior ----

TEST(PosteriorDrawsDevice, ExemplarPriorLeavesTheExampleOutForEachDraw) {
  const Device device = Device::best();
  VaeOptions options = draws_model("gaussian");
  options.prior = exemplar_prior(test::byte_images(6, device), {.per_step = 6});
  const Vae model(options, device);
  const Tensor z = random_normal({6, kLatentOfDraws}, {.seed = 8}, 0, 1, DType::f32, device);
  const auto density = [&](const Tensor& rows, std::vector<std::int32_t> samples) {
    Draw draw;
    draw.noise.samples = Tensor::from(std::span<const std::int32_t>(samples),
                                      {static_cast<std::int64_t>(samples.size())}, device);
    return model.prior().training_log_density(rows, draw).value().to_doubles();
  };
  const std::vector<double> expected = density(z, {4, 4, 4, 1, 1, 1});
  EXPECT_EQ(density(z, {4, 1}), expected);
  EXPECT_NE(density(z, {1, 4}), expected);
  EXPECT_THROW(static_cast<void>(density(z, {0, 1, 2, 3})), Error);
}

TEST(PosteriorDrawsDevice, ExemplarPriorTrainsWithSeveralDraws) {
  for (const test::Place& place : test::autograd_places())
    for (const char* name : {"gaussian", "full", "planar:2"}) {
      VaeOptions options = draws_model(name);
      options.prior = exemplar_prior(test::byte_images(20, place.device), {.per_step = 8});
      DrawsRun run(options, {.kind = ObjectiveKind::iwae, .samples = 3}, place);
      const std::vector<EpochResult> epochs = run.trainer.run_epochs(3);
      EXPECT_LT(epochs.back().validation.loss, epochs[0].validation.loss) << name << " on " << place.text();
    }
}

}  // namespace
}  // namespace gpuvae
