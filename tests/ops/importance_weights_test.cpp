// Tests objectives with several draws where no values were computed independently: extreme weights, a weight
// in device memory, the random numbers of the draws, and refused arguments.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "gpuvae/error.h"
#include "gpuvae/ops.h"
#include "tests/devices.h"
#include "tests/ops/importance_model.h"
#include "tests/special_values.h"

namespace gpuvae {
namespace {

using test::arithmetic_places;
using test::ArithmeticPlace;
using test::bound;
using test::DrawnModel;
using test::expect_all_near;
using test::kInfinity;

using Numbers = std::vector<double>;

struct ExtremeResult {
  double bound, effective;
  Numbers gradient;
};
ExtremeResult bound_of(const Numbers& log_weights, const ArithmeticPlace& place) {
  const auto n = static_cast<std::int64_t>(log_weights.size());
  const Variable x = DrawnModel::leaf(log_weights, {n, 1}, place.dtype, place.device);
  ImportanceOptions o;
  o.samples = n;
  const ImportanceLoss loss = importance_weighted_loss(x, {}, o);
  loss.loss.backward();
  return {loss.bounds.item(), loss.effective_samples.item(), x.grad().to_doubles()};
}

TEST(ImportanceDevice, ExtremeLogWeights) {
  for (const ArithmeticPlace& place : arithmetic_places()) {
    const double relative = place.dtype == DType::f64 ? 1e-13 : 2e-7;
    const double log_sum = -998.5356312159;
    EXPECT_NEAR(bound_of({-1000, -1000.5, -999}, place).bound, log_sum - std::log(3),
                std::max(1e-9, 1000 * relative));
    EXPECT_NEAR(bound_of({-2000, -1}, place).bound, -1 - std::log(2), 2 * relative);
    const ExtremeResult one = bound_of({-kInfinity, -3, -kInfinity}, place);
    EXPECT_NEAR(one.bound, -3 - std::log(3), 8 * relative);
    EXPECT_EQ(one.effective, 1);
    EXPECT_EQ(one.gradient, (Numbers{-0.0, -1, -0.0}));
    const ExtremeResult none = bound_of({-kInfinity, -kInfinity}, place);
    EXPECT_EQ(none.bound, -kInfinity);
    EXPECT_EQ(none.gradient, (Numbers{0, 0}));
    EXPECT_TRUE(std::isnan(bound_of({1, NAN}, place).bound));
  }
}

// Draws that have weight 0 do not make the gradient of the others infinite or NaN.
TEST(ImportanceDevice, DrawsWithoutWeightAddNothing) {
  for (const Device device : test::devices())
    for (const EncoderGradient gradient :
         {EncoderGradient::total, EncoderGradient::path, EncoderGradient::doubly_reparameterized}) {
      const DrawnModel model(DType::f32, device);
      const PosteriorDraws draws = model.draws(gradient, true);
      const Tensor never =
          Tensor::from(Numbers{-kInfinity, 0, 0, 0, 0, 0, -kInfinity, 0}, {8, 1}).to(DType::f32).to(device);
      const Variable log_likelihood =
          bernoulli_log_density(matmul(draws.z, model.weight) + model.bias, model.x) + never;
      importance_weighted_loss(log_likelihood, draws.log_ratio, bound(4, 1, 0)).loss.backward();
      for (const Variable& leaf : {model.posterior_params, model.weight, model.bias})
        for (double slope : leaf.grad().to_doubles()) EXPECT_TRUE(std::isfinite(slope)) << name(gradient);
    }
}

// A KL weight of 0, as at the start of a warm-up, leaves the importance weights of DReG.
TEST(ImportanceDevice, DoublyReparameterizedWithoutKlWeight) {
  for (const Device device : test::devices()) {
    const auto gradient_at = [&](double kl_weight) {
      const DrawnModel model(DType::f32, device);
      model
          .loss(model.draws(EncoderGradient::doubly_reparameterized, true), bound(4, 1, 0, kl_weight), false,
                true)
          .loss.backward();
      return model.posterior_params.grad().to_doubles();
    };
    expect_all_near(gradient_at(0), gradient_at(1e-6), 1e-5, device.text());
  }
}

TEST(ImportanceDevice, WeightInDeviceMemory) {
  for (const Device device : test::devices()) {
    ImportanceOptions host = bound(4, 1, 0, 0.5), on_device = bound(4, 1, 0, 2);
    on_device.device_kl_weight = Tensor::full({1}, 0.25, DType::f32, device);
    const DrawnModel a(DType::f32, device), b(DType::f32, device);
    const Variable of_host = a.loss(a.draws(EncoderGradient::total, true), host, false, true).loss,
                   of_device = b.loss(b.draws(EncoderGradient::total, true), on_device, false, true).loss;
    of_host.backward();
    of_device.backward();
    EXPECT_EQ(of_host.value().item(), of_device.value().item());
    EXPECT_EQ(a.posterior_params.grad().to_vector(), b.posterior_params.grad().to_vector());
  }
}

// One draw is the draw of sample_posterior, and a draw does not depend on the number of draws.
TEST(ImportanceDevice, DrawsContinueTheNumbersOfARow) {
  for (const Device device : test::devices())
    for (const std::int64_t latent : {1, 3, 4, 50}) {
      const Tensor params = random_normal({7, 2 * latent}, {.seed = 3}, 0, 1, DType::f32, device);
      PosteriorDrawOptions o;
      o.posterior.noise = {.seed = 5, .first_sample = 2};
      o.draws = 1;
      const std::vector<float> one = sample_posterior_draws(params, o).z.value().to_vector();
      EXPECT_EQ(one, sample_posterior(params, o.posterior).value().to_vector());
      const auto draw_of = [&](std::int64_t draws, std::int64_t k) {
        o.draws = draws;
        const Tensor z = sample_posterior_draws(params, o).z.value();
        return columns(z.reshape({7, draws * latent}), k * latent, latent).value().to_vector();
      };
      EXPECT_EQ(draw_of(3, 0), one);
      EXPECT_EQ(draw_of(9, 2), draw_of(3, 2));
      EXPECT_NE(draw_of(3, 1), one);
    }
}

std::string refusal_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Importance, RefusesInvalidArguments) {
  const Variable params = Tensor::zeros({3, 4}), rows = Tensor::zeros({6, 1});
  const auto draw = [&](const PosteriorDrawOptions& o) {
    return refusal_of([&] { static_cast<void>(sample_posterior_draws(params, o)); });
  };
  const auto combine = [&](const Variable& ratio, const ImportanceOptions& o) {
    return refusal_of([&] { static_cast<void>(importance_weighted_loss(rows, ratio, o)); });
  };
  PosteriorDrawOptions o;
  o.draws = 0;
  EXPECT_EQ(draw(o), "[sample_posterior_draws] expected 1 or more draws, got 0");
  o.draws = 2;
  o.posterior.noise_std = 0;
  EXPECT_EQ(draw(o), "[sample_posterior_draws] expected a noise_std above 0, got 0");
  o.posterior.noise_std = 1;
  o.posterior.epsilon = Tensor::zeros({3, 2});
  EXPECT_EQ(draw(o), "[sample_posterior_draws] expected epsilon of [6, 2], got [3, 2]");
  EXPECT_EQ(combine(rows, bound(4, 1, 0)),
            "[importance_weighted_loss] expected log_likelihood of [rows * 4, 1], got [6, 1]");
  EXPECT_EQ(combine(Tensor::zeros({3, 1}), bound(3, 1, 0)),
            "[importance_weighted_loss] expected log_ratio of [6, 1], got [3, 1]");
  EXPECT_EQ(combine(rows, bound(0, 1, 0)),
            "[importance_weighted_loss] expected 1 or more samples and groups, got 0 and 1");
  EXPECT_EQ(combine(rows, bound(3, 1, NAN)),
            "[importance_weighted_loss] expected an elbo_share in [0, 1], got nan");
}

}  // namespace
}  // namespace gpuvae
