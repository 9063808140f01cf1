// Tests requests that a trainer, an optimiser or an operation must refuse or must handle correctly. Most of
// them are at the edge of what is allowed.
#include <gtest/gtest.h>

#include <climits>
#include <cmath>

#include "gpuvae/custom.h"
#include "gpuvae/evaluate.h"
#include "gpuvae/train.h"
#include "tests/temporary_folder.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::byte_images;
using test::error_of;
using test::TemporaryFolder;

Dataset rows(std::int64_t count, int features = 16) { return byte_images(count, Device::cpu(), 1, features); }

struct RefusedRun {
  explicit RefusedRun(const TrainOptions& options = {.batch_size = 10}, int validation_features = 16)
      : trainer(model, adam, rows(40), rows(10, validation_features), options) {}
  Vae model{{.features = 16, .encoder_widths = {8}}, Device::cpu()};
  Adam adam{model.parameters(), {.learning_rate = 1e-3}};
  Trainer trainer;
};

TEST(TrainerRefusals, NegativeEpochs) {
  RefusedRun run;
  EXPECT_EQ(error_of([&] { run.trainer.resume_after(-1); }),
            "[resume_after] expected 0 or more epochs, got -1");
  EXPECT_EQ(run.trainer.steps_done(), 0u);
}

TEST(TrainerRefusals, UnusableDataAndInvalidBeta) {
  EXPECT_EQ(error_of([] { RefusedRun({.batch_size = 10}, 15); }),
            "[train] expected validation examples of 16 features, got 15");
  EXPECT_EQ(error_of([] {
              RefusedRun run;
              Trainer(run.model, run.adam, Dataset{}, Dataset{}, {});
            }),
            "[train] expected training examples, got none");
  EXPECT_EQ(error_of([] { RefusedRun({.batch_size = 10, .beta = NAN}); }),
            "[train] expected a finite beta, got nan");
}

// With an optimiser of the encoder alone, the other gradients must not accumulate from step to step.
TEST(TrainerSteps, GradientsOfOtherParametersDoNotAccumulate) {
  Vae model({.features = 16, .encoder_widths = {8}}, Device::cpu());
  std::vector<Parameter> encoder, others;
  for (const Parameter& p : model.parameters())
    (p.name.starts_with("encoder") ? encoder : others).push_back(p);
  ASSERT_FALSE(encoder.empty() || others.empty());
  SGD still(encoder, {.learning_rate = 1e-30});
  Trainer trainer(model, still, rows(40), {}, {.batch_size = 40, .frozen_noise = true});
  trainer.run_steps(1);
  const std::vector<float> first = others[0].variable.grad().to_vector();
  trainer.run_steps(2);
  const std::vector<float> third = others[0].variable.grad().to_vector();
  for (std::size_t i = 0; i < first.size(); ++i)
    EXPECT_NEAR(third[i], first[i], 1e-4 * std::fabs(first[i]) + 1e-6);
}

TEST(TrainerSteps, AnyNumberOfStepsCanBeRequested) {
  RefusedRun run;
  run.trainer.on_steps(
      1, [](const StepReport& r) { return r.step >= 6 ? TrainControl::stop : TrainControl::proceed; });
  EXPECT_EQ(run.trainer.run_steps(3).steps, 3u);
  const StepsResult rest = run.trainer.run_steps(UINT64_MAX);
  EXPECT_EQ(rest.steps, 3u);
  EXPECT_TRUE(rest.stopped);
}

TEST(TrainerSteps, ReportsTheLearningRateThatWasUsed) {
  RefusedRun run;
  run.trainer.on_steps(2, [&](const StepReport&) {
    run.adam.set_learning_rate(run.adam.learning_rate() / 10);
    return TrainControl::proceed;
  });
  std::vector<double> reported;
  run.trainer.on_steps(1, [&](const StepReport& r) {
    reported.push_back(r.learning_rate);
    return TrainControl::proceed;
  });
  run.trainer.run_steps(4);
  ASSERT_EQ(reported.size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(reported[i], i < 2 ? 1e-3 : 1e-4, 1e-12) << i;
}

TEST(TrainerSteps, CallTheScheduleOnlyForStepsThatRun) {
  int calls = 0;
  TrainOptions options{.batch_size = 10};
  options.schedule = [&](std::uint64_t step) {
    ++calls;
    return step < 3 ? 1.0 : NAN;
  };
  RefusedRun run(options);
  run.trainer.run_steps(2);
  EXPECT_EQ(run.trainer.steps_done(), 2u);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(error_of([&] { run.trainer.run_steps(2); }),
            "[train] expected a finite factor of 0 or more from the schedule at step 3, got nan");
}

TEST(Checkpoint, RefusesNegativeEpochsAndStoresTheLargestCount) {
  const TemporaryFolder folder;
  RefusedRun run;
  EXPECT_EQ(error_of([&] { save_checkpoint(folder / "c", run.model.parameters(), run.adam, -1); }),
            "[save_checkpoint] expected 0 or more epochs, got -1");
  EXPECT_FALSE(std::filesystem::exists(folder / "c"));
  save_checkpoint(folder / "c", run.model.parameters(), run.adam, INT_MAX);
  EXPECT_EQ(load_checkpoint(folder / "c", run.model.parameters(), run.adam), INT_MAX);
}

TEST(LatentStatistics, RequireAtLeastOneExample) {
  const RefusedRun run;
  EXPECT_EQ(error_of([&] { static_cast<void>(latent_statistics(run.model, rows(5), {}, 0)); }),
            "[latent_statistics] expected at least one example, got a limit of 0");
}

TEST(OptimizerGradients, ComputedBeforeItsConstructionAreUsed) {
  const Variable w(Tensor::from(std::vector<float>{1, 2}, {2}), true);
  sum(w * w).backward();
  const Parameter parameter{"w", w, false};
  SGD sgd({&parameter, 1}, {.learning_rate = 0.1});
  EXPECT_EQ(w.grad().to_vector(), (std::vector<float>{2, 4}));
  sgd.step();
  EXPECT_FLOAT_EQ(w.value().to_vector()[0], 0.8f);
  EXPECT_FLOAT_EQ(w.value().to_vector()[1], 1.6f);
}

TEST(OptimizerGradients, CannotBeGivenOtherStorage) {
  const Variable w(Tensor::from(std::vector<float>{1, 2}, {2}), true);
  const Parameter parameter{"w", w, false};
  {
    const SGD sgd({&parameter, 1}, {});
    EXPECT_EQ(
        error_of([&] { w.set_grad_storage(Tensor::zeros({2})); }),
        "[set_grad_storage] expected a leaf that no optimiser updates, got f32[2] on cpu, whose gradient "
        "storage belongs to an optimiser");
  }
  w.set_grad_storage(Tensor::zeros({2}));
}

// A backward pass that failed must not affect a later one.
TEST(BackwardAfterAnError, ComputesTheGradientAnew) {
  const Variable a(Tensor::from(std::vector<float>{2}, {1}), true);
  bool fail = true;
  const auto backward = [&](const Tensor& d, const CustomContext&) {
    if (fail) throw std::runtime_error("not now");
    return std::vector<Tensor>{d.clone()};
  };
  const Variable middle = custom("middle", {a}, a.value().clone(), backward);
  const Variable total = sum(middle + 2.0 * a);
  EXPECT_THROW(total.backward(true), std::runtime_error);
  fail = false;
  a.zero_grad();
  total.backward(true);
  EXPECT_EQ(a.grad().to_vector(), (std::vector<float>{3}));
}

// `gradient` is a saved constant of the first operation. A gradient that is added to it changes it in place,
// which must be detected.
TEST(BackwardAfterAnError, InPlaceChangesOfGradientsAreDetected) {
  const Variable w(Tensor::from(std::vector<float>{3}, {1, 1}), true);
  sum(w * w).backward();
  const Tensor gradient = w.grad();
  const Variable x(Tensor::from(std::vector<float>{1}, {1, 1}));
  const Variable first = sum(w * gradient * gradient), second = sum(linear(x, w, {}));
  const Variable total = first + second;
  EXPECT_THROW(total.backward(), Error);
}

TEST(MixturePrior, DoesNotDependOnTheCommonValueOfItsLogits) {
  VaeOptions options{.features = 12, .encoder_widths = {8}};
  options.prior = gaussian_mixture_prior(2);
  const Vae model(options, Device::cpu());
  const Tensor z = Tensor::from(std::vector<float>{0.3f, 0.1f}, {1, 2});
  const double expected = model.prior().log_density(z).value().item();
  for (const double logit : {-110.0, -80.0, 80.0, 100.0}) {
    for (const Parameter& p : model.parameters())
      if (p.name == "prior.logits") p.variable.value().fill(logit);
    EXPECT_NEAR(model.prior().log_density(z).value().item(), expected, 1e-5) << logit;
  }
}

TEST(BinaryOperations, BroadcastToMatricesWithoutRows) {
  const Variable none(Tensor::zeros({0, 3}), true);
  const Variable row(Tensor::from(std::vector<float>{1, 2, 3}, {3}), true);
  for (const Variable& total : {none + row, row + none, none * row, row / none}) {
    EXPECT_EQ(total.shape(), (Shape{0, 3}));
    sum(total).backward();
  }
  EXPECT_EQ(row.grad().to_vector(), (std::vector<float>(3, 0.0f)));
  EXPECT_EQ((none * Variable(Tensor::zeros({1}))).shape(), (Shape{0, 3}));
  EXPECT_EQ(error_of([&] { static_cast<void>(row + Variable(Tensor::zeros({2}))); }),
            "[add] expected shapes of which one broadcasts to the other (as a row, a column or one element), "
            "got [3] "
            "and [2]");
}

TEST(LaplaceUnfused, HasFiniteGradientsAtAnExactFit) {
  const LaplaceOptions wide{.sigmoid_location = false, .low = -2000, .high = 5};
  const Tensor target = Tensor::from(std::vector<float>{0.9f}, {1, 1});
  for (const float log_scale : {-87.0f, -90.0f, -1000.0f}) {
    const Variable params(Tensor::from(std::vector<float>{0.9f, log_scale}, {1, 2}), true);
    sum(laplace_log_density(params, target, wide)).backward();
    EXPECT_EQ(params.grad().to_vector(), (std::vector<float>{0, -1})) << log_scale;
  }
}

TEST(TensorView, OfTwoToThe64BytesOrMoreIsAnError) {
  float memory[1] = {};
  EXPECT_EQ(
      error_of([&] { static_cast<void>(Tensor::view(memory, {INT64_MAX}, DType::f32, Device::cpu())); }),
      "[view] expected fewer than 2^64 bytes, got [9223372036854775807] of f32");
}

}  // namespace
}  // namespace gpuvae
