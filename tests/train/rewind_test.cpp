// Tests OnNan::rewind: a run goes back to the end of the last epoch with half the learning rate, at most
// three times.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/temporary_folder.h"
#include "tests/train/places.h"

namespace gpuvae {
namespace {

using test::example_images;
using test::Place;
using test::TemporaryFolder;
using test::weights_of;

constexpr double kFirstRate = 4e-3;

// Six steps per epoch.
struct RewindingRun {
  explicit RewindingRun(const Place& place, OnNan on_nan = OnNan::rewind, std::int64_t validation = 9)
      : model({.features = 16, .encoder_widths = {8}}, place.device),
        adam(model.parameters(), {.learning_rate = kFirstRate}),
        trainer(model, adam, example_images(43, place.device), example_images(validation, place.device), [&] {
          TrainOptions o{.batch_size = 8};
          o.executor = place.executor;
          o.schedule = CosineSchedule{.total_steps = 30, .warmup_steps = 3};
          o.on_nan = on_nan;
          return o;
        }()) {
    trainer.on_rewind([&](const Rewind& r) { rewinds.push_back(r); });
  }
  // Makes a weight NaN after step number `step`, the first `times` times that the run gets there.
  void break_after(std::uint64_t step, int times) {
    trainer.on_steps(step, [this, step, times, done = 0](const StepReport& r) mutable {
      if (r.step == step && done++ < times)
        model.parameters()[0].variable.value().fill(std::numeric_limits<double>::quiet_NaN());
      return TrainControl::proceed;
    });
  }
  Vae model;
  Adam adam;
  Trainer trainer;
  std::vector<Rewind> rewinds;
};

void expect_same_epoch(const EpochResult& a, const EpochResult& b) {
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.train.loss, b.train.loss);
  EXPECT_EQ(a.validation.loss, b.validation.loss);
}

// A weight becomes NaN in the second epoch, within it or at its end. The expected run has half the learning
// rate from that epoch on.
TEST(TrainerRewind, RepeatsTheEpochWithHalfTheLearningRate) {
  for (const Place& place : test::autograd_places())
    for (const std::uint64_t step : {7, 11, 12})
      for (const std::int64_t validation : {9, 0}) {
        SCOPED_TRACE(place.text() + ", step " + std::to_string(step));
        RewindingRun run(place, OnNan::rewind, validation), expected(place, OnNan::stop, validation);
        run.break_after(step, 1);
        expect_same_epoch(run.trainer.run_epoch(), expected.trainer.run_epoch());
        EXPECT_TRUE(run.rewinds.empty());
        expected.adam.set_learning_rate(kFirstRate / 2);
        for (int epoch = 2; epoch <= 3; ++epoch) {
          const EpochResult result = run.trainer.run_epoch();
          expect_same_epoch(result, expected.trainer.run_epoch());
          EXPECT_EQ(result.rewinds, 1);
        }
        EXPECT_EQ(weights_of(run.model), weights_of(expected.model));
        EXPECT_EQ(run.adam.state1().to_vector(), expected.adam.state1().to_vector());
        EXPECT_EQ(run.adam.state2().to_vector(), expected.adam.state2().to_vector());
        EXPECT_EQ(run.adam.steps(), 18u);
        EXPECT_EQ(run.adam.learning_rate(), kFirstRate / 2);
        ASSERT_EQ(run.rewinds.size(), 1u);
        EXPECT_EQ(run.rewinds[0].number, 1);
        EXPECT_EQ(run.rewinds[0].learning_rate, kFirstRate / 2);
        EXPECT_EQ(run.rewinds[0].state.epochs, 1);
        EXPECT_EQ(run.rewinds[0].state.steps, 0u);
      }
}

TEST(TrainerRewind, GoesBackAtMostThreeTimes) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    RewindingRun run(place);
    run.break_after(2, 100);
    try {
      run.trainer.run_epoch();
      ADD_FAILURE() << "expected an Error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_finite);
      EXPECT_STREQ(
          error.what(),
          "[train] the loss is not finite at step 3 (epoch 1, step 3 of 6); the run went back 3 times with "
          "half the learning rate");
    }
    ASSERT_EQ(run.rewinds.size(), 3u);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(run.rewinds[i].number, i + 1);
      EXPECT_EQ(run.rewinds[i].learning_rate, kFirstRate / (2 << i));
      EXPECT_EQ(run.rewinds[i].state.epochs, 0);
      EXPECT_EQ(run.rewinds[i].reason, "the loss is not finite at step 3 (epoch 1, step 3 of 6)");
    }
  }
}

// Three rewinds in one run may belong to different epochs.
TEST(TrainerRewind, CountsTheRewindsOfTheWholeRun) {
  RewindingRun run({Device::cpu(), Executor::eager});
  for (const std::uint64_t step : {3, 8, 14, 20}) run.break_after(step, 1);
  EXPECT_EQ(run.trainer.run_epochs(3).back().rewinds, 3);
  EXPECT_EQ(run.adam.learning_rate(), kFirstRate / 8);
  EXPECT_THROW(run.trainer.run_epoch(), Error);
}

TEST(TrainerRewind, RunsTheRequestedNumberOfSteps) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    RewindingRun run(place), expected(place, OnNan::stop);
    run.break_after(9, 1);
    const StepsResult result = run.trainer.run_steps(14);
    EXPECT_EQ(result.steps, 14u);
    EXPECT_EQ(run.trainer.steps_done(), 14u);
    expected.trainer.run_steps(6);
    expected.adam.set_learning_rate(kFirstRate / 2);
    EXPECT_NEAR(result.losses.loss, expected.trainer.run_steps(8).losses.loss, 1e-9);
    EXPECT_EQ(weights_of(run.model), weights_of(expected.model));
  }
}

// A run that is killed after a rewind continues from a checkpoint before or after it, with the same weights.
TEST(TrainerRewind, ContinuesBitForBitFromACheckpoint) {
  const TemporaryFolder folder;
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    RewindingRun whole(place);
    whole.break_after(8, 1);
    whole.trainer.run_epochs(4);
    for (const int epochs : {1, 2, 3}) {
      RewindingRun first(place), second(place);
      first.break_after(8, 1);
      second.break_after(8, 1);
      first.trainer.run_epochs(epochs);
      save_checkpoint(folder / "c", first.model.parameters(), first.adam, first.trainer.state());
      second.trainer.resume(restore_checkpoint(folder / "c", second.model.parameters(), second.adam));
      second.trainer.run_epochs(4 - epochs);
      EXPECT_EQ(second.trainer.rewinds(), 1);
      EXPECT_EQ(second.adam.learning_rate(), kFirstRate / 2);
      EXPECT_EQ(weights_of(second.model), weights_of(whole.model)) << "after epoch " << epochs;
    }
  }
}

// A gradient that overflows makes the state infinite, while the weights and the loss stay finite.
TEST(TrainerRewind, NoticesAnInfiniteStateAtTheEndOfAnEpoch) {
  RewindingRun run({Device::cpu(), Executor::eager});
  bool broken = false;
  run.trainer.on_steps(6, [&](const StepReport&) {
    if (!broken) run.adam.state2().fill(std::numeric_limits<double>::infinity());
    broken = true;
    return TrainControl::proceed;
  });
  run.trainer.run_epoch();
  ASSERT_EQ(run.rewinds.size(), 1u);
  EXPECT_EQ(run.rewinds[0].reason, "the weights or the optimiser's state are not finite after step 6");
}

}  // namespace
}  // namespace gpuvae
