// Compares the fused training step in every precision, over mixes of sizes, activations, optimisers and
// posteriors.
#include <cfloat>

#include "kernels/math/functions.h"
#include "tests/train/fused_runs.h"

namespace gpuvae {
namespace {

using namespace test;

// Returns sizes, data and likelihoods that take different paths through a kernel: aligned and unaligned rows
// of data and weights, more latent dimensions than are prefetched, products of many chunks.
Plan variant(int which, bool large, bool deep) {
  const std::int64_t latent[] = {3, 14, 12, 14, 5, 8, 4}, width = large ? 36 : 17;
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
  if (which == 5) {  // Gaussian, and rows of weights that are loaded in vectors of four
    p.model.encoder_widths = {width + 3};
    p.model.decoder_widths = {8, large ? 48 : 20};
    p.model.likelihood = gaussian_likelihood();
  }
  if (which == 6) {  // a long product of numbers of both signs
    p.model.encoder_widths = {8};
    p.model.decoder_widths = {large ? 300 : 600};
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

// Returns the largest error of a parameter's update, beyond the rounding of the parameter and relative to the
// largest update of the same weight or bias. Relative to the parameters themselves, a wrong gradient of one
// step would hardly be visible.
double update_error(const Plan& p, const std::vector<double>& got, const std::vector<double>& expected) {
  Vae fresh(p.model, Device::cpu());
  double worst = 0;
  std::size_t at = 0;
  for (const Parameter& parameter : fresh.parameters()) {
    double error = 0, largest = 1e-12;
    for (const double before : parameter.variable.value().to_doubles()) {
      error = std::max(error, std::fabs(got[at] - expected[at]) - FLT_EPSILON * std::fabs(expected[at]));
      largest = std::max(largest, std::fabs(expected[at] - before));
      if (std::isnan(got[at])) return INFINITY;
      ++at;
    }
    worst = std::max(worst, error / largest);
  }
  return worst;
}

// The largest errors of a precision: of the updates and, relative, of the losses, in which the errors of
// single numbers cancel.
struct Limits {
  kernels::FusedPrecision precision;
  double update, loss;
};
constexpr Limits kLimits[] = {{kernels::FusedPrecision::ffma, 5e-5, 1e-6},
                              {kernels::FusedPrecision::split_tf32, 5e-5, 1e-6},
                              {kernels::FusedPrecision::tf32, 8e-3, 1e-3},
                              {kernels::FusedPrecision::bf16, 5e-2, 1e-2}};

// Compares a precision with the result of eager steps. `slack` allows larger errors of the updates.
void expect_close_totals(Plan p, const Limits& limits, const Outcome& expected, double slack) {
  p.precision = limits.precision;
  const Outcome got = fused(p, 1);
  const double error = update_error(p, got.parameters, expected.parameters);
  EXPECT_TRUE(error <= slack * limits.update)
      << "precision " << int(p.precision) << ": updates differ by " << error;
  for (int i = 0; i < 2; ++i) {
    const double loss = std::fabs(got.totals.sums[i] / expected.totals.sums[i] - 1);
    EXPECT_TRUE(loss <= limits.loss) << "precision " << int(p.precision) << ": sum " << i << " differs by "
                                     << loss;
  }
}

void expect_every_precision(const Plan& p, double slack = 1) {
  const Outcome expected = eager(p, 1);
  for (const Limits& limits : kLimits) expect_close_totals(p, limits, expected, slack);
}

// The input of some unit is so close to a kink that rounding matters, and the identity does not bound
// rounding errors.
double slack_of(Activation activation) {
  return static_cast<int>(activation) > static_cast<int>(Activation::leaky_relu) ? 1 : 30;
}

// Sets a learning rate at which updates are nearly proportional to the gradient, and large relative to the
// parameters' rounding, as in variant().
void damp(OptimizerOptions& optimizer, double rate, double adagrad) {
  const bool grows = optimizer.kind == OptimizerKind::adagrad;
  optimizer.learning_rate = rate * (grows ? adagrad : 1);
  optimizer.epsilon = grows ? 1e3 : 1;
}

// Each precision has separate kernels for small and large tiles, and for each source of a layer's input.
class FusedVariantDevice : public testing::TestWithParam<int> {};

TEST_P(FusedVariantDevice, SupportsEveryPrecision) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  expect_every_precision(variant(GetParam() / 4, GetParam() & 1, GetParam() & 2));
}
INSTANTIATE_TEST_SUITE_P(Variants, FusedVariantDevice,
                         testing::Values(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21,
                                         24, 25));

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
  damp(p.optimizer, i % 4 == 3 || i / 12 == 1 ? 0.02 : i / 12 >= 2 ? 0.002 : 0.05, i < 24 ? 500 : 2000);
  p.optimizer.l2 = 0.01;
  p.optimizer.l2_biases = i % 2 == 0;
  expect_every_precision(p, slack_of(p.model.activation));
}
INSTANTIATE_TEST_SUITE_P(Mixes, FusedMixDevice, testing::Range(0, 24));
// Even numbers have wide data, and odd numbers have wide hidden layers.
INSTANTIATE_TEST_SUITE_P(LongMixes, FusedMixDevice,
                         testing::Values(24, 25, 29, 31, 33, 36, 37, 40, 41, 43, 45));

// Draws numbers that are the same everywhere.
class Draw {
 public:
  explicit Draw(int seed) : seed_(seed) {}
  // Returns a number from 0 to count - 1.
  int below(int count) {
    const std::uint32_t word = philox4x32(static_cast<std::uint32_t>(seed_), next_++, 7, 8, 9).v[0];
    return static_cast<int>(word % static_cast<std::uint32_t>(count));
  }
  bool one_in(int count) { return below(count) == 0; }
  std::int64_t among(std::span<const int> values) {
    return values[static_cast<std::size_t>(below(static_cast<int>(values.size())))];
  }

 private:
  int seed_;
  std::uint32_t next_ = 0;
};

constexpr int kWidths[] = {1, 3, 4, 5, 8, 12, 17, 20, 32, 33, 36, 44, 64, 70, 132, 260, 300};
constexpr int kLatents[] = {1, 2, 3, 4, 5, 7, 8, 9, 12, 14, 16, 20, 22, 33, 40};
constexpr int kBatches[] = {1, 3, 10, 16, 17, 23, 32, 33, 40, 70};

void draw_data(Draw& draw, Plan& p) {
  p.train.batch_size = draw.among(kBatches);
  p.images = p.train.batch_size + draw.below(static_cast<int>(p.train.batch_size) + 1);
  p.train.data.shuffle = !draw.one_in(4);
  p.train.drop_last = draw.one_in(4);
  p.floats = draw.one_in(3);
  p.train.data.binarize =
      p.floats ? (draw.one_in(2) ? Binarize::threshold : Binarize::none) : Binarize(draw.below(4));
  if (draw.one_in(2))
    p.model.likelihood = gaussian_likelihood({.sigmoid_mean = draw.one_in(2), .low = -2, .high = 2});
}

Plan random_plan(int seed) {
  Draw draw(seed);
  Plan p = plan_of(draw.among(kWidths), {draw.among(kWidths)}, draw.among(kLatents));
  if (draw.one_in(2)) p.model.encoder_widths.push_back(draw.among(kWidths));
  p.model.decoder_widths = {draw.among(kWidths)};
  if (draw.one_in(2)) p.model.decoder_widths.push_back(draw.among(kWidths));
  draw_data(draw, p);
  p.model.activation = Activation(draw.below(6));
  p.model.posterior =
      diagonal_gaussian({.scale = PosteriorScale(draw.below(3)), .noise_std = draw.one_in(6) ? 0.0 : 1.0});
  p.train.frozen_noise = draw.one_in(4);
  p.train.beta = draw.one_in(3) ? 0.0 : 1.5;
  p.train.warmup_epochs = draw.one_in(3) ? 1.5 : 0;
  p.train.pixel_mean = draw.one_in(4);
  p.train.batch_sum = draw.one_in(4);
  if (draw.one_in(3)) p.train.schedule = LinearWarmup{3};
  p.optimizer = OptimizerOptions::defaults(OptimizerKind(draw.below(6)));
  damp(p.optimizer, 0.01, 500);
  p.optimizer.l2 = draw.one_in(2) ? 0.01 : 0;
  p.optimizer.l2_biases = draw.one_in(2);
  return p;
}

// Draws every setting of a plan. These seeds were chosen among 160 because they execute instructions of the
// fused kernels that no other test executes.
class FusedRandomDevice : public testing::TestWithParam<int> {};

TEST_P(FusedRandomDevice, AgreesWithEagerSteps) {
  SKIP_WITHOUT_GPU();
  SKIP_WITHOUT_TENSOR_CORES();
  const Plan p = random_plan(GetParam());
  expect_close_totals(p, kLimits[GetParam() % 4], eager(p, 1), slack_of(p.model.activation));
}
INSTANTIATE_TEST_SUITE_P(Seeds, FusedRandomDevice,
                         testing::Values(17, 35, 42, 49, 59, 77, 83, 92, 120, 124, 134, 138, 153));

}  // namespace
}  // namespace gpuvae
