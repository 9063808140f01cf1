// Tests that models trained side by side get the bits that they get alone, and keep their errors.
#include "gpuvae/train_many.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "gpuvae/threads.h"
#include "kernels/cpu/parallel.h"
#include "tests/temporary_folder.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using namespace std::chrono_literals;
using test::byte_images;
using test::error_of;

// Enough rows and columns that loops would use several threads.
Dataset training_images(std::int64_t count) { return byte_images(count, Device::best(), 16, 16); }

struct TrainedModel {
  explicit TrainedModel(std::uint64_t seed, double learning_rate = 1e-3)
      : model({.features = 256, .encoder_widths = {128}, .initializer = {.seed = seed}}, Device::best()),
        adam(model.parameters(), {.learning_rate = learning_rate}),
        trainer(model, adam, training_images(300), training_images(100),
                {.batch_size = 100, .data = {.seed = seed}}) {}
  std::vector<float> weights() const { return test::parameters_of(model); }
  Vae model;
  Adam adam;
  Trainer trainer;
};

void expect_same_epochs(const std::vector<EpochResult>& a, const std::vector<EpochResult>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].epoch, b[i].epoch);
    EXPECT_EQ(a[i].train.loss, b[i].train.loss);
    EXPECT_EQ(a[i].validation.loss, b[i].validation.loss);
  }
}

TEST(TrainMany, GivesTheBitsOfTrainingAlone) {
  constexpr int kModels = 5;
  std::vector<std::vector<float>> weights;
  std::vector<std::vector<EpochResult>> epochs;
  for (int seed = 0; seed < kModels; ++seed) {
    TrainedModel alone(static_cast<std::uint64_t>(seed));
    epochs.push_back(alone.trainer.run_epochs(seed + 1));
    weights.push_back(alone.weights());
  }
  for (const int threads : {0, 1, 2, 3, 8}) {
    std::vector<std::unique_ptr<TrainedModel>> runs;
    std::vector<TrainJob> jobs;
    for (int seed = 0; seed < kModels; ++seed) {
      runs.push_back(std::make_unique<TrainedModel>(static_cast<std::uint64_t>(seed)));
      jobs.push_back({&runs.back()->trainer, seed + 1});
    }
    const std::vector<TrainOutcome> outcomes = train_many(jobs, threads);
    ASSERT_EQ(outcomes.size(), jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      EXPECT_FALSE(outcomes[i].error);
      expect_same_epochs(outcomes[i].epochs, epochs[i]);
      EXPECT_EQ(runs[i]->weights(), weights[i]) << "model " << i << " on " << threads << " threads";
    }
  }
}

TEST(TrainMany, FunctionsThatBuildTheirModelsGiveTheSameBits) {
  TrainedModel alone(3);
  const std::vector<EpochResult> expected = alone.trainer.run_epochs(2);
  const TrainFunction function = [] { return TrainedModel(3).trainer.run_epochs(2); };
  for (const TrainOutcome& outcome : train_many(std::vector(4, function), 2))
    expect_same_epochs(outcome.epochs, expected);
}

TEST(TrainMany, KeepsTheErrorOfEachModel) {
  TrainedModel good(1), diverging(2, 1e12), also_good(3);
  const std::vector<TrainJob> jobs = {{&good.trainer, 2}, {&diverging.trainer, 20}, {&also_good.trainer, 2}};
  const std::vector<TrainOutcome> outcomes = train_many(jobs, 2);
  EXPECT_FALSE(outcomes[0].error);
  EXPECT_EQ(outcomes[0].epochs.size(), 2u);
  EXPECT_FALSE(outcomes[2].error);
  EXPECT_EQ(outcomes[2].epochs.size(), 2u);
  EXPECT_TRUE(outcomes[1].epochs.empty());
  EXPECT_NE(error_of([&] {
              if (outcomes[1].error) std::rethrow_exception(outcomes[1].error);
            }).find("not finite"),
            std::string::npos);
}

TEST(TrainMany, KeepsExceptionsOfAnyType) {
  const std::vector<TrainFunction> functions = {[]() -> std::vector<EpochResult> { throw 7; },
                                                [] { return std::vector<EpochResult>(3); },
                                                []() -> std::vector<EpochResult> { throw std::bad_alloc(); }};
  for (const int threads : {1, 2, 3}) {
    const std::vector<TrainOutcome> outcomes = train_many(functions, threads);
    EXPECT_THROW(std::rethrow_exception(outcomes[0].error), int);
    EXPECT_EQ(outcomes[1].epochs.size(), 3u);
    EXPECT_THROW(std::rethrow_exception(outcomes[2].error), std::bad_alloc);
  }
}

TEST(TrainMany, TrainsSideBySideOnOneThreadEach) {
  // Each function waits until the two others have begun, so one or two threads alone would be late.
  std::atomic<int> begun = 0;
  std::atomic<bool> late = false;
  std::vector<std::set<std::thread::id>> loop_threads(3);
  std::vector<TrainFunction> functions;
  for (std::size_t i = 0; i < 3; ++i)
    functions.emplace_back([&, i] {
      ++begun;
      const auto start = std::chrono::steady_clock::now();
      while (begun < 3 && !late)
        if (std::chrono::steady_clock::now() - start > 20s) late = true;
      std::mutex guard;
      kernels::parallel_for(200, true, [&](std::int64_t) {
        const std::lock_guard lock(guard);
        loop_threads[i].insert(std::this_thread::get_id());
      });
      return std::vector<EpochResult>();
    });
  static_cast<void>(train_many(functions, 3));
  EXPECT_FALSE(late);
  std::set<std::thread::id> all;
  for (const std::set<std::thread::id>& of_one : loop_threads) {
    EXPECT_EQ(of_one.size(), 1u);
    all.insert(of_one.begin(), of_one.end());
  }
  EXPECT_EQ(all.size(), 3u);
  EXPECT_TRUE(all.contains(std::this_thread::get_id()));
}

TEST(TrainMany, LoopsUseSeveralThreadsAgainAfterwards) {
  const int before = num_threads();
  set_num_threads(2);
  static_cast<void>(train_many(std::vector<TrainFunction>{[] { return std::vector<EpochResult>(); }}, 1));
  std::atomic<int> begun = 0;
  std::atomic<bool> late = false;
  kernels::parallel_for(2, true, [&](std::int64_t) {
    ++begun;
    const auto start = std::chrono::steady_clock::now();
    while (begun < 2 && !late)
      if (std::chrono::steady_clock::now() - start > 20s) late = true;
  });
  EXPECT_FALSE(late);
  set_num_threads(before);
}

TEST(TrainMany, RefusesWrongArguments) {
  TrainedModel run(0);
  EXPECT_NE(error_of([&] {
              static_cast<void>(train_many(std::vector<TrainJob>{{&run.trainer, 1}}, -1));
            }).find("expected 0 or more threads, got -1"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              static_cast<void>(train_many(std::vector<TrainJob>{{nullptr, 1}}));
            }).find("got null"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              static_cast<void>(train_many(std::vector<TrainJob>{{&run.trainer, 1}, {&run.trainer, 1}}));
            }).find("got one twice"),
            std::string::npos);
  EXPECT_TRUE(train_many(std::vector<TrainJob>{}).empty());
}

}  // namespace
}  // namespace gpuvae
