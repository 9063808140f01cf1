// Compares the fused training step in every precision, over mixes of sizes, activations, optimisers and
// posteriors.
#include "kernels/math/functions.h"
#include "tests/train/fused_runs.h"

namespace gpuvae {
namespace {

using namespace test;

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

}  // namespace
}  // namespace gpuvae
