// Compares the fused training step with the eager step, which consists of separate operations, on the same
// device.
#include <bit>

#include "kernels/math/functions.h"
#include "tests/train/fused_runs.h"

namespace gpuvae {
namespace {

using namespace test;

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

// Padding and the unused rows of a smaller batch must be written before they are read. The emulated device
// and compute-sanitizer report reads of uninitialised memory. No kernel of another library runs here, so
// nothing else can be reported.
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

TEST(FusedStep, SupportsEveryTypeOfDataAndNoise) {
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
    if (i == 8) p.train.batch_size = 40;  // larger than the data set
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

// With beta1 = 0, the logarithm in Adam's correction of the mean is infinite.
TEST(FusedStep, SupportsAdamWithoutMomentum) {
  SKIP_WITHOUT_GPU();
  Plan p = plan_of(17, {9}, 2);
  p.optimizer = damped(OptimizerKind::adam);
  p.optimizer.beta1 = 0;
  expect_same(p, kTolerance, "beta1 = 0");
}

// Sets the parameters whose names begin with `prefix`. set(i, x) returns the new value of element i, which is
// x.
void set_parameters(const Vae& model, const std::string& prefix,
                    const std::function<float(std::size_t, float)>& set) {
  for (const Parameter& p : model.parameters()) {
    if (!p.name.starts_with(prefix)) continue;
    std::vector<float> values = p.variable.value().to_vector();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = set(i, values[i]);
    p.variable.value().copy_from(Tensor::from(values, p.variable.shape()));
  }
}

// The inputs of half of the units are about +-100, where exponentials overflow and activations saturate.
TEST(FusedStep, SupportsSaturatedUnits) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  for (const Activation activation : all_activations()) {
    if (!math::slope_from_output(activation)) continue;
    for (const bool deep : {false, true}) {
      Plan p = plan_of(20, {12}, 2);
      if (deep) p.model.encoder_widths = p.model.decoder_widths = {12, 16};
      p.model.activation = activation;
      p.optimizer = damped(OptimizerKind::sgd);
      p.optimizer.learning_rate = 1e-7;  // losses are large where the activation is not bounded
      p.prepare = [](const Vae& model) {
        for (const char* layer : {"encoder.0.bias", "encoder.1.bias", "decoder.0.bias", "decoder.1.bias"})
          set_parameters(model, layer, [](std::size_t i, float x) {
            return i % 2 ? x : i % 4 ? x + 100 : x - 100;
          });
        // Weights of the next layers that keep the sums moderate.
        for (const char* layer : {"posterior.weight", "output.weight"})
          set_parameters(model, layer, [](std::size_t, float x) { return x * 1e-3f; });
      };
      for (const auto precision : {kernels::FusedPrecision::ffma, kernels::FusedPrecision::split_tf32}) {
        p.precision = precision;
        expect_same(p, kTolerance, fmt::format("{}, deep {}", name(activation), deep).c_str());
      }
    }
  }
}

// Rounds to the nearest TF32 number, which has 10 bits of fraction.
float rounded_to_tf32(float x) {
  auto bits = std::bit_cast<std::uint32_t>(x);
  return std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
}

// The encoder's weights lie between two TF32 numbers, always nearer to the larger one, and its inputs are 0
// or 1. The KL divergence is then that of the rounded weights.
TEST(FusedStep, RoundsToTheNearestTf32) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  for (const std::int64_t width : {17, 36}) {
    Plan p = plan_of(40, {width}, 3);
    p.model.activation = Activation::tanh;
    p.train.data.binarize = Binarize::threshold;
    p.train.batch_size = p.images;
    p.precision = kernels::FusedPrecision::tf32;
    const auto between = [](std::size_t, float x) {
      return std::bit_cast<float>((std::bit_cast<std::uint32_t>(x) & ~0x1fffu) | 0x1800u);
    };
    p.prepare = [=](const Vae& model) { set_parameters(model, "encoder.0.weight", between); };
    const double got = fused(p, 1).totals.sums[1], unrounded = eager(p, 1).totals.sums[1];
    p.prepare = [=](const Vae& model) {
      set_parameters(model, "encoder.0.weight",
                     [=](std::size_t i, float x) { return rounded_to_tf32(between(i, x)); });
    };
    const double expected = eager(p, 1).totals.sums[1];
    EXPECT_TRUE(std::fabs(got / expected - 1) <= 2e-6) << width << ": " << got << ", expected " << expected;
    EXPECT_TRUE(std::fabs(unrounded / expected - 1) > 2e-5) << width << ": rounding makes no difference";
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

TEST(FusedStep, ReportsTheFirstStepWithANonFiniteLoss) {
  SKIP_WITHOUT_GPU();
  Plan p = plan_of(4, {3}, 1);
  p.model.likelihood = gaussian_likelihood();
  p.optimizer = OptimizerOptions::defaults(OptimizerKind::sgd);
  p.optimizer.learning_rate = 1e30;
  for (int precision = 0; precision <= static_cast<int>(kernels::FusedPrecision::bf16); ++precision) {
    p.precision = kernels::FusedPrecision(precision);
    const RunState totals = fused(p, 1).totals;
    EXPECT_EQ(totals.bad_step, 2u) << precision;
    EXPECT_EQ(totals.step, 3u) << precision;
  }
}

std::string why_not(const Plan& p, Device device) {
  Vae model(p.model, device);
  Optimizer optimizer(model.parameters(), p.optimizer);
  return FusedStep::why_not(model, optimizer, images_of(p, device), p.train);
}

TEST(FusedStep, SaysWhyItIsUnavailable) {
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
            "the encoder has 3 hidden layers (1 or 2 are supported)");
  EXPECT_EQ(why([](Plan& p) { p.model.decoder_widths = {1025}; }),
            "the decoder has a hidden layer of 1025 units (at most 1024)");
  EXPECT_EQ(why([](Plan& p) { p.model.latent = 65; }), "the latent code has 65 dimensions (at most 64)");
  EXPECT_EQ(why([](Plan& p) { p.train.batch_size = 513; }), "the batch size is 513 (at most 512)");
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
