// Tests training with the objectives of gpuvae/objective.h. tests/ops/importance_test.cpp checks the
// estimators' values.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>

#include "gpuvae/train.h"
#include "gpuvae/types.h"
#include "tests/devices.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::byte_images;
using test::error_of;

constexpr ObjectiveKind kAllObjectives[] = {
    ObjectiveKind::elbo, ObjectiveKind::stl,   ObjectiveKind::iwae,  ObjectiveKind::iwae_stl,
    ObjectiveKind::dreg, ObjectiveKind::ciwae, ObjectiveKind::miwae, ObjectiveKind::piwae};

// An objective of four draws.
Objective four_draws(ObjectiveKind kind) {
  const bool grouped = kind == ObjectiveKind::miwae || kind == ObjectiveKind::piwae;
  return {.kind = kind, .samples = grouped ? 2 : 4, .groups = grouped ? 2 : 1};
}

struct ObjectiveRun {
  ObjectiveRun(const Objective& objective, const test::Place& place, TrainOptions options = {})
      : model(test::small_model(), place.device), adam(model.parameters(), {.learning_rate = 1e-2}) {
    options.batch_size = 10;
    options.executor = place.executor;
    options.objective = objective;
    // The emulated device is slow.
    const std::int64_t images = place.device.is_cpu() ? 64 : 20;
    trainer = std::make_unique<Trainer>(model, adam, byte_images(images, place.device),
                                        byte_images(images / 2, place.device), options);
  }
  Vae model;
  Adam adam;
  std::unique_ptr<Trainer> trainer;
};

TEST(ObjectiveDevice, IwaeOfOneDrawIsTheSampledElboBitForBit) {
  for (const test::Place& place : test::autograd_places()) {
    ObjectiveRun elbo({.kind = ObjectiveKind::elbo, .sampled_kl = true}, place);
    ObjectiveRun iwae({.kind = ObjectiveKind::iwae}, place);
    const EpochResult a = elbo.trainer->run_epoch(), b = iwae.trainer->run_epoch();
    EXPECT_EQ(a.train.reconstruction, b.train.reconstruction) << place.text();
    EXPECT_EQ(a.train.kl, b.train.kl) << place.text();
    EXPECT_EQ(test::weights_of(elbo.model), test::weights_of(iwae.model)) << place.text();
    // The loss is summed per batch, and the terms separately.
    EXPECT_NEAR(a.train.loss, b.train.loss, 1e-6 * b.train.loss) << place.text();
    EXPECT_NEAR(a.validation.loss, b.validation.loss, 1e-6 * b.validation.loss) << place.text();
  }
}

// The ELBO with sampled KL divergence uses the draw of the ELBO in closed form.
TEST(ObjectiveDevice, SampledElboHasTheReconstructionOfTheClosedForm) {
  for (const Device device : test::devices()) {
    const Vae model(test::small_model(), device);
    const Variable x = random_uniform({12, 16}, {.seed = 1}, 0, 1, DType::f32, device);
    Draw draw;
    draw.noise = {.seed = 4, .first_sample = 3};
    const double closed = model.negative_elbo(x, draw, {}).reconstruction.value().item();
    for (const bool sampled : {false, true}) {
      const Objective objective{.sampled_kl = sampled};
      const ObjectiveLoss loss = model.negative_objective(x, draw, objective);
      EXPECT_NEAR(loss.reconstruction.value().item(), closed, 1e-5 * closed);
    }
  }
}

TEST(ObjectiveDevice, EachTrainsOnEveryExecutor) {
  for (const ObjectiveKind kind : kAllObjectives) {
    std::vector<std::vector<float>> weights;
    for (const test::Place& place : test::autograd_places()) {
      TrainOptions options;
      options.warmup_epochs = 1.5;
      ObjectiveRun run(four_draws(kind), place, options);
      const std::vector<EpochResult> epochs = run.trainer->run_epochs(place.device.is_cpu() ? 4 : 2);
      const Losses& last = epochs.back().validation;
      EXPECT_LT(last.loss, epochs[0].validation.loss) << name(kind) << " on " << place.text();
      const double sum = last.reconstruction + last.kl;
      // The importance-weighted bounds are above the ELBO.
      const bool weighted = kind != ObjectiveKind::elbo && kind != ObjectiveKind::stl;
      EXPECT_TRUE(weighted ? last.loss < sum : std::fabs(last.loss - sum) <= 1e-9 * sum)
          << name(kind) << " on " << place.text() << ": " << last.loss << ", terms " << sum;
      if (!place.device.is_cpu()) weights.push_back(test::weights_of(run.model));
    }
    for (const std::vector<float>& of_executor : weights) EXPECT_EQ(of_executor, weights[0]) << name(kind);
  }
}

TEST(Objective, ARunContinuesWithinAnEpoch) {
  const Objective objective{.kind = ObjectiveKind::dreg, .samples = 3};
  const test::Place place{Device::cpu(), Executor::eager};
  ObjectiveRun whole(objective, place), divided(objective, place);
  const EpochResult expected = whole.trainer->run_epoch();
  divided.trainer->run_steps(3);
  const TrainingState state = divided.trainer->state();
  EXPECT_GT(state.objective, 0);
  const test::TemporaryFolder folder;
  save_checkpoint(folder.path() / "checkpoint.safetensors", divided.model.parameters(), divided.adam, state);
  ObjectiveRun again(objective, place);
  again.trainer->resume(
      restore_checkpoint(folder.path() / "checkpoint.safetensors", again.model.parameters(), again.adam));
  const EpochResult result = again.trainer->run_epoch();
  test::expect_same_losses(result.train, expected.train);
  test::expect_same_losses(result.validation, expected.validation);
  EXPECT_EQ(test::weights_of(again.model), test::weights_of(whole.model));
}

TEST(Objective, ValidationDoesNotDependOnItsBatches) {
  const Objective objective{.kind = ObjectiveKind::iwae, .samples = 5};
  const auto validated = [&](std::int64_t rows) {
    TrainOptions options;
    options.validation_batch = rows;
    ObjectiveRun run(objective, {Device::cpu(), Executor::eager}, options);
    return run.trainer->evaluate(byte_images(23, Device::cpu())).loss;
  };
  const double expected = validated(1000);
  for (const std::int64_t rows : {1, 12, 35}) EXPECT_NEAR(validated(rows), expected, 1e-5 * expected);
}

// ---- gradients of a model's parts ----

using Gradients = std::map<std::string, std::vector<float>>;

// The gradients of a new model for an objective; models of the same options have the same parameters.
Gradients gradients_of(const VaeOptions& options, const Objective& objective) {
  const Vae model(options, Device::cpu());
  const Variable x = random_uniform({8, 16}, {.seed = 1});
  Draw draw;
  draw.noise.seed = 4;
  model.negative_objective(x, draw, objective, {0.125, 1, {}}).loss.backward();
  Gradients gradients;
  for (const Parameter& p : model.parameters()) gradients[p.name] = p.variable.grad().to_vector();
  return gradients;
}

void expect_near_gradients(const Gradients& a, const Gradients& b, const std::string& beginning,
                           const std::string& what) {
  int compared = 0;
  for (const auto& [name, values] : a) {
    if (!name.starts_with(beginning)) continue;
    ++compared;
    const std::vector<float>& others = b.at(name);
    float largest = 0;
    for (float v : others) largest = std::max(largest, std::fabs(v));
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_TRUE(std::fabs(values[i] - others[i]) <= 1e-4f * largest) << what << ", " << name << " " << i;
  }
  EXPECT_GT(compared, 0) << what << ", " << beginning;
}

// The posterior of the models above with only what a custom class must define.
class CustomGaussian final : public Posterior {
 public:
  std::string name() const override { return "custom Gaussian"; }
  Variable mean(const Variable& p) const override { return base_->mean(p); }
  Variable rsample(const Variable& p, const Draw& draw) const override { return base_->rsample(p, draw); }
  Variable log_density(const Variable& p, const Variable& z) const override {
    return base_->log_density(p, z);
  }

 private:
  std::shared_ptr<const Posterior> base_ = diagonal_gaussian();
};

TEST(Objective, CustomPosteriorsHaveTheSameGradients) {
  VaeOptions built_in = test::small_model(), custom = built_in;
  custom.posterior = std::make_shared<CustomGaussian>();
  for (const ObjectiveKind kind : kAllObjectives) {
    Objective objective = four_draws(kind);
    objective.sampled_kl = kind == ObjectiveKind::elbo;
    expect_near_gradients(gradients_of(custom, objective), gradients_of(built_in, objective), "",
                          std::string(name(kind)));
  }
}

// The parameters of a learned prior have the gradient of the bound, also those that a VampPrior reaches
// through the encoder; only the path through z differs.
TEST(Objective, LearnedPriorsHaveTheGradientOfTheBound) {
  for (const auto& [prior, parameter] :
       {std::pair{gaussian_mixture_prior(5), "prior."}, {vamp_prior(5), "prior.pseudo_inputs"}}) {
    VaeOptions options = test::small_model();
    options.prior = prior;
    const Gradients iwae = gradients_of(options, four_draws(ObjectiveKind::iwae));
    const Gradients dreg = gradients_of(options, four_draws(ObjectiveKind::dreg));
    expect_near_gradients(dreg, iwae, parameter, prior->name());
    expect_near_gradients(dreg, iwae, "output.", prior->name());
    EXPECT_NE(dreg.at("posterior.weight"), iwae.at("posterior.weight")) << prior->name();
  }
}

TEST(Objective, PiwaeTakesTheEncodersGradientFromMiwaeAndTheDecodersFromIwae) {
  const VaeOptions options = test::small_model();
  const Gradients piwae = gradients_of(options, four_draws(ObjectiveKind::piwae));
  const Gradients miwae = gradients_of(options, four_draws(ObjectiveKind::miwae));
  const Gradients iwae = gradients_of(options, four_draws(ObjectiveKind::iwae));
  for (const char* part : {"encoder.", "posterior."}) expect_near_gradients(piwae, miwae, part, "piwae");
  for (const char* part : {"decoder.", "output."}) expect_near_gradients(piwae, iwae, part, "piwae");
}

// A likelihood that takes one row of data per row of parameters.
TEST(Objective, LikelihoodsWithoutRepeatedTargets) {
  VaeOptions options = test::small_model();
  options.likelihood = shared_gaussian_likelihood();
  const Vae model(options, Device::cpu());
  const Variable x = random_uniform({6, 16}, {.seed = 1});
  EXPECT_TRUE(
      std::isfinite(model.negative_objective(x, {}, four_draws(ObjectiveKind::iwae)).loss.value().item()));
  EXPECT_EQ(
      error_of([&] { static_cast<void>(model.negative_objective(x, {}, four_draws(ObjectiveKind::piwae))); }),
      "[negative_objective] expected a likelihood and a prior without learned parameters for the "
      "objective piwae, got Gaussian of shared sigma and standard normal");
}

// ---- refusals ----

std::string training_error(const Objective& objective, TrainOptions options = {}) {
  return error_of([&] { ObjectiveRun(objective, {Device::cpu(), Executor::eager}, options); });
}

TEST(Objective, UnsuitableSettingsAreRefused) {
  const Objective iwae{.kind = ObjectiveKind::iwae, .samples = 5};
  TrainOptions free_bits, pixel_mean;
  free_bits.free_bits = 0.1;
  pixel_mean.pixel_mean = true;
  EXPECT_EQ(training_error(iwae, free_bits),
            "[train] expected no free bits with the objective iwae, 5 draws, got 0.1");
  EXPECT_EQ(training_error(iwae, pixel_mean),
            "[train] expected no pixel_mean with the objective iwae, 5 draws");
  EXPECT_EQ(training_error({.samples = 0}), "[train] expected 1 or more samples and groups, got 0 and 1");
  EXPECT_EQ(training_error({.kind = ObjectiveKind::iwae, .groups = 2}),
            "[train] expected 1 group of draws for the objective iwae, got 2");
  EXPECT_EQ(training_error({.kind = ObjectiveKind::miwae, .samples = 2000, .groups = 1000}),
            "[train] expected at most 1000000 draws per example, got 1000 times 2000");
  EXPECT_EQ(training_error({.kind = ObjectiveKind::ciwae, .mix = 1.5}),
            "[train] expected a share of the ELBO (mix) in [0, 1], got 1.5");
  EXPECT_EQ(training_error({.kind = static_cast<ObjectiveKind>(8)}),
            "[train] expected a kind of objective below 8, got number 8");
}

TEST(Objective, DrawsThatDoNotFitIntoMemoryAreRefusedBeforeTraining) {
  VaeOptions options = test::small_model();
  options.features = 100'000;
  const Vae model(options, Device::cpu());
  Adam adam(model.parameters());
  TrainOptions training;
  training.batch_size = 4;
  training.objective = {.kind = ObjectiveKind::iwae, .samples = kMaxDraws};
  const std::string error = error_of([&] {
    Trainer(model, adam, {1, 100'000, Tensor::zeros({4, 100'000}), {}}, {}, training);
  });
  EXPECT_TRUE(
      error.starts_with("[train] expected draws that fit into the memory of cpu, got 4 examples of "
                        "1000000 draws, which need about 2980.6 GiB ("))
      << error;
}

TEST(ObjectiveDevice, TheFusedExecutorRefuses) {
  if (test::all_places().back().executor != Executor::fused) GTEST_SKIP() << "no GPU with a fused executor";
  const std::string error = error_of([] {
    ObjectiveRun({.kind = ObjectiveKind::iwae, .samples = 2}, {Device::cuda(), Executor::fused});
  });
  EXPECT_EQ(error,
            "[train] expected a model that the fused executor supports, but the objective is iwae, 2 draws");
}

}  // namespace
}  // namespace gpuvae
