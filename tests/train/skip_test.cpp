// Tests OnNan::skip: a step whose loss or gradient is not finite changes nothing but the count of skipped
// steps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gpuvae/ops.h"
#include "kernels/backend.h"
#include "tests/special_values.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::kNan;
using test::Place;
using test::TemporaryFolder;
using test::weights_of;

constexpr std::int64_t kFeatures = 16;

// Examples in f32, of which those from `first` to `last - 1` have a NaN.
Dataset examples(std::int64_t count, Device device, std::int64_t first = 0, std::int64_t last = 0) {
  std::vector<float> values = test::example_values(count, kFeatures);
  for (std::int64_t i = first; i < last; ++i) values[static_cast<std::size_t>(i * kFeatures + 3)] = kNan;
  return {4, 4, Tensor::from(values, {count, kFeatures}, device), {}};
}

// A likelihood with a finite density and a gradient of NaN wherever a feature is 0: sqrt(t^2) has the
// derivative t / sqrt(t^2).
class NanGradientLikelihood final : public Likelihood {
 public:
  std::string name() const override { return "with NaN gradients"; }
  Variable log_density(const Variable& params, const Variable& x) const override {
    const Variable t = multiply(params, x);
    return base_->log_density(params, x) - sum(sqrt(square(t)), Axis::columns);
  }
  Variable mean(const Variable& params) const override { return base_->mean(params); }

 private:
  std::shared_ptr<const Likelihood> base_ = bernoulli_likelihood();
};

// Batches of 8 examples in their order.
struct SkippingRun {
  SkippingRun(const Place& place, Dataset data, OptimizerKind kind = OptimizerKind::adam,
              OnNan on_nan = OnNan::skip,
              std::shared_ptr<const Likelihood> likelihood = bernoulli_likelihood())
      : model({.features = kFeatures, .encoder_widths = {8}, .likelihood = std::move(likelihood)},
              place.device),
        optimizer(model.parameters(), OptimizerOptions::defaults(kind)),
        trainer(model, optimizer, std::move(data), examples(9, place.device), [&] {
          TrainOptions o{.batch_size = 8};
          o.data.shuffle = false;
          o.executor = place.executor;
          o.schedule = CosineSchedule{.total_steps = 20, .warmup_steps = 3};
          o.on_nan = on_nan;
          return o;
        }()) {}
  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

void expect_same_state(const SkippingRun& a, const SkippingRun& b) {
  EXPECT_EQ(weights_of(a.model), weights_of(b.model));
  EXPECT_EQ(a.optimizer.state1().to_vector(), b.optimizer.state1().to_vector());
  if (a.optimizer.state2()) {
    EXPECT_EQ(a.optimizer.state2().to_vector(), b.optimizer.state2().to_vector());
  }
  EXPECT_EQ(a.optimizer.steps(), b.optimizer.steps());
}

// The last batch of every epoch has a NaN. The expected run trains on a data set without these examples.
TEST(TrainerSkip, EqualsARunWithoutTheBatch) {
  for (const Place& place : test::autograd_places())
    for (const std::int64_t bad : {3, 8})
      for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::sgd, OptimizerKind::rmsprop_tf1}) {
        SCOPED_TRACE(place.text() + ", " + std::string(name(kind)));
        SkippingRun with(place, examples(40 + bad, place.device, 40, 40 + bad), kind);
        SkippingRun without(place, examples(40, place.device), kind);
        for (int epoch = 1; epoch <= 3; ++epoch) {
          const EpochResult a = with.trainer.run_epoch(), b = without.trainer.run_epoch();
          EXPECT_EQ(a.skipped, 1u);
          EXPECT_EQ(b.skipped, 0u);
          EXPECT_EQ(a.train.loss, b.train.loss);
          EXPECT_GT(a.train.loss, 1);
        }
        EXPECT_EQ(with.trainer.skipped_steps(), 3u);
        EXPECT_EQ(with.trainer.steps_done(), 18u);
        EXPECT_EQ(with.optimizer.steps(), 15u);
        expect_same_state(with, without);
      }
}

// The expected weights come from a loop without a trainer, which makes no update for the second batch.
TEST(TrainerSkip, EqualsALoopThatLeavesOutTheUpdate) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    const Dataset data = examples(24, place.device, 9, 10);
    SkippingRun run(place, data);
    run.trainer.run_epochs(2);
    SkippingRun expected(place, data);
    const CosineSchedule schedule{.total_steps = 20, .warmup_steps = 3};
    for (std::uint64_t step = 0, updates = 0; step < 6; ++step) {
      const Clock clock{.step = step, .steps_per_epoch = 3};
      const Batch batch = gather_batch(data.examples, 8, clock, {.shuffle = false});
      const Draw draw{.noise = {.clock = clock, .samples = batch.samples}};
      const Elbo elbo =
          expected.model.negative_elbo(batch.x, draw, {.reconstruction = 1.0 / 8, .kl = 1.0 / 8});
      expected.optimizer.zero_grad();
      add(elbo.reconstruction, elbo.regularizer).backward();
      if (step % 3 == 1) continue;
      expected.optimizer.set_learning_rate(1e-3 * schedule(updates++));
      expected.optimizer.step();
    }
    EXPECT_EQ(weights_of(run.model), weights_of(expected.model));
    EXPECT_EQ(run.optimizer.steps(), 4u);
  }
}

TEST(TrainerSkip, NoticesAGradientThatIsNotFinite) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    std::vector<float> values = test::example_values(43, kFeatures);
    values[41 * kFeatures + 5] = 0;
    const Dataset data{4, 4, Tensor::from(values, {43, kFeatures}, place.device), {}};
    const auto likelihood = std::make_shared<NanGradientLikelihood>();
    SkippingRun with(place, data, OptimizerKind::adam, OnNan::skip, likelihood);
    SkippingRun without(place, data.slice(0, 40), OptimizerKind::adam, OnNan::skip, likelihood);
    SkippingRun stops(place, data, OptimizerKind::adam, OnNan::stop, likelihood);
    EXPECT_TRUE(std::isfinite(stops.trainer.run_steps(6).losses.loss)) << "the loss itself is finite";
    EXPECT_TRUE(std::ranges::any_of(weights_of(stops.model), [](float w) { return std::isnan(w); }));
    for (int epoch = 1; epoch <= 2; ++epoch) {
      EXPECT_EQ(with.trainer.run_epoch().skipped, 1u);
      without.trainer.run_epoch();
    }
    expect_same_state(with, without);
  }
}

TEST(TrainerSkip, ChangesNothingWithoutSuchAStep) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    SkippingRun skips(place, examples(43, place.device));
    SkippingRun stops(place, examples(43, place.device), OptimizerKind::adam, OnNan::stop);
    for (int epoch = 1; epoch <= 2; ++epoch) {
      const EpochResult a = skips.trainer.run_epoch(), b = stops.trainer.run_epoch();
      EXPECT_EQ(a.train.loss, b.train.loss);
      EXPECT_EQ(a.validation.loss, b.validation.loss);
    }
    EXPECT_EQ(skips.trainer.skipped_steps(), 0u);
    expect_same_state(skips, stops);
  }
}

TEST(TrainerSkip, RefusesAnEpochInWhichNothingWasLearnt) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    SkippingRun run(place, examples(20, place.device, 0, 20));
    const std::vector<float> before = weights_of(run.model);
    try {
      run.trainer.run_epoch();
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_finite);
      EXPECT_STREQ(
          error.what(),
          "[train] all 3 steps of epoch 1 were skipped, because their loss or gradient is not finite");
    }
    EXPECT_EQ(weights_of(run.model), before);
    EXPECT_EQ(run.optimizer.steps(), 0u);
  }
}

// Steps 2 and 5 of each epoch of 6 steps are skipped. A run is saved after any step, also after a skipped
// one.
TEST(TrainerSkip, ContinuesBitForBitFromACheckpoint) {
  const TemporaryFolder folder;
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    Dataset data = examples(43, place.device, 9, 10);
    data.examples.slice(33, 1).fill(kNan);
    SkippingRun whole(place, data);
    const std::vector<EpochResult> expected = whole.trainer.run_epochs(3);
    for (std::uint64_t step = 0; step <= 18; step += place.device.is_cpu() ? 1 : 5) {
      SkippingRun first(place, data), second(place, data);
      first.trainer.run_steps(step);
      save_checkpoint(folder / "c", first.model.parameters(), first.optimizer, first.trainer.state());
      second.trainer.resume(restore_checkpoint(folder / "c", second.model.parameters(), second.optimizer));
      EXPECT_EQ(second.trainer.skipped_steps(), step / 6 * 2 + (step % 6 >= 2) + (step % 6 >= 5)) << step;
      for (std::size_t epoch = step / 6; epoch < 3; ++epoch) {
        const EpochResult result = second.trainer.run_epoch();
        EXPECT_EQ(result.skipped, 2u);
        EXPECT_EQ(result.train.loss, expected[epoch].train.loss);
        EXPECT_EQ(result.validation.loss, expected[epoch].validation.loss);
      }
      EXPECT_EQ(second.trainer.skipped_steps(), 6u);
      expect_same_state(second, whole);
    }
  }
}

// Reports count the images and use the learning rate of the steps that made an update.
TEST(TrainerSkip, ReportsOnlyTheOtherSteps) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    SkippingRun run(place, examples(43, place.device, 9, 10));
    std::vector<StepReport> reports;
    run.trainer.on_steps(1, [&](const StepReport& r) {
      reports.push_back(r);
      return TrainControl::proceed;
    });
    const StepsResult result = run.trainer.run_steps(3);
    EXPECT_EQ(result.steps, 3u);
    ASSERT_EQ(reports.size(), 3u);
    EXPECT_NEAR(reports[0].learning_rate, 1e-3 / 3, 1e-12);
    EXPECT_NEAR(reports[1].learning_rate, 1e-3 / 3, 1e-12);
    EXPECT_NEAR(reports[2].learning_rate, 2e-3 / 3, 1e-12);
    EXPECT_NEAR(result.losses.loss, (reports[0].losses.loss + reports[2].losses.loss) / 2, 1e-6);
  }
}

TEST(TrainerSkip, IsRefusedByTheFusedExecutor) {
  if (Device::cuda_count() == 0 || !Device::cuda().backend().fused_step_unavailable().empty())
    GTEST_SKIP() << "no GPU with a fused step";
  const Device cuda = Device::cuda();
  const std::string why = "on_nan skip requires all gradients before the update";
  EXPECT_EQ(error_of([&] {
              SkippingRun({cuda, Executor::fused}, examples(43, cuda));
            }),
            "[train] expected a model that the fused executor supports, but " + why);
  const SkippingRun run({cuda, Executor::automatic}, examples(43, cuda));
  EXPECT_EQ(run.trainer.executor(), "graph: 5 steps per launch; not fused: " + why);
}

}  // namespace
}  // namespace gpuvae
