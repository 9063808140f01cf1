// Compares the fused kernels of a whole training step with the step made of operations, on the same device.
#include "src/train/fused_step.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "gpuvae/error.h"
#include "kernels/math/functions.h"
#include "kernels/math/philox.h"
#include "tests/exact_allocator.h"
#include "tests/second_run.h"

namespace gpuvae {
namespace {

struct Plan {
  VaeOptions model = {};
  OptimizerOptions optimizer = {};
  TrainOptions train = {};
  std::int64_t images = 24;
  bool floats = false;  // f32 data instead of bytes
  kernels::FusedPrecision precision = kernels::FusedPrecision::automatic;
};

Plan plan_of(std::int64_t pixels, std::vector<std::int64_t> widths, std::int64_t latent) {
  Plan p;
  p.model.features = pixels;
  p.model.encoder_widths = std::move(widths);
  p.model.latent = latent;
  p.model.initializer.bias_std = 0.1;
  p.optimizer.learning_rate = 3e-3;
  p.train.batch_size = 10;
  p.train.data.seed = 5;
  return p;
}

Dataset images_of(const Plan& p, Device device) {
  std::vector<std::uint8_t> bytes;
  std::vector<float> floats;
  for (std::int64_t i = 0; i < p.images * p.model.features; ++i) {
    const std::uint32_t word = philox4x32(static_cast<std::uint32_t>(i), 1, 2, 3, 4).v[0];
    bytes.push_back(static_cast<std::uint8_t>(word >> 24));
    floats.push_back(uniform01(word) * 2 - 0.5f);
  }
  const Shape shape{p.images, p.model.features};
  return {1,
          static_cast<int>(p.model.features),
          p.floats ? Tensor::from(floats, shape, device) : Tensor::from(bytes, shape, device),
          {}};
}

struct Outcome {
  RunState totals;
  std::vector<double> parameters;
};

std::vector<double> all_parameters(Vae& model) {
  std::vector<double> all;
  for (const Parameter& p : model.parameters())
    for (double v : p.variable.value().to_doubles()) all.push_back(v);
  return all;
}

// Returns the trainer's sums and the parameters after `epochs` epochs of eager training.
Outcome eager(const Plan& p, int epochs) {
  const Device device = Device::best();
  Vae model(p.model, device);
  Optimizer optimizer(model.parameters(), p.optimizer);
  const Dataset images = images_of(p, device);
  // By default, the trainer would choose the fused step.
  TrainOptions options = p.train;
  options.executor = Executor::eager;
  Trainer trainer(model, optimizer, images, images.slice(0, 0), options);
  Outcome out;
  for (int i = 0; i < epochs; ++i) {
    const Losses losses = trainer.run_epoch().train;
    out.totals.sums[0] += losses.reconstruction * static_cast<double>(trainer.images_per_epoch());
    out.totals.sums[1] += losses.kl * static_cast<double>(trainer.images_per_epoch());
  }
  out.parameters = all_parameters(model);
  return out;
}

RunState read(const Tensor& bytes) {
  RunState totals;
  const Tensor host = bytes.to(Device::cpu());
  std::memcpy(&totals, host.data(), sizeof totals);
  return totals;
}

// Trains with the fused step. The device counts the steps, as in a captured graph.
Outcome fused(const Plan& p, int epochs) {
  const Device device = Device::best();
  const ExactAllocator::Scope exact(device);
  Vae model(p.model, device);
  Optimizer optimizer(model.parameters(), p.optimizer);
  const Dataset images = images_of(p, device);
  FusedStep step(model, optimizer, images, p.train, p.precision);
  const RunState zero;
  std::vector<std::uint8_t> bytes(sizeof zero);
  std::memcpy(bytes.data(), &zero, sizeof zero);
  const Tensor state = Tensor::from(bytes, {sizeof zero}, device);
  auto* run = static_cast<RunState*>(state.data());
  const std::int64_t full = p.images / p.train.batch_size;
  const bool ragged = p.images % p.train.batch_size != 0 && !p.train.drop_last;
  const Clock clock{0, step_counter(state), static_cast<std::uint64_t>(full + ragged)};
  for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(epochs) * clock.steps_per_epoch; ++i)
    step.enqueue({clock, clock, p.train.batch_size, run});
  Outcome out;
  out.totals = read(state);
  out.parameters = all_parameters(model);
  return out;
}

// Returns the largest difference, relative to the largest number.
double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double most = 0, difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::fabs(b[i]));
    difference = std::max(difference, std::isnan(a[i]) ? INFINITY : std::fabs(a[i] - b[i]));
  }
  return difference / most;
}

void expect_same(const Plan& p, double tolerance, const char* what) {
  const Outcome expected = eager(p, 2), got = fused(p, 2);
  for (int i = 0; i < 2; ++i) {
    const double error = std::fabs(got.totals.sums[i] / expected.totals.sums[i] - 1);
    EXPECT_TRUE(error <= tolerance) << what << ": sum " << i << " is " << got.totals.sums[i] << ", expected "
                                    << expected.totals.sums[i] << ", error " << error;
  }
  const double error = distance(got.parameters, expected.parameters);
  EXPECT_TRUE(error <= tolerance) << what << ": parameters differ by " << error;
  EXPECT_EQ(got.totals.bad_step, 0u) << what;
}

// Adam divides by the root of the mean square, so a gradient near zero moves a parameter as far as any other
// gradient, in a direction that rounding decides. A large epsilon prevents this.
OptimizerOptions damped(OptimizerKind kind) {
  OptimizerOptions o = OptimizerOptions::defaults(kind);
  o.learning_rate = 1e-2;
  o.epsilon = 1e-3;
  return o;
}

#define SKIP_WITHOUT_TENSOR_CORES() \
  if (!Device::best().backend().supports(Precision::tf32)) GTEST_SKIP() << "no tensor cores for TF32"
#define SKIP_WITHOUT_GPU() \
  if (Device::cuda_count() == 0) GTEST_SKIP() << "no GPU"

// The limit of the relative errors of sums and parameters after two epochs. Only the order of summation
// differs. Errors are at most 3.2e-6 on the emulated device (RMSprop's first steps, whose size is that of the
// gradient's sign), otherwise 5e-7.
constexpr double kTolerance = 1e-5;

TEST(FusedStepDevice, MatchesTheEagerTrainer) {
  SKIP_WITHOUT_GPU();
  Plan p = plan_of(20, {17}, 3);
  p.optimizer = damped(OptimizerKind::adam);
  expect_same(p, kTolerance, "one hidden layer");
}

TEST(FusedStepDevice, ComputesTheSameBitsInEveryRun) {
  SKIP_WITHOUT_GPU();
  Plan p = plan_of(12, {6, 5}, 2);
  p.train.batch_size = 6;
  p.images = 15;
  const Outcome a = fused(p, 1);
  const SecondRun second;
  const Outcome b = fused(p, 1);
  EXPECT_EQ(a.parameters, b.parameters);
  EXPECT_EQ(a.totals.sums[0], b.totals.sums[0]);
  EXPECT_EQ(a.totals.sums[1], b.totals.sums[1]);
  EXPECT_EQ(a.totals.step, 3u);
}

TEST(FusedStep, SupportsEveryActivationWhoseSlopeNeedsOnlyTheOutput) {
  SKIP_WITHOUT_GPU();
  for (const Activation activation : all_activations()) {
    if (!math::slope_from_output(activation)) continue;
    Plan p = plan_of(17, {9}, 2);
    p.model.activation = activation;
    p.optimizer = damped(OptimizerKind::adam);
    expect_same(p, kTolerance, name(p.model.activation).data());
  }
}

TEST(FusedStep, SupportsEveryOptimizerAndDecay) {
  SKIP_WITHOUT_GPU();
  for (int kind = 0; kind < 6; ++kind) {
    Plan p = plan_of(9, {8}, 2);
    p.optimizer = damped(OptimizerKind(kind));
    p.optimizer.l2 = 0.05;
    p.optimizer.l2_biases = kind % 2 == 0;
    if (p.optimizer.kind == OptimizerKind::sgd) {
      p.optimizer.beta1 = 0.9;
      p.optimizer.learning_rate = 1e-3;
    }
    p.model.likelihood = gaussian_likelihood({.sigmoid_mean = kind % 3 != 0, .low = -1, .high = 1});
    expect_same(p, kTolerance, name(p.optimizer.kind).data());
  }
}

TEST(FusedStep, SupportsOddWidthsAndTwoHiddenLayers) {
  SKIP_WITHOUT_GPU();
  struct Sizes {
    std::int64_t pixels, latent;
    std::vector<std::int64_t> encoder, decoder;
    bool gaussian;
  };
  for (const Sizes& s : {Sizes{1, 1, {1}, {1}, false},
                         {3, 5, {3}, {17}, true},
                         {17, 3, {5, 17}, {3, 33}, false},
                         {6, 2, {4}, {7, 3}, true},
                         {100, 9, {70, 18}, {66}, false}}) {
    Plan p = plan_of(s.pixels, s.encoder, s.latent);
    p.model.decoder_widths = s.decoder;
    p.optimizer = damped(OptimizerKind::rmsprop);
    p.model.activation = Activation::tanh;
    if (s.gaussian) p.model.likelihood = gaussian_likelihood();
    expect_same(p, kTolerance, fmt::format("{} pixels", s.pixels).c_str());
  }
}

// Padding and the unused rows of a smaller batch are written before they are read. A device that detects
// reads of uninitialised memory must find none; no products of other libraries run here.
TEST(FusedStep, ReadsNoUninitialisedMemory) {
  SKIP_WITHOUT_GPU();
  for (int latent = 1; latent <= 9; ++latent)
    for (const bool gaussian : {false, true}) {
      Plan p = plan_of(9 + latent, {4 + latent}, latent);
      if (latent % 3 == 0) p.model.encoder_widths.push_back(6);
      p.optimizer = damped(OptimizerKind::adam);
      p.floats = latent % 2 == 0;
      // Even the first batch is not full if the data set is smaller than a batch.
      p.train.batch_size = latent == 5 ? 30 : 10;
      p.images = 13 + latent;
      if (gaussian) p.model.likelihood = gaussian_likelihood();
      const Outcome out = fused(p, 1);
      for (const double v : out.parameters) ASSERT_TRUE(std::isfinite(v)) << latent;
      EXPECT_EQ(out.totals.bad_step, 0u) << latent;
    }
}

TEST(FusedStep, SupportsLargeTilesAndManyRows) {
  SKIP_WITHOUT_GPU();
  Plan p = plan_of(70, {100}, 3);
  p.train.batch_size = 40;
  p.images = 75;
  p.optimizer = damped(OptimizerKind::adam);
  expect_same(p, kTolerance, "several tiles in every direction");
}

TEST(FusedStep, SupportsEveryDataSetAndNoise) {
  SKIP_WITHOUT_GPU();
  for (int i = 0; i < 9; ++i) {
    Plan p = plan_of(10, {8}, 2);
    p.optimizer = damped(OptimizerKind::adam);
    p.train.data.shuffle = i != 0;
    if (i >= 1 && i <= 3) p.train.data.binarize = Binarize(i);
    if (i == 4 || i == 5) {
      p.floats = true;
      p.model.likelihood = gaussian_likelihood({.sigmoid_mean = false});
    }
    if (i == 5) {
      p.train.data.binarize = Binarize::threshold;
      p.train.data.threshold = 0.3;
    }
    p.train.frozen_noise = i == 6;
    p.train.drop_last = i == 6;
    if (i == 7) {
      p.train.batch_size = 1;
      p.images = 3;
    }
    if (i == 8) p.train.batch_size = 40;  // more than the data set has
    expect_same(p, kTolerance, fmt::format("variant {}", i).c_str());
  }
}

TEST(FusedStep, SupportsEveryPosteriorAndLossWeight) {
  SKIP_WITHOUT_GPU();
  for (int i = 0; i < 7; ++i) {
    Plan p = plan_of(10, {8}, 2);
    p.optimizer = damped(OptimizerKind::adam);
    if (i < 3) p.model.posterior = diagonal_gaussian({.scale = PosteriorScale(i)});
    if (i == 3) p.model.posterior = diagonal_gaussian({.noise_std = 0});
    if (i == 4) {
      p.train.beta = 4;
      p.train.warmup_epochs = 1.5;
    }
    p.train.pixel_mean = i == 5;
    p.train.batch_sum = i == 6;
    expect_same(p, kTolerance, fmt::format("variant {}", i).c_str());
  }
}

TEST(FusedStep, UsesTheRequestedPrecision) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  using kernels::FusedPrecision;
  Plan p = plan_of(40, {24}, 3);
  p.optimizer = damped(OptimizerKind::adam);
  const Outcome expected = eager(p, 1);
  const auto error = [&](FusedPrecision precision) {
    p.precision = precision;
    return distance(fused(p, 1).parameters, expected.parameters);
  };
  const double ffma = error(FusedPrecision::ffma), split = error(FusedPrecision::split_tf32);
  const double tf32 = error(FusedPrecision::tf32), bf16 = error(FusedPrecision::bf16);
  EXPECT_TRUE(ffma <= 2e-6 && split <= 2e-6) << ffma << " and " << split;
  EXPECT_TRUE(tf32 > 5 * split && tf32 <= 1e-3) << tf32;
  EXPECT_TRUE(bf16 > 2 * tf32 && bf16 <= 1e-2) << bf16;
  EXPECT_EQ(error(FusedPrecision::automatic), split);
}

// Returns sizes, data and likelihoods that take different paths through a kernel: aligned and unaligned rows
// of data and weights, more latent dimensions than are prefetched, products of many chunks.
Plan variant(int which, bool large, bool deep) {
  const std::int64_t latent[] = {3, 14, 12, 14, 5}, width = large ? 36 : 17;
  Plan p = plan_of((large ? 40 : 20) + which % 2, {width}, latent[which]);
  if (deep) p.model.encoder_widths = {width, large ? 44 : 9};
  if (deep) p.model.decoder_widths = {large ? 35 : 7, large ? 50 : 18};
  if (which == 3) {
    p.model.features = deep ? 580 : 20;
    p.model.decoder_widths = {deep ? 7 : 580};
  }
  if (which == 3) p.model.encoder_widths = {width};
  if (which == 4) {
    p.model.encoder_widths = {300, width};
    p.model.decoder_widths = {300, width + 1};
  }
  // Rounding must not be amplified, neither by Adam to a full step nor by ReLU's kink to a different
  // gradient.
  p.model.activation = Activation::tanh;
  p.optimizer = OptimizerOptions::defaults(OptimizerKind::sgd);
  p.optimizer.learning_rate = 0.05;
  p.floats = which == 2;
  if (which == 1) p.train.data.binarize = Binarize::dynamic;
  if (which == 2) p.model.likelihood = gaussian_likelihood();
  return p;
}

// Returns the largest error of a parameter's update, relative to the largest update of the same weight or
// bias. Relative to the parameters themselves, a wrong gradient of one step would hardly be visible.
double update_error(const Plan& p, const std::vector<double>& got, const std::vector<double>& expected) {
  Vae fresh(p.model, Device::cpu());
  double worst = 0;
  std::size_t at = 0;
  for (const Parameter& parameter : fresh.parameters()) {
    double error = 0, largest = 1e-12;
    for (const double before : parameter.variable.value().to_doubles()) {
      error = std::max(error, std::fabs(got[at] - expected[at]));
      largest = std::max(largest, std::fabs(expected[at] - before));
      if (std::isnan(got[at])) return INFINITY;
      ++at;
    }
    worst = std::max(worst, error / largest);
  }
  return worst;
}

// Compares every precision with eager steps. `slack` allows larger errors of the updates, but not of the
// losses, in which the errors of single numbers cancel.
void expect_every_precision(Plan p, double slack = 1) {
  using kernels::FusedPrecision;
  struct Limits {
    FusedPrecision precision;
    double update, loss;
  };
  const Outcome expected = eager(p, 1);
  for (const Limits& limits : {Limits{FusedPrecision::ffma, 5e-5, 1e-6},
                               {FusedPrecision::split_tf32, 5e-5, 1e-6},
                               {FusedPrecision::tf32, 8e-3, 1e-3},
                               {FusedPrecision::bf16, 5e-2, 1e-2}}) {
    p.precision = limits.precision;
    const Outcome got = fused(p, 1);
    const double error = update_error(p, got.parameters, expected.parameters);
    EXPECT_TRUE(error <= slack * limits.update)
        << "precision " << int(p.precision) << ": updates differ by " << error;
    for (int i = 0; i < 2; ++i) {
      const double loss = std::fabs(got.totals.sums[i] / expected.totals.sums[i] - 1);
      EXPECT_TRUE(loss <= limits.loss)
          << "precision " << int(p.precision) << ": sum " << i << " differs by " << loss;
    }
  }
}

// Each precision has separate kernels for small and large tiles, and for each source of a layer's input.
class FusedVariantDevice : public testing::TestWithParam<int> {};

TEST_P(FusedVariantDevice, SupportsEveryPrecision) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  expect_every_precision(variant(GetParam() / 4, GetParam() & 1, GetParam() & 2));
}
INSTANTIATE_TEST_SUITE_P(Variants, FusedVariantDevice, testing::Range(0, 18));

// Combines each precision with every activation, optimiser, posterior scale and likelihood, whose code is in
// every kernel. Some batches have more rows than a chunk of the weights' products, and some latent codes are
// longer than the prefetched part.
class FusedMixDevice : public testing::TestWithParam<int> {};

TEST_P(FusedMixDevice, SupportsEveryPrecision) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  const int i = GetParam();
  const char* limit = std::getenv("GPUVAE_TEST_ELEMENTS");
  if (limit && i >= 12 && std::atoll(limit) < 1'000'000)
    GTEST_SKIP() << "larger than GPUVAE_TEST_ELEMENTS allows";
  const bool odd = i % 2 != 0, deep = i / 2 % 2 != 0;
  const std::int64_t latent[] = {22, 13, 20};
  Plan p = plan_of(23, {18}, latent[i % 3]);
  if (i / 12 == 1) {  // large tiles
    p = plan_of(odd ? 81 : 60, {odd ? 70 : 52}, latent[i % 3]);
    p.train.batch_size = i % 3 == 0 ? 70 : 33;
    p.images = 75;
  } else if (i / 12 >= 2) {  // products of many chunks, with small and with large tiles
    p.model.features = odd ? (i / 12 == 2 ? 23 : 41) : 1100;
    p.model.decoder_widths = {odd ? 600 : 20};
    p.images = 13;
    if (i / 12 == 3) {
      p.train.batch_size = 40;
      p.images = 43;
    }
  }
  if (deep) p.model.encoder_widths.push_back(p.model.encoder_widths[0] + 3);
  if (deep && !p.model.decoder_widths.empty())
    p.model.decoder_widths.insert(p.model.decoder_widths.begin(), 21);
  p.model.activation = Activation(i % 6);
  p.model.posterior =
      diagonal_gaussian({.scale = PosteriorScale(i / 3 % 3), .noise_std = i % 5 == 4 ? 0.0 : 1.0});
  if (i % 4 > 1) p.model.likelihood = gaussian_likelihood({.sigmoid_mean = i % 8 > 3});
  p.floats = i % 4 == 3;
  p.optimizer = OptimizerOptions::defaults(OptimizerKind((i + i / 6) % 6));
  // As in variant(), updates are nearly proportional to the gradient, and large relative to the parameters'
  // rounding.
  const bool adagrad = p.optimizer.kind == OptimizerKind::adagrad;
  p.optimizer.learning_rate = i % 4 == 3 || i / 12 == 1 ? 0.02 : i / 12 >= 2 ? 0.002 : 0.05;
  p.optimizer.epsilon = 1;
  if (adagrad) {
    p.optimizer.learning_rate *= i < 24 ? 500 : 2000;
    p.optimizer.epsilon = 1e3;
  }
  p.optimizer.l2 = 0.01;
  p.optimizer.l2_biases = i % 2 == 0;
  // The input of some unit is so close to a kink that rounding matters, and the identity does not bound
  // rounding errors.
  const bool bounded = static_cast<int>(p.model.activation) > static_cast<int>(Activation::leaky_relu);
  expect_every_precision(p, bounded ? 1 : 30);
}
INSTANTIATE_TEST_SUITE_P(Mixes, FusedMixDevice, testing::Range(0, 24));
// Even numbers have wide data, and odd numbers have wide hidden layers.
INSTANTIATE_TEST_SUITE_P(LongMixes, FusedMixDevice,
                         testing::Values(24, 25, 29, 31, 33, 36, 37, 40, 41, 43, 45));

TEST(FusedStep, NamesTheFirstStepThatIsNotFinite) {
  SKIP_WITHOUT_GPU();
  Plan p = plan_of(4, {3}, 1);
  p.model.likelihood = gaussian_likelihood();
  p.optimizer = OptimizerOptions::defaults(OptimizerKind::sgd);
  p.optimizer.learning_rate = 1e30;
  const RunState totals = fused(p, 1).totals;
  EXPECT_EQ(totals.bad_step, 2u);
  EXPECT_EQ(totals.step, 3u);
}

std::string why_not(const Plan& p, Device device) {
  Vae model(p.model, device);
  Optimizer optimizer(model.parameters(), p.optimizer);
  return FusedStep::why_not(model, optimizer, images_of(p, device), p.train);
}

TEST(FusedStep, NamesTheObstacle) {
  const Plan good = plan_of(4, {3}, 1);
  EXPECT_EQ(why_not(good, Device::cpu()), "the model is on the CPU");
  EXPECT_THROW(Device::cpu().backend().fused_step({}, nullptr), Error);
  SKIP_WITHOUT_GPU();
  const auto why = [&](const std::function<void(Plan&)>& change) {
    Plan p = good;
    change(p);
    return why_not(p, Device::cuda());
  };
  EXPECT_EQ(why([](Plan&) {}), "");
  EXPECT_EQ(why([](Plan& p) { p.model.prior = gaussian_mixture_prior(3); }),
            "the prior is " + gaussian_mixture_prior(3)->name());
  EXPECT_EQ(why([](Plan& p) { p.model.likelihood = continuous_bernoulli_likelihood(); }),
            "the likelihood is continuous Bernoulli");
  EXPECT_EQ(why([](Plan& p) {
              p.model.encoder_widths = {3, 3, 3};
              p.model.decoder_widths = {3};
            }),
            "the encoder has 3 hidden layers, not 1 or 2");
  EXPECT_EQ(why([](Plan& p) { p.model.decoder_widths = {1025}; }),
            "the decoder has a hidden layer of 1025, above 1024");
  EXPECT_EQ(why([](Plan& p) { p.model.latent = 65; }), "the latent code has 65 dimensions, above 64");
  EXPECT_EQ(why([](Plan& p) { p.train.batch_size = 513; }), "the batch is 513, above 512");
  for (const Activation activation : all_activations()) {
    const std::string reason = why([=](Plan& p) { p.model.activation = activation; });
    EXPECT_EQ(reason.empty(), math::slope_from_output(activation)) << reason;
    EXPECT_EQ(reason.find(name(activation)) != std::string::npos, !reason.empty()) << reason;
  }
  EXPECT_NE(why([](Plan& p) { p.optimizer.clip_norm = 1; }).find("clipped"), std::string::npos);
  EXPECT_NE(why([](Plan& p) { p.train.free_bits = 1; }).find("free bits"), std::string::npos);
  Plan wide = good;
  wide.model.latent = 65;
  EXPECT_THROW(fused(wide, 1), Error);
}

}  // namespace
}  // namespace gpuvae
