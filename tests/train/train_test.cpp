// Tests training on every device: losses, determinism, memory, and runs that diverge.
#include "gpuvae/train.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <optional>

#include "gpuvae/error.h"
#include "gpuvae/memory.h"
#include "tests/second_run.h"

namespace gpuvae {
namespace {

// A horizontal and a vertical bar that cross at one of 8 x 8 positions. A 2-D latent code can describe the
// two coordinates.
Dataset bars(std::int64_t count) {
  constexpr int kSide = 8;
  std::vector<std::uint8_t> bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    const int x = static_cast<int>(i * 5 % kSide), y = static_cast<int>(i * 3 / kSide % kSide);
    for (int r = 0; r < kSide; ++r)
      for (int c = 0; c < kSide; ++c) bytes.push_back(static_cast<std::uint8_t>(r == y || c == x ? 230 : 20));
  }
  return {kSide, kSide, Tensor::from(bytes, {count, kSide * kSide}), {}};
}

struct TrainingPlan {
  Device device = Device::cpu();
  std::uint64_t seed = 0;
  TrainOptions train = {};
  VaeOptions model = {};
  OptimizerOptions optimizer = {};
  std::int64_t images = 256;
};

TrainingPlan small_setup(Device device = Device::cpu()) {
  TrainingPlan s;
  s.device = device;
  s.train.batch_size = 32;
  s.model.features = 64;
  s.model.encoder_widths = {24};
  s.optimizer.learning_rate = 5e-3;
  return s;
}

struct Session {
  explicit Session(const TrainingPlan& s)
      : model(
            [&] {
              VaeOptions o = s.model;
              o.initializer.seed = s.seed;
              return o;
            }(),
            s.device),
        optimizer(model.parameters(), s.optimizer),
        trainer(model, optimizer, bars(s.images).to(s.device), bars(64).to(s.device), [&] {
          TrainOptions o = s.train;
          o.data.seed = s.seed;
          return o;
        }()) {}
  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

std::vector<float> all_parameters(Vae& model) {
  std::vector<float> all;
  for (const Parameter& p : model.parameters())
    for (float v : p.variable.value().to_vector()) all.push_back(v);
  return all;
}

TEST(Trainer, LossFallsAndIsTheSumOfItsParts) {
  Session s(small_setup());
  EpochResult first = s.trainer.run_epoch(), last;
  for (int i = 0; i < 20; ++i) last = s.trainer.run_epoch();
  EXPECT_EQ(last.epoch, 21);
  EXPECT_LT(last.train.loss, first.train.loss - 5);
  for (const Losses& l : {last.train, last.validation}) EXPECT_NEAR(l.loss, l.reconstruction + l.kl, 1e-9);
  EXPECT_GT(last.train.kl, 0.5);
}

TEST(Trainer, TheSameSeedGivesTheSameBits) {
  std::vector<float> parameters[2];
  double loss[2];
  for (int run : {0, 1}) {
    std::optional<SecondRun> second;
    if (run == 1) second.emplace();
    Session s(small_setup(Device::best()));
    s.trainer.run_epoch();
    loss[run] = s.trainer.run_epoch().validation.loss;
    parameters[run] = all_parameters(s.model);
  }
  EXPECT_EQ(parameters[0], parameters[1]);
  EXPECT_EQ(loss[0], loss[1]);
  TrainingPlan other = small_setup(Device::best());
  other.seed = 1;
  Session s(other);
  EXPECT_NE(s.trainer.run_epoch().train.loss, loss[0]);
}

TEST(Trainer, CudaMatchesTheCpuInEveryEpoch) {
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU";
  for (const char* likelihood : {"bernoulli", "gaussian"}) {
    TrainingPlan setup = small_setup();
    if (likelihood == std::string("gaussian")) setup.model.likelihood = gaussian_likelihood();
    Session cpu(setup);
    setup.device = Device::cuda();
    Session cuda(setup);
    for (int epoch = 0; epoch < 3; ++epoch) {
      const EpochResult a = cpu.trainer.run_epoch(), b = cuda.trainer.run_epoch();
      const double scale = std::fabs(a.train.reconstruction) + a.train.kl;
      EXPECT_TRUE(std::fabs(a.train.loss - b.train.loss) <= 2e-5 * scale)
          << a.train.loss << " and " << b.train.loss;
      EXPECT_TRUE(std::fabs(a.validation.loss - b.validation.loss) <= 2e-5 * scale);
      EXPECT_TRUE(std::fabs(a.validation.kl - b.validation.kl) <= 2e-5 * scale);
    }
  }
}

TEST(Trainer, AllocatesNothingAfterTheFirstEpoch) {
  const Device device = Device::best();
  TrainingPlan setup = small_setup(device);
  setup.images = 250;  // the last batch is partial
  Session s(setup);
  s.trainer.run_epoch();
  const MemoryStatistics before = memory_statistics(device);
  for (int i = 0; i < 3; ++i) s.trainer.run_epoch();
  const MemoryStatistics after = memory_statistics(device);
  EXPECT_EQ(after.system_allocations, before.system_allocations);
  EXPECT_EQ(after.reserved_bytes, before.reserved_bytes);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
}

TEST(Trainer, AnyBatchSizeWorks) {
  for (const std::int64_t batch : {1, 7, 32, 255, 256, 1000}) {
    TrainingPlan setup = small_setup();
    setup.train.batch_size = batch;
    Session s(setup);
    EXPECT_EQ(s.trainer.steps_per_epoch(), (256 + batch - 1) / batch);
    EXPECT_EQ(s.trainer.images_per_epoch(), 256);
    EXPECT_TRUE(std::isfinite(s.trainer.run_epoch().train.loss));
  }
  TrainingPlan setup = small_setup();
  setup.train.batch_size = 100;
  setup.train.drop_last = true;
  Session s(setup);
  EXPECT_EQ(s.trainer.images_per_epoch(), 200);
  setup.train.batch_size = 0;
  EXPECT_THROW(Session{setup}, Error);
}

TEST(Trainer, ErrorsOfDivergedRunsNameTheStep) {
  for (const Device device : {Device::cpu(), Device::best()}) {
    Session s(small_setup(device));
    s.trainer.run_epoch();
    const Tensor nan = Tensor::full({1, 1}, std::numeric_limits<double>::quiet_NaN(), DType::f32, device);
    s.model.parameters()[0].variable.value().reshape({64 * 24, 1}).slice(7, 1).copy_from(nan);
    try {
      s.trainer.run_epoch();
      FAIL();
    } catch (const Error& e) {
      EXPECT_STREQ(e.what(), "[train] the loss is not finite at step 9 (epoch 2, step 1 of 8)");
    }
  }
}

// The noise belongs to the sample, so the loss depends on the batch size only through rounding.
TEST(Trainer, EvaluationDoesNotDependOnTheBatchSize) {
  double losses[3];
  int i = 0;
  for (const std::int64_t batch : {64, 9, 1}) {
    TrainingPlan setup = small_setup();
    setup.train.validation_batch = batch;
    Session s(setup);
    losses[i++] = s.trainer.evaluate(bars(64)).loss;
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-5 * losses[0]);
  EXPECT_NEAR(losses[0], losses[2], 1e-5 * losses[0]);
}

TEST(Trainer, FrozenNoiseIsTheSameEveryEpoch) {
  for (const bool frozen : {false, true}) {
    TrainingPlan setup = small_setup();
    setup.train.frozen_noise = frozen;
    Session s(setup);
    const double first = s.trainer.evaluate(bars(64)).loss;
    s.trainer.resume_after(1);
    const double second = s.trainer.evaluate(bars(64)).loss;
    EXPECT_EQ(first == second, frozen);
  }
}

TEST(Trainer, NoiseStdBetaAndPixelMeanTakeEffect) {
  TrainingPlan setup = small_setup();
  const Losses plain = Session(setup).trainer.evaluate(bars(64));
  setup.model.posterior = diagonal_gaussian({PosteriorScale::log_variance, 0});
  EXPECT_NE(Session(setup).trainer.evaluate(bars(64)).reconstruction, plain.reconstruction);
  setup = small_setup();
  setup.train.beta = 3;
  const Losses weighted = Session(setup).trainer.evaluate(bars(64));
  EXPECT_NEAR(weighted.loss, plain.reconstruction + 3 * plain.kl, 1e-4);
  setup.train.beta = 1;
  setup.train.pixel_mean = true;
  EXPECT_NEAR(Session(setup).trainer.evaluate(bars(64)).reconstruction, plain.reconstruction / 64, 1e-5);
}

TEST(Trainer, ResumesBitForBit) {
  Session straight(small_setup()), first(small_setup());
  for (int i = 0; i < 4; ++i) straight.trainer.run_epoch();
  for (int i = 0; i < 2; ++i) first.trainer.run_epoch();

  Session second(small_setup());
  auto from = first.model.parameters(), to = second.model.parameters();
  for (std::size_t i = 0; i < from.size(); ++i) to[i].variable.value().copy_from(from[i].variable.value());
  second.optimizer.restore(first.optimizer.steps(), first.optimizer.state1(), first.optimizer.state2());
  second.trainer.resume_after(2);
  for (int i = 0; i < 2; ++i) second.trainer.run_epoch();
  EXPECT_EQ(all_parameters(second.model), all_parameters(straight.model));
}

TEST(Trainer, GaussianLikelihoodLearnsItsVariance) {
  TrainingPlan setup = small_setup();
  setup.model.likelihood = gaussian_likelihood();
  Session s(setup);
  const double before = s.trainer.run_epoch().validation.loss;
  EpochResult last;
  for (int i = 0; i < 60; ++i) last = s.trainer.run_epoch();
  EXPECT_LT(last.validation.loss, before - 30);
  EXPECT_LT(last.validation.loss, 0);  // negative, because the density of well-described pixels exceeds 1
}

TEST(Vae, ParametersAreCountedAndNamed) {
  VaeOptions o;
  Vae model(o, Device::cpu());
  EXPECT_EQ(model.parameter_count(), 404244);  // 784-256-(2, 2), 2-256-784
  std::vector<std::string> names;
  for (const Parameter& p : model.parameters()) names.push_back(p.name);
  EXPECT_EQ(names, (std::vector<std::string>{"encoder.0.weight", "encoder.0.bias", "posterior.weight",
                                             "posterior.bias", "decoder.0.weight", "decoder.0.bias",
                                             "output.weight", "output.bias"}));
  o.encoder_widths = {200};
  o.likelihood = gaussian_likelihood();
  o.features = 560;
  EXPECT_EQ(Vae(o, Device::cpu()).parameter_count(), 338724);  // the FLEX model on Frey Face
  o = {};
  o.encoder_widths = {200, 100};
  o.latent = 2;
  EXPECT_EQ(Vae(o, Device::cpu()).parameters().size(), 12u);
}

TEST(Vae, InitialisersHaveTheExpectedMoments) {
  const auto moments = [](const Initializer& init) {
    const Linear layer("l", 400, 300, Activation::identity, init, Device::cpu());
    double sum = 0, squares = 0, most = 0;
    const auto w = layer.weight.value().to_doubles();
    for (double v : w) {
      sum += v;
      squares += v * v;
      most = std::max(most, std::fabs(v));
    }
    return std::array{sum / w.size(), std::sqrt(squares / w.size()), most};
  };
  const double a = std::sqrt(6.0 / 700);
  const auto glorot = moments({.weight = WeightInit::glorot_uniform});
  EXPECT_NEAR(glorot[0], 0, 1e-3);
  EXPECT_NEAR(glorot[1], a / std::sqrt(3.0), 1e-3);
  EXPECT_LE(glorot[2], a);
  EXPECT_NEAR(moments({.weight = WeightInit::he_normal})[1], std::sqrt(2.0 / 400), 1e-3);
  EXPECT_NEAR(moments({.weight = WeightInit::normal, .weight_std = 0.01})[1], 0.01, 1e-4);
  EXPECT_NEAR(moments({.weight = WeightInit::two_over_root_fan_in})[1], 0.1, 1e-3);
  const Linear biased("l", 4, 10000, Activation::identity, {.bias_std = 0.5}, Device::cpu());
  double squares = 0;
  for (double b : biased.bias.value().to_doubles()) squares += b * b;
  EXPECT_NEAR(std::sqrt(squares / 10000), 0.5, 0.02);
  // Glorot initialisation treats the posterior's mean and scale as separate layers with 2 outputs each.
  const Linear heads("p", 256, 4, Activation::identity, {}, Device::cpu(), 2);
  double most = 0;
  for (double v : heads.weight.value().to_doubles()) most = std::max(most, std::fabs(v));
  EXPECT_LE(most, std::sqrt(6.0 / 258));
  EXPECT_GT(most, std::sqrt(6.0 / 260));
}

}  // namespace
}  // namespace gpuvae
