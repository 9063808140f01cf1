// Tests early stopping, the weights of the best epoch, the moving average of the weights in training, the
// output biases from the data, and clipping of gradients that are not finite.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "gpuvae/evaluate.h"
#include "gpuvae/output_bias.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"

namespace gpuvae {
namespace {

using test::error_of;
using test::example_images;
using test::Place;
using test::TemporaryFolder;
using test::weights_of;

// Six steps per epoch. The learning rate is so large that the validation gets worse in some epochs.
struct HabitRun {
  explicit HabitRun(const Place& place, TrainOptions options = {}, double rate = 0.05)
      : model({.features = 16, .encoder_widths = {8}}, place.device),
        adam(model.parameters(), {.learning_rate = rate}),
        trainer(model, adam, example_images(43, place.device), example_images(9, place.device), [&] {
          options.batch_size = 8;
          options.executor = place.executor;
          return options;
        }()) {}
  std::vector<float> weights(ModelWeights which) {
    std::vector<float> all;
    trainer.with_weights(which, [&] { all = weights_of(model); });
    return all;
  }
  Vae model;
  Adam adam;
  Trainer trainer;
};

double compared(const EpochResult& r) { return r.validation.reconstruction + r.validation.kl; }

// The counter of `patience` by its definition, over the losses of an unlimited run.
struct ExpectedStop {
  int best = 0, end = 0;
};
ExpectedStop stop_of(const std::vector<EpochResult>& epochs, int patience, double warmup) {
  ExpectedStop expected;
  double least = INFINITY;
  int waited = 0;
  for (const EpochResult& r : epochs) {
    expected.end = r.epoch;
    if (compared(r) < least) {
      least = compared(r);
      expected.best = r.epoch;
      waited = 0;
    } else if (r.epoch > warmup && ++waited == patience) {
      break;
    }
  }
  return expected;
}

TEST(TrainerPatience, StopsAndKeepsTheBestWeights) {
  for (const double warmup : {0.0, 4.0}) {
    const Place cpu{Device::cpu(), Executor::eager};
    TrainOptions options{.beta = 0.5, .warmup_epochs = warmup, .keep_best = true};
    HabitRun whole(cpu, options);
    const std::vector<EpochResult> all = whole.trainer.run_epochs(25);
    ASSERT_EQ(all.size(), 25u);
    for (const int patience : {1, 3}) {
      SCOPED_TRACE(patience);
      const ExpectedStop expected = stop_of(all, patience, warmup);
      ASSERT_LT(expected.end, 25) << "the run must get worse at some epoch";
      options.patience = patience;
      HabitRun run(cpu, options);
      const std::vector<EpochResult> epochs = run.trainer.run_epochs(25);
      EXPECT_EQ(epochs.back().epoch, expected.end);
      EXPECT_TRUE(run.trainer.patience_is_over());
      EXPECT_TRUE(run.trainer.run_epochs(2).empty());
      EXPECT_EQ(run.trainer.run_steps(3).steps, 0u);
      EXPECT_EQ(run.trainer.best().epoch, expected.best);
      EXPECT_EQ(run.trainer.best().loss, compared(epochs[static_cast<std::size_t>(expected.best) - 1]));
      EXPECT_TRUE(epochs[static_cast<std::size_t>(expected.best) - 1].best);
      EXPECT_FALSE(epochs.back().best);
      // The weights are those that a run of that length has, and its validation is the one that was compared.
      HabitRun until_best(cpu, options);
      until_best.trainer.run_epochs(expected.best);
      const std::vector<float> last = weights_of(run.model);
      EXPECT_EQ(run.weights(ModelWeights::best), weights_of(until_best.model));
      EXPECT_EQ(weights_of(run.model), last);
      run.trainer.load_weights(ModelWeights::best);
      EXPECT_EQ(weights_of(run.model), weights_of(until_best.model));
      const Losses again = run.trainer.evaluate(example_images(9, Device::cpu()));
      EXPECT_EQ(again.reconstruction + again.kl, run.trainer.best().loss);
    }
  }
}

// Epochs of an importance-weighted objective are compared by that objective with KL weight 1, not by the
// ELBO.
TEST(TrainerPatience, ComparesImportanceWeightedObjectives) {
  const Place cpu{Device::cpu(), Executor::eager};
  for (const ObjectiveKind kind : {ObjectiveKind::iwae, ObjectiveKind::ciwae})
    for (const double beta : {1.0, 0.5}) {
      SCOPED_TRACE(beta);
      TrainOptions options{.beta = beta, .keep_best = true};
      options.objective = {.kind = kind, .samples = 5};
      TrainOptions with_weight_one = options;
      with_weight_one.beta = 1;
      HabitRun run(cpu, options), other(cpu, with_weight_one);
      int best = 0;
      double least = INFINITY;
      for (int epoch = 1; epoch <= 6; ++epoch) {
        const EpochResult r = run.trainer.run_epoch();
        other.adam.values().copy_from(run.adam.values());
        const double loss = other.trainer.evaluate(example_images(9, Device::cpu())).loss;
        EXPECT_EQ(r.validation.loss == loss, beta == 1);
        EXPECT_NE(loss, compared(r));
        if (loss < least) {
          least = loss;
          best = epoch;
        }
        EXPECT_EQ(r.best, best == epoch);
        EXPECT_EQ(run.trainer.best().loss, least);
      }
      EXPECT_EQ(run.trainer.best().epoch, best);
    }
}

TEST(TrainerPatience, NeedsValidationAndABestEpoch) {
  const Vae model({.features = 16, .encoder_widths = {8}}, Device::cpu());
  Adam adam(model.parameters());
  const Dataset images = example_images(8, Device::cpu());
  EXPECT_EQ(error_of([&] { Trainer(model, adam, images, {}, {.patience = 2}); }),
            "[train] expected validation examples to compare epochs with, got none");
  EXPECT_EQ(error_of([&] { Trainer(model, adam, images, images, {.patience = -1}); }),
            "[train] expected a patience of 0 or more epochs, got -1");
  Trainer trainer(model, adam, images, images, {});
  EXPECT_EQ(error_of([&] { trainer.load_weights(ModelWeights::best); }),
            "[train] expected a best epoch, but no epoch was compared so far");
}

// The weights, the average and the best epoch continue bit for bit from a checkpoint after any step, and from
// the state to which OnNan::rewind goes back.
TEST(TrainerPatience, ContinuesBitForBitFromACheckpoint) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "checkpoint.safetensors";
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    TrainOptions options{.keep_best = true};
    options.average = {.decay = 0.9};
    HabitRun whole(place, options);
    whole.trainer.run_steps(27);
    for (const std::uint64_t step : {4, 12, 20}) {
      HabitRun first(place, options), second(place, options);
      first.trainer.run_steps(step);
      save_checkpoint(file, first.model.parameters(), first.adam, first.trainer.state());
      second.trainer.resume(restore_checkpoint(file, second.model.parameters(), second.adam));
      second.trainer.run_steps(27 - step);
      for (const ModelWeights which : {ModelWeights::trained, ModelWeights::evaluated, ModelWeights::best})
        EXPECT_EQ(second.weights(which), whole.weights(which)) << step;
      EXPECT_EQ(second.trainer.best().epoch, whole.trainer.best().epoch);
      EXPECT_EQ(second.trainer.best().loss, whole.trainer.best().loss);
      EXPECT_EQ(second.trainer.best().waited, whole.trainer.best().waited);
    }
    HabitRun without(place);
    EXPECT_EQ(error_of([&] {
                HabitRun averaged(place, options);
                averaged.trainer.resume(without.trainer.state());
              }),
              "[resume] expected a state with the moving average of the weights, got one without");
  }
}

TEST(TrainerPatience, SurvivesARewind) {
  const Place cpu{Device::cpu(), Executor::eager};
  TrainOptions options{.keep_best = true};
  options.average = {.decay = 0.9};
  options.on_nan = OnNan::rewind;
  HabitRun run(cpu, options), expected(cpu, options);
  run.trainer.on_steps(1, [&, done = false](const StepReport& r) mutable {
    if (r.step == 15 && !done) {
      run.model.parameters()[0].variable.value().fill(std::numeric_limits<double>::quiet_NaN());
      done = true;
    }
    return TrainControl::proceed;
  });
  run.trainer.run_epochs(4);
  expected.trainer.run_epochs(2);
  expected.adam.set_learning_rate(0.025);
  expected.trainer.run_epochs(2);
  EXPECT_EQ(run.trainer.rewinds(), 1);
  for (const ModelWeights which : {ModelWeights::trained, ModelWeights::evaluated, ModelWeights::best})
    EXPECT_EQ(run.weights(which), expected.weights(which));
  EXPECT_EQ(run.trainer.best().epoch, expected.trainer.best().epoch);
}

// With every executor, the average follows the weights after each step and does not change them.
TEST(TrainerAverage, FollowsTheWeightsOnEveryExecutor) {
  for (const Place& place : test::all_places())
    for (const OnNan on_nan : {OnNan::stop, OnNan::skip}) {
      if (on_nan == OnNan::skip && place.executor == Executor::fused) continue;
      SCOPED_TRACE(place.text() + " " + std::string(name(on_nan)));
      TrainOptions options;
      options.on_nan = on_nan;
      HabitRun plain(place, options, 1e-3), stepwise(place, options, 1e-3);
      options.average = {.decay = 0.6};
      HabitRun averaged(place, options, 1e-3);
      averaged.trainer.run_epochs(2);
      plain.trainer.run_epochs(2);
      EXPECT_EQ(weights_of(averaged.model), weights_of(plain.model));
      std::vector<double> expected;
      for (std::uint64_t t = 0; t < 12; ++t) {
        stepwise.trainer.run_steps(1);
        const std::vector<float> weights = weights_of(stepwise.model);
        expected.resize(weights.size());
        const double n = static_cast<double>(t), keep = t == 0 ? 0 : std::min(0.6, (1 + n) / (10 + n));
        for (std::size_t i = 0; i < weights.size(); ++i)
          expected[i] = keep * expected[i] + (1 - keep) * weights[i];
      }
      const std::vector<float> average = averaged.weights(ModelWeights::evaluated);
      ASSERT_EQ(average.size(), expected.size());
      for (std::size_t i = 0; i < average.size(); ++i)
        ASSERT_TRUE(std::fabs(average[i] - expected[i]) <= 1e-5) << i;
    }
}

TEST(TrainerAverage, IsWhatTheValidationUses) {
  const Place cpu{Device::cpu(), Executor::eager};
  TrainOptions options;
  options.average = {.decay = 0.9};
  HabitRun averaged(cpu, options), plain(cpu);
  const EpochResult a = averaged.trainer.run_epoch(), b = plain.trainer.run_epoch();
  EXPECT_EQ(a.train.loss, b.train.loss);
  EXPECT_NE(a.validation.loss, b.validation.loss);
  // A trainer without an average evaluates the loaded weights with the noise of the first epoch.
  averaged.trainer.load_weights(ModelWeights::evaluated);
  Adam adam(averaged.model.parameters());
  Trainer without(averaged.model, adam, example_images(43, Device::cpu()), {}, {.batch_size = 8});
  EXPECT_EQ(without.evaluate(example_images(9, Device::cpu())).loss, a.validation.loss);
}

// A clipped gradient whose norm is not finite ends the run before it reaches the weights.
TEST(TrainerClipping, StopsAtANormThatIsNotFinite) {
  for (const Place& place : test::autograd_places()) {
    SCOPED_TRACE(place.text());
    Vae model({.features = 16, .encoder_widths = {8}}, place.device);
    Optimizer adam(model.parameters(), {.clip_norm = 1});
    Trainer trainer(model, adam, example_images(16, place.device), {}, [&] {
      TrainOptions o{.batch_size = 8};
      o.executor = place.executor;
      return o;
    }());
    trainer.run_epoch();
    const std::vector<float> before = weights_of(model);
    model.parameters()[0].variable.value().fill(1e30);
    EXPECT_NE(error_of([&] { trainer.run_steps(1); }).find("not finite at step 3"), std::string::npos);
    const std::vector<float> after = weights_of(model);
    EXPECT_TRUE(std::ranges::all_of(after, [](float w) { return std::isfinite(w); }));
    EXPECT_EQ(std::vector(after.end() - 16, after.end()), std::vector(before.end() - 16, before.end()));
  }
}

// g = 3 -4 12 has the norm 13.
TEST(TrainerClipping, ScalesTheGradientToTheLargestNorm) {
  for (const Place& place : test::autograd_places()) {
    const Variable x(Tensor::zeros({3}, DType::f32, place.device), true);
    const Parameter parameters[] = {{"x", x, false}};
    SGD sgd(parameters, {.learning_rate = 1, .clip_norm = 6.5});
    sgd.zero_grad();
    sum(multiply(x, Tensor::from(std::vector<float>{3, -4, 12}, {3}, place.device))).backward();
    sgd.step();
    const std::vector<float> got = x.value().to_vector(), expected = {-1.5, 2, -6};
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(got[i], expected[i], 1e-6);
    EXPECT_NEAR(sgd.gradient_norm(), 13, 1e-5);
  }
}

double logit(double p) { return std::log(p / (1 - p)); }

// Each column of a product starts at the mean of its likelihood, and counts do so at the mean library size.
TEST(TrainerOutputBias, StartsEachColumnOfAProduct) {
  const float kMissing = NAN;
  const std::vector<float> values = {
      2, 1, 0, 100, 0.5f,  1,  //
      4, 0, 1, 300, -2.5f, 0,  //
      6, 0, 1, 200, 1,     1,  //
      0, 0, 1, 200, 3,     kMissing,
  };
  const Dataset data{1, 6, Tensor::from(values, {4, 6}), {}};
  VaeOptions o{.features = 6, .encoder_widths = {3}};
  o.missing_values = true;
  o.likelihood = product_likelihood({{poisson_likelihood(), 1},
                                     {categorical_likelihood({2}), 2},
                                     {},
                                     {gaussian_likelihood({.sigmoid_mean = false}), 1},
                                     {bernoulli_likelihood(), 1}},
                                    50);
  const Vae model(o, Device::cpu());
  start_output_bias(model, data);
  const std::vector<double> bias = model.output().bias.value().to_doubles(),
                            expected = {std::log(3.0 / 4), std::log(0.25), std::log(0.75), 0.5, 0,
                                        logit(2.0 / 3)};
  ASSERT_EQ(bias.size(), expected.size());
  for (std::size_t i = 0; i < bias.size(); ++i) EXPECT_NEAR(bias[i], expected[i], 1e-5) << i;
  // A decoder with weights 0 reconstructs the means at the library size of each row.
  model.output().weight.value().fill(0);
  const std::vector<double> means = model.reconstruct(data.examples).value().to_doubles();
  EXPECT_NEAR(means[0], 1.5, 1e-4);
  EXPECT_NEAR(means[6], 4.5, 1e-4);
  EXPECT_EQ(means[9], 300);
  EXPECT_NEAR(means[10], 0.5, 1e-5);
}

TEST(TrainerOutputBias, StartsTheMeanAtThatOfTheData) {
  const std::vector<float> values = {0, 0.2f, 1, 0.9f, 0, 0.4f, 1, 0.1f};  // two rows of four features
  const double means[] = {0, 0.3, 1, 0.5};
  for (const Device device : {Device::cpu(), Device::best()}) {
    const Dataset data{1, 4, Tensor::from(values, {2, 4}, device), {}};
    const auto bias_of = [&](std::shared_ptr<const Likelihood> likelihood, const BatchOptions& options = {}) {
      VaeOptions o{.features = 4, .encoder_widths = {3}};
      o.likelihood = std::move(likelihood);
      const Vae model(o, device);
      start_output_bias(model, data, options);
      return model.output().bias.value().to_doubles();
    };
    const std::vector<double> bernoulli = bias_of(bernoulli_likelihood());
    for (std::size_t i = 0; i < 4; ++i)
      EXPECT_NEAR(bernoulli[i], logit(std::clamp(means[i], 0.001, 0.999)), 1e-5);
    const std::vector<double> binary = bias_of(bernoulli_likelihood(), {.binarize = Binarize::threshold});
    EXPECT_NEAR(binary[3], 0, 1e-6);
    EXPECT_NEAR(binary[1], logit(0.001), 1e-5);
    const std::vector<double> gaussian = bias_of(gaussian_likelihood({.sigmoid_mean = false}));
    ASSERT_EQ(gaussian.size(), 8u);
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(gaussian[i], means[i], 1e-6);
      EXPECT_EQ(gaussian[4 + i], 0);
    }
    EXPECT_NEAR(bias_of(laplace_likelihood())[1], logit(0.3), 1e-5);
    EXPECT_NEAR(bias_of(fixed_gaussian_likelihood(0.1, false))[1], 0.3, 1e-6);
    const std::vector<double> continuous = bias_of(continuous_bernoulli_likelihood());
    const std::vector<float> logits(continuous.begin(), continuous.end());
    const std::vector<double> back =
        continuous_bernoulli_likelihood()->mean(Tensor::from(logits, {1, 4})).value().to_doubles();
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(back[i], std::clamp(means[i], 0.001, 0.999), 1e-4);
  }
}

TEST(TrainerOutputBias, RefusesOtherData) {
  const Vae model({.features = 16, .encoder_widths = {8}}, Device::cpu());
  EXPECT_EQ(error_of([&] { start_output_bias(model, {}); }),
            "[start_output_bias] expected examples, got none");
  const Dataset other{1, 4, Tensor::zeros({2, 4}), {}};
  EXPECT_EQ(error_of([&] { start_output_bias(model, other); }),
            "[start_output_bias] expected examples of 16 features, got 4");
}

}  // namespace
}  // namespace gpuvae
