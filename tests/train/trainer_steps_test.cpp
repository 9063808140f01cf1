// Tests Trainer::run_steps() and callbacks: the results of a run do not depend on how its steps are divided
// among calls, and callbacks observe and stop a run.
#include <gtest/gtest.h>

#include <cmath>

#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "tests/train/places.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::all_places;
using test::byte_images;
using test::expect_same_losses;
using test::Place;
using test::small_model;

// A run on 43 images: an epoch has six steps, and the last step has three images.
struct TrainingRun {
  explicit TrainingRun(Device device, Executor executor = Executor::eager)
      : model(small_model(), device),
        optimizer(model.parameters(), {.learning_rate = 5e-3}),
        trainer(model, optimizer, byte_images(43, device), byte_images(10, device), [&] {
          TrainOptions o;
          o.batch_size = 8;
          o.warmup_epochs = 2;
          o.executor = executor;
          o.schedule = CosineSchedule{.total_steps = 20, .warmup_steps = 3};
          return o;
        }()) {}
  std::vector<float> parameters() const { return test::parameters_of(model); }
  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

TEST(TrainerSteps, DoNotDependOnTheirDivisionIntoCalls) {
  for (const Place& place : all_places()) {
    SCOPED_TRACE(place.device.text() + ", " + std::string(name(place.executor)));
    TrainingRun whole(place.device, place.executor), divided(place.device, place.executor);
    std::vector<EpochResult> epochs = whole.trainer.run_epochs(3);
    ASSERT_EQ(epochs.size(), 3u);
    divided.trainer.run_steps(4);
    divided.trainer.run_steps(1);
    EXPECT_EQ(divided.trainer.epochs_done(), 0);
    EXPECT_EQ(divided.trainer.run_steps(9).steps, 9u);
    EXPECT_EQ(divided.trainer.steps_done(), 14u);
    EXPECT_EQ(divided.trainer.epochs_done(), 2);
    const EpochResult last = divided.trainer.run_epoch();  // the rest of the third epoch
    EXPECT_EQ(last.epoch, 3);
    EXPECT_TRUE(last.complete);
    expect_same_losses(last.train, epochs[2].train);
    expect_same_losses(last.validation, epochs[2].validation);
    EXPECT_EQ(divided.parameters(), whole.parameters());
    EXPECT_EQ(divided.optimizer.steps(), 18u);
  }
}

TEST(TrainerSteps, LossesAreMeansOverTheImagesOfTheCall) {
  for (const Place& place : all_places()) {
    TrainingRun whole(place.device, place.executor), divided(place.device, place.executor);
    const Losses epoch = whole.trainer.run_epoch().train;
    const StepsResult first = divided.trainer.run_steps(5), second = divided.trainer.run_steps(1);
    EXPECT_NEAR((first.losses.loss * 40 + second.losses.loss * 3) / 43, epoch.loss, 1e-9);
    EXPECT_NEAR((first.losses.kl * 40 + second.losses.kl * 3) / 43, epoch.kl, 1e-9);
    // Both sides cover the six steps of the second epoch and the first step of the third.
    const Losses rest = whole.trainer.run_steps(5).losses, next = whole.trainer.run_steps(2).losses;
    const Losses across = divided.trainer.run_steps(7).losses;
    EXPECT_NEAR((rest.loss * 40 + next.loss * 11) / 51, across.loss, 1e-9);
    const StepsResult none = divided.trainer.run_steps(0);
    EXPECT_EQ(none.steps, 0u);
    EXPECT_EQ(none.losses.loss, 0);
  }
}

TEST(TrainerSteps, CallbacksSeeEveryFourthStep) {
  for (const Place& place : all_places()) {
    SCOPED_TRACE(place.device.text() + ", " + std::string(name(place.executor)));
    TrainingRun seen(place.device, place.executor), plain(place.device, place.executor);
    std::vector<StepReport> reports;
    seen.trainer.on_steps(4, [&](const StepReport& report) {
      reports.push_back(report);
      return TrainControl::proceed;
    });
    seen.trainer.run_steps(3);
    seen.trainer.run_epoch();
    seen.trainer.run_steps(8);
    ASSERT_EQ(reports.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(reports[i].step, 4 * (i + 1));
      EXPECT_EQ(reports[i].epoch, i == 0 ? 1 : 2);
      EXPECT_EQ(reports[i].learning_rate, plain.trainer.learning_rate(4 * i + 3));
      EXPECT_NEAR(reports[i].losses.loss, plain.trainer.run_steps(4).losses.loss, 1e-9) << i;
    }
    plain.trainer.run_steps(2);
    EXPECT_EQ(seen.parameters(), plain.parameters());
  }
}

TEST(TrainerSteps, ARunContinuesWhereACallbackStoppedIt) {
  for (const Place& place : all_places()) {
    SCOPED_TRACE(place.device.text() + ", " + std::string(name(place.executor)));
    TrainingRun stopped(place.device, place.executor), whole(place.device, place.executor);
    bool stop = true;
    stopped.trainer.on_steps(2, [&](const StepReport& r) {
      return stop && r.step == 8 ? TrainControl::stop : TrainControl::proceed;
    });
    const std::vector<EpochResult> results = stopped.trainer.run_epochs(5);
    EXPECT_EQ(stopped.trainer.steps_done(), 8u);
    ASSERT_EQ(results.size(), 2u);
    EXPECT_TRUE(results[0].complete);
    EXPECT_FALSE(results[1].complete);
    EXPECT_EQ(results[1].epoch, 2);
    EXPECT_EQ(stopped.trainer.epochs_done(), 1);
    whole.trainer.run_epoch();
    EXPECT_NEAR(results[1].train.loss, whole.trainer.run_steps(2).losses.loss, 1e-9);
    expect_same_losses(stopped.trainer.run_epoch().train, whole.trainer.run_epoch().train);
    EXPECT_EQ(stopped.parameters(), whole.parameters());
  }
}

TEST(TrainerSteps, AnEpochCallbackStopsTheRun) {
  for (const bool by_steps : {false, true}) {
    TrainingRun run(Device::cpu()), plain(Device::cpu());
    std::vector<EpochResult> seen;
    run.trainer.on_epoch([&](const EpochResult& result) {
      seen.push_back(result);
      return result.epoch == 2 ? TrainControl::stop : TrainControl::proceed;
    });
    if (by_steps) {
      const StepsResult result = run.trainer.run_steps(100);
      EXPECT_TRUE(result.stopped);
      EXPECT_EQ(result.steps, 12u);
    } else {
      EXPECT_EQ(run.trainer.run_epochs(10).size(), 2u);
    }
    const std::vector<EpochResult> expected = plain.trainer.run_epochs(2);
    ASSERT_EQ(seen.size(), 2u);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(seen[i].epoch, i + 1);
      expect_same_losses(seen[i].train, expected[i].train);
      expect_same_losses(seen[i].validation, expected[i].validation);
    }
    EXPECT_EQ(run.parameters(), plain.parameters());
  }
}

// Evaluation is allowed inside a callback and does not change the run.
TEST(TrainerSteps, CallbacksMayEvaluateButNotTrain) {
  TrainingRun run(Device::cpu()), plain(Device::cpu());
  int calls = 0;
  run.trainer.on_steps(3, [&](const StepReport&) {
    ++calls;
    EXPECT_TRUE(std::isfinite(run.trainer.evaluate(byte_images(10, Device::cpu())).loss));
    EXPECT_THROW(run.trainer.run_steps(1), Error);
    EXPECT_THROW(run.trainer.run_epoch(), Error);
    EXPECT_THROW(run.trainer.on_epoch([](const EpochResult&) { return TrainControl::stop; }), Error);
    return TrainControl::proceed;
  });
  run.trainer.run_steps(9);
  plain.trainer.run_steps(9);
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(run.parameters(), plain.parameters());
  EXPECT_THROW(run.trainer.on_steps(0, [](const StepReport&) { return TrainControl::stop; }), Error);
  EXPECT_THROW(run.trainer.on_steps(1, {}), Error);
  EXPECT_THROW(run.trainer.on_epoch({}), Error);
}

}  // namespace
}  // namespace gpuvae
