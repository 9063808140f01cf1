// Tests data-parallel training with threads as ranks: losses equal those of one rank, and runs repeat bit for
// bit.
#include <gtest/gtest.h>

#include <barrier>
#include <limits>
#include <mutex>
#include <thread>

#include "tests/train/places.h"
#include "tests/train/ranks.h"

namespace gpuvae {
namespace {

// What the threads share: the sum of the running call.
struct Meeting {
  explicit Meeting(int ranks) : values(static_cast<std::size_t>(ranks)), arrived(ranks) {}
  std::vector<std::vector<double>> values;  // of each rank
  std::barrier<> arrived;
};

class ThreadRank final : public Communicator {
 public:
  ThreadRank(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(meeting_.values.size()); }
  void sum(const Tensor& values) override {
    meeting_.values[static_cast<std::size_t>(rank_)] = values.to_doubles();
    meeting_.arrived.arrive_and_wait();
    std::vector<double> total(meeting_.values[0].size());
    for (const std::vector<double>& of_rank : meeting_.values)
      for (std::size_t i = 0; i < total.size(); ++i) total[i] += of_rank[i];
    meeting_.arrived.arrive_and_wait();
    if (values.dtype() == DType::f64) {
      std::copy(total.begin(), total.end(), Tensor(values).data_as<double>());
    } else {
      std::transform(total.begin(), total.end(), Tensor(values).data_as<float>(),
                     [](double x) { return static_cast<float>(x); });
    }
  }

 private:
  Meeting& meeting_;
  int rank_;
};

std::vector<RankRun> train_on_threads(int ranks, std::uint64_t stop_after = 0,
                                      const Objective& objective = {}) {
  Meeting meeting(ranks);
  std::vector<RankRun> runs(static_cast<std::size_t>(ranks));
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      runs[static_cast<std::size_t>(rank)] =
          train_on(std::make_shared<ThreadRank>(meeting, rank), stop_after, objective);
    });
  threads.clear();
  return runs;
}

TEST(Distributed, LossesEqualThoseOfOneProcess) {
  const RankRun alone = train_on(nullptr);
  for (const int ranks : {1, 2, 3, 7}) {
    const std::vector<RankRun> runs = train_on_threads(ranks), again = train_on_threads(ranks);
    for (const RankRun& run : runs) {
      EXPECT_LE(difference(alone, run), 1e-6) << ranks << " ranks";
      EXPECT_EQ(run.steps, runs[0].steps);
      EXPECT_EQ(run.epochs, runs[0].epochs);
      EXPECT_EQ(run.parameters, runs[0].parameters) << "all ranks hold the same parameters";
    }
    EXPECT_EQ(again[0].parameters, runs[0].parameters) << "a run repeats bit for bit";
    ASSERT_EQ(runs[0].epochs.size(), alone.epochs.size());
    for (std::size_t i = 0; i < alone.epochs.size(); ++i)
      EXPECT_LE(std::fabs(runs[0].epochs[i] - alone.epochs[i]), 1e-5 * std::fabs(alone.epochs[i]));
  }
}

TEST(Distributed, ImportanceWeightedLossesEqualThoseOfOneProcess) {
  const Objective objective{.kind = ObjectiveKind::dreg, .samples = 5};
  const RankRun alone = train_on(nullptr, 0, objective);
  for (const RankRun& run : train_on_threads(3, 0, objective)) {
    EXPECT_LE(difference(alone, run), 1e-6);
    ASSERT_EQ(run.epochs.size(), alone.epochs.size());
    for (std::size_t i = 0; i < alone.epochs.size(); ++i)
      EXPECT_LE(std::fabs(run.epochs[i] - alone.epochs[i]), 1e-5 * std::fabs(alone.epochs[i]));
  }
}

TEST(Distributed, ARequestToStopOnOneRankStopsAllAfterTheSameStep) {
  for (const RankRun& run : train_on_threads(3, 4)) EXPECT_EQ(run.steps.size(), 4u);
}

struct SkippedSteps {
  std::uint64_t steps = 0, updates = 0;
  std::vector<float> weights;
};

// Two epochs of three steps, in which example 9 has a NaN. It belongs to one rank only.
SkippedSteps skip_on(std::shared_ptr<Communicator> ranks) {
  std::vector<float> values = test::example_values(24, 16);
  values[9 * 16] = std::numeric_limits<float>::quiet_NaN();
  Vae model({.features = 16, .encoder_widths = {8}}, Device::cpu());
  Adam adam(model.parameters());
  TrainOptions options{.batch_size = 8};
  options.data.shuffle = false;
  options.on_nan = OnNan::skip;
  options.communicator = std::move(ranks);
  Trainer trainer(model, adam, {4, 4, Tensor::from(values, {24, 16}), {}}, {}, options);
  trainer.run_epochs(2);
  return {trainer.skipped_steps(), adam.steps(), test::weights_of(model)};
}

TEST(Distributed, AllRanksSkipAStepThatIsNotFiniteOnOneOfThem) {
  const SkippedSteps alone = skip_on(nullptr);
  Meeting meeting(3);
  std::vector<SkippedSteps> runs(3);
  std::vector<std::jthread> threads;
  for (int rank = 0; rank < 3; ++rank)
    threads.emplace_back([&, rank] {
      runs[static_cast<std::size_t>(rank)] = skip_on(std::make_shared<ThreadRank>(meeting, rank));
    });
  threads.clear();
  for (const SkippedSteps& run : runs) {
    EXPECT_EQ(run.steps, 2u);
    EXPECT_EQ(run.updates, 4u);
    EXPECT_EQ(run.weights, runs[0].weights);
    for (std::size_t i = 0; i < alone.weights.size(); ++i)
      EXPECT_NEAR(run.weights[i], alone.weights[i], 1e-5);
  }
  EXPECT_EQ(alone.steps, 2u);
}

TEST(Distributed, WhatCannotBeDividedIsRefused) {
  Meeting meeting(1);
  VaeOptions model_options;
  model_options.features = 4;
  const Vae model(model_options, Device::cpu());
  Optimizer optimizer(model.parameters(), {});
  const Dataset images{2, 2, Tensor::zeros({10, 4}), {}};
  TrainOptions options;
  options.communicator = std::make_shared<ThreadRank>(meeting, 0);
  options.free_bits = 0.1;
  EXPECT_THROW(Trainer(model, optimizer, images, images, options), Error);
  options.free_bits = 0;
  options.on_nan = OnNan::rewind;
  EXPECT_THROW(Trainer(model, optimizer, images, images, options), Error);
  options.on_nan = OnNan::stop;
  options.executor = Executor::graph;
  EXPECT_THROW(Trainer(model, optimizer, images, images, options), Error);
  options.executor = Executor::automatic;
  options.on_nan = OnNan::rewind;
  EXPECT_THROW(Trainer(model, optimizer, images, images, options), Error);
}

TEST(Distributed, AProcessThatMpirunDidNotStartHasNoMpiCommunicator) {
  EXPECT_EQ(mpi_communicator(), nullptr);
}

}  // namespace
}  // namespace gpuvae
