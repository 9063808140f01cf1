// Tests learning rates that change during training, on every executor.
#include "gpuvae/schedule.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "gpuvae/error.h"
#include "gpuvae/graph.h"
#include "gpuvae/train.h"
#include "kernels/backend.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::all_places;
using test::byte_images;
using test::error_of;
using test::small_model;
using test::TemporaryFolder;

// A run on 43 images: an epoch has six steps, and the last step has three images.
struct ScheduledRun {
  explicit ScheduledRun(Device device, Executor executor, LearningRateSchedule schedule = {},
                        OptimizerKind kind = OptimizerKind::adam)
      : model(small_model(), device),
        optimizer(model.parameters(), OptimizerOptions::defaults(kind)),
        trainer(model, optimizer, byte_images(43, device), byte_images(10, device), [&] {
          TrainOptions o;
          o.batch_size = 8;
          o.executor = executor;
          o.schedule = std::move(schedule);
          o.report_steps = 1;
          o.report_seconds = 0;
          return o;
        }()) {}
  std::vector<float> parameters() const { return test::parameters_of(model); }

  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

const CosineSchedule kCosine{.total_steps = 18, .warmup_steps = 4, .final_factor = 0.01};

TEST(Schedule, FactorsMatchTheFormulas) {
  EXPECT_EQ(ConstantSchedule{}(1000), 1);
  const LinearWarmup warmup{4};
  for (const auto& [step, factor] : {std::pair{0, 0.25}, {1, 0.5}, {2, 0.75}, {3, 1.0}, {4, 1.0}, {99, 1.0}})
    EXPECT_EQ(warmup(static_cast<std::uint64_t>(step)), factor) << step;
  EXPECT_EQ(LinearWarmup{}(0), 1);
  const StepDecay decay{.every = 3, .decay = 0.5};
  for (const auto& [step, factor] :
       {std::pair{0, 1.0}, {2, 1.0}, {3, 0.5}, {5, 0.5}, {6, 0.25}, {30, 0x1p-10}})
    EXPECT_EQ(decay(static_cast<std::uint64_t>(step)), factor) << step;
  // The expected factors use cos(pi / 3) = 0.5 and cos(pi / 2) = 0.
  const CosineSchedule cosine{.total_steps = 14, .warmup_steps = 2, .final_factor = 0.2};
  for (const auto& [step, factor] :
       {std::pair{0, 0.5}, {1, 1.0}, {2, 1.0}, {6, 0.8}, {8, 0.6}, {10, 0.4}, {14, 0.2}, {1000, 0.2}})
    EXPECT_NEAR(cosine(static_cast<std::uint64_t>(step)), factor, 1e-15) << step;
}

// Rates of a run, times the learning rate 0.001.
TEST(Schedule, RatesMatchPublishedValues) {
  // Stage i of 3,280 epochs of 7 steps begins after (3^i - 1) / 2 epochs.
  const IwaeSchedule iwae{.total_steps = 3280 * 7};
  const double rates[] = {1e-3,
                          7.1968567300e-4,
                          5.1794746792e-4,
                          3.7275937203e-4,
                          2.6826957953e-4,
                          1.9306977289e-4,
                          1.3894954944e-4,
                          1e-4};
  std::uint64_t begin = 0, epochs = 1;
  for (const double rate : rates) {
    EXPECT_NEAR(1e-3 * iwae(begin), rate, 1e-13);
    begin += 7 * epochs;
    EXPECT_NEAR(1e-3 * iwae(begin - 1), rate, 1e-13);
    epochs *= 3;
  }
  EXPECT_EQ(begin, 3280u * 7);
  EXPECT_NEAR(1e-3 * iwae(begin + 5), 1e-4, 1e-13);
  // 100 steps: stage i begins at the first step from 100 (3^i - 1) / 2 / 3280 on: 0, 1, 1, 1, 2, 4, 12, 34.
  const IwaeSchedule scaled{.total_steps = 100};
  for (const auto& [step, stage] :
       {std::pair{0, 0}, {1, 3}, {2, 4}, {3, 4}, {4, 5}, {11, 5}, {12, 6}, {33, 6}, {34, 7}, {99, 7}})
    EXPECT_NEAR(scaled(static_cast<std::uint64_t>(step)), std::pow(10, -stage / 7.0), 1e-15) << step;
  const CosineSchedule cosine{.total_steps = 110, .warmup_steps = 10, .final_factor = 0.01};
  for (const auto& [step, rate] : {std::pair{0, 1e-4},
                                   {4, 5e-4},
                                   {9, 1e-3},
                                   {10, 1e-3},
                                   {35, 8.5501785669e-4},
                                   {60, 5.05e-4},
                                   {109, 1.0244252619e-5}})
    EXPECT_NEAR(1e-3 * cosine(static_cast<std::uint64_t>(step)), rate, 1e-13) << step;
  const StepDecay decay{.every = 25, .decay = 0.3};
  for (const auto& [step, rate] : {std::pair{24, 1e-3}, {25, 3e-4}, {80, 2.7e-5}})
    EXPECT_NEAR(1e-3 * decay(static_cast<std::uint64_t>(step)), rate, 1e-13) << step;
}

TEST(Schedule, ErrorsNameTheProblem) {
  EXPECT_EQ(error_of([] { IwaeSchedule{.total_steps = 0}(1); }),
            "[schedule] expected 1 or more steps in total, got 0");
  EXPECT_EQ(error_of([] { StepDecay{.every = 0}(1); }),
            "[schedule] expected a decay every 1 or more steps, got 0");
  EXPECT_EQ(error_of([] { StepDecay{.every = 2, .decay = -1}(1); }),
            "[schedule] expected a decay above 0, got -1");
  EXPECT_EQ(error_of([] { CosineSchedule{.total_steps = 3, .warmup_steps = 3}(1); }),
            "[schedule] expected more than 3 steps in total, got 3");
  EXPECT_EQ(error_of([] { CosineSchedule{.total_steps = 3, .final_factor = 2}(1); }),
            "[schedule] expected a final factor in [0, 1], got 2");
}

// A schedule must give the same bits as a learning rate that is set manually before every step.
TEST(TrainerSchedule, GivesEveryStepItsLearningRate) {
  for (const auto& [device, executor] : all_places())
    for (const OptimizerKind kind : {OptimizerKind::adam, OptimizerKind::sgd, OptimizerKind::adamw}) {
      SCOPED_TRACE(device.text() + " " + std::string(name(executor)) + " " + std::string(name(kind)));
      ScheduledRun scheduled(device, executor, kCosine, kind), by_hand(device, executor, {}, kind),
          constant(device, executor, {}, kind);
      const double base = by_hand.optimizer.learning_rate();
      std::uint64_t step = 0;
      by_hand.optimizer.set_learning_rate(base * kCosine(0));
      for (int epoch = 0; epoch < 3; ++epoch) {
        scheduled.trainer.run_epoch();
        constant.trainer.run_epoch();
        by_hand.trainer.run_epoch([&](std::int64_t, const Losses&) {
          by_hand.optimizer.set_learning_rate(base * kCosine(++step));
        });
      }
      EXPECT_EQ(step, 18u);
      EXPECT_EQ(scheduled.parameters(), by_hand.parameters());
      EXPECT_NE(scheduled.parameters(), constant.parameters());
      EXPECT_EQ(scheduled.trainer.learning_rate(1), base * 0.5);
    }
}

TEST(TrainerSchedule, IsTheSameOnEveryExecutor) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  std::vector<float> eager;
  for (const auto& [device, executor] : all_places()) {
    if (device.is_cpu()) continue;
    ScheduledRun run(device, executor, kCosine);
    for (int epoch = 0; epoch < 3; ++epoch) {
      run.trainer.run_epoch();
      if (epoch == 0) run.optimizer.set_learning_rate(4e-3);
    }
    const std::vector<float> got = run.parameters();
    if (executor == Executor::eager) eager = got;
    if (executor == Executor::graph) {
      EXPECT_EQ(got, eager);
    }
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_TRUE(std::fabs(got[i] - eager[i]) <= 1e-4) << name(executor) << " " << i;
  }
}

TEST(TrainerSchedule, ResumesInTheMiddleBitForBit) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "checkpoint.safetensors";
  for (const auto& [device, executor] : all_places()) {
    SCOPED_TRACE(device.text() + " " + std::string(name(executor)));
    ScheduledRun straight(device, executor, kCosine), first(device, executor, kCosine),
        second(device, executor, kCosine);
    for (ScheduledRun* run : {&straight, &first}) {
      run->trainer.run_epoch();
      run->optimizer.set_learning_rate(0.003);  // the checkpoint stores it
    }
    save_checkpoint(file, first.model.parameters(), first.optimizer, 1);
    second.trainer.resume_after(load_checkpoint(file, second.model.parameters(), second.optimizer));
    EXPECT_EQ(second.optimizer.learning_rate(), 0.003);
    for (int epoch = 1; epoch < 3; ++epoch) {
      straight.trainer.run_epoch();
      second.trainer.run_epoch();
    }
    EXPECT_EQ(second.parameters(), straight.parameters());
  }
}

// The optimiser's count of updates may differ from the trainer's count of steps.
TEST(TrainerSchedule, UsesTheTrainersStepCount) {
  for (const auto& [device, executor] : all_places()) {
    ScheduledRun used(device, executor, kCosine, OptimizerKind::sgd),
        fresh(device, executor, kCosine, OptimizerKind::sgd);
    for (int i = 0; i < 4; ++i) {
      used.optimizer.zero_grad();
      used.optimizer.step();  // without momentum, a step without gradient changes nothing
    }
    for (ScheduledRun* run : {&used, &fresh})
      for (int epoch = 0; epoch < 2; ++epoch) run->trainer.run_epoch();
    EXPECT_EQ(used.parameters(), fresh.parameters()) << device.text() << " " << name(executor);
  }
}

TEST(TrainerSchedule, RefusesInvalidFactors) {
  for (const double factor : {-1.0, static_cast<double>(NAN), std::numeric_limits<double>::infinity()}) {
    ScheduledRun run(Device::cpu(), Executor::eager,
                     [=](std::uint64_t step) { return step == 7 ? factor : 1.0; });
    run.trainer.run_epoch();
    EXPECT_EQ(error_of([&] {
                run.trainer.run_epoch();
              }).rfind("[train] expected a finite factor of 0 or more from the schedule at step 7, got ", 0),
              0u);
  }
}

// ---- set_learning_rate ----

struct One {
  explicit One(Device device) : weight(Tensor::full({1}, 8, DType::f32, device), true) {}
  std::vector<Parameter> parameters() { return {{"w", weight, false}}; }
  void step(Optimizer& optimizer) const {  // the gradient is 2
    optimizer.zero_grad();
    affine(weight, 2, 0).backward();
    optimizer.step();
  }
  Variable weight;
};

TEST(OptimizerRateOnDevice, ChangesApplyFromTheNextStep) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    One model(device);
    SGD sgd(model.parameters(), {.learning_rate = 0.25});
    model.step(sgd);
    EXPECT_EQ(model.weight.value().item(), 7.5);
    sgd.set_learning_rate(2);
    EXPECT_EQ(sgd.learning_rate(), 2);
    EXPECT_EQ(sgd.options().learning_rate, 2);
    model.step(sgd);
    EXPECT_EQ(model.weight.value().item(), 3.5);
    for (const double bad : {0.0, -1.0, static_cast<double>(NAN), std::numeric_limits<double>::infinity()})
      EXPECT_THROW(sgd.set_learning_rate(bad), Error);
    model.step(sgd);
    EXPECT_EQ(model.weight.value().item(), -0.5);
  }
}

TEST(GraphLearningRate, ChangesInsideCapturedGraphs) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  const Stream stream(Device::cuda());
  const StreamGuard on(stream);
  One model(stream.device());
  SGD sgd(model.parameters(), {.learning_rate = 0.25});
  model.step(sgd);
  const CudaGraph graph = CudaGraph::capture(
      stream, [&] { model.step(sgd); }, 2);
  graph.launch();
  EXPECT_EQ(model.weight.value().item(), 8 - 3 * 0.5);
  sgd.set_learning_rate(1);
  graph.launch();
  EXPECT_EQ(model.weight.value().item(), 6.5 - 2 * 2);
  const std::string refused =
      error_of([&] { static_cast<void>(CudaGraph::capture(stream, [&] { sgd.set_learning_rate(0.5); })); });
  EXPECT_EQ(refused.rfind("[set_learning_rate] expected no capture on ", 0), 0u) << refused;
  EXPECT_EQ(sgd.learning_rate(), 1);
}

TEST(OptimizerRateOnDevice, FactorsApplyToConsecutiveSteps) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    One model(device);
    SGD sgd(model.parameters(), {.learning_rate = 0.5});
    const Tensor host = Tensor::from(std::vector<double>{1, 0.5, 0}, {3});
    const Tensor factors = Tensor::empty({3}, DType::f64, device);
    factors.copy_from(host);
    std::vector<double> got;
    for (int i = 0; i < 4; ++i) {
      sgd.zero_grad();
      affine(model.weight, 2, 0).backward();
      sgd.step(sgd.clock(), factors);
      sgd.count(1);
      got.push_back(model.weight.value().item());
    }
    EXPECT_EQ(got, (std::vector<double>{7, 6.5, 6.5, 5.5}));
    EXPECT_THROW(sgd.step(sgd.clock(), Tensor::zeros({3}, DType::f32, device)), Error);
  }
}

}  // namespace
}  // namespace gpuvae
