// Tests which models and optimisers belong together, and the classes of single optimisers.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "gpuvae/error.h"
#include "gpuvae/train.h"
#include "tests/temporary_folder.h"
#include "tests/train/places.h"
#include "tests/train/small_run.h"

namespace gpuvae {
namespace {

using test::byte_images;
using test::error_of;
using test::small_model;
using test::TemporaryFolder;

// A model with an optimiser of the given kind, and its trainer on 43 images.
struct OptimizedModel {
  explicit OptimizedModel(OptimizerKind kind)
      : model(small_model(), Device::cpu()),
        optimizer(model.parameters(), OptimizerOptions::defaults(kind)),
        trainer(model, optimizer, byte_images(43, Device::cpu()), {}, {.batch_size = 8}) {}
  std::vector<float> parameters() const { return test::parameters_of(model); }

  Vae model;
  Optimizer optimizer;
  Trainer trainer;
};

TEST(TrainerOptimizer, AnOptimiserOfAnotherModelIsAnError) {
  Vae model(small_model(), Device::cpu()), other(small_model(), Device::cpu());
  Optimizer optimizer(other.parameters(), {});
  EXPECT_EQ(
      error_of([&] { Trainer(model, optimizer, byte_images(10, Device::cpu()), {}, {.batch_size = 5}); }),
      "[train] expected an optimiser of this model's parameters, got one of 8 variables, 0 of which belong "
      "to the model");
  Trainer(other, optimizer, byte_images(10, Device::cpu()), {}, {.batch_size = 5});
  std::vector<Parameter> both = model.parameters();
  for (const Parameter& p : both) EXPECT_FALSE(optimizer.updates(p.variable)) << p.name;
  for (const Parameter& p : other.parameters()) EXPECT_TRUE(optimizer.updates(p.variable)) << p.name;
  EXPECT_FALSE(optimizer.updates(Variable()));
}

TEST(TrainerOptimizer, AnOptimiserOfSomeParametersLeavesTheOthersUnchanged) {
  Vae model(small_model(), Device::cpu());
  std::vector<Parameter> some = model.parameters();
  const std::vector<float> encoder = some[0].variable.value().to_vector();
  some.erase(some.begin());
  const std::vector<float> bias = some[0].variable.value().to_vector();
  Optimizer optimizer(some, {});
  Trainer(model, optimizer, byte_images(10, Device::cpu()), {}, {.batch_size = 5}).run_epoch();
  EXPECT_EQ(model.parameters()[0].variable.value().to_vector(), encoder);
  EXPECT_NE(model.parameters()[1].variable.value().to_vector(), bias);
}

TEST(OptimizerOwnership, TwoOptimisersOfTheSameParametersAreAnError) {
  Vae model(small_model(), Device::cpu());
  {
    Optimizer first(model.parameters(), {});
    const std::string message = error_of([&] { Optimizer second(model.parameters(), {}); });
    EXPECT_EQ(message,
              "[optimizer] expected parameters that no other optimiser updates, got encoder.0.weight, which "
              "another optimiser updates");
    Optimizer moved = std::move(first);
    EXPECT_EQ(error_of([&] { Optimizer second(model.parameters(), {}); }), message);
    EXPECT_TRUE(moved.updates(model.parameters()[0].variable));
  }
  Optimizer third(model.parameters(), {});  // the first optimiser no longer exists
  std::vector<Parameter> twice = {model.parameters()[0]};
  Vae other(small_model(), Device::cpu());
  twice = {other.parameters()[0], other.parameters()[0]};
  EXPECT_EQ(error_of([&] { Optimizer fourth(twice, {}); }),
            "[optimizer] expected each parameter once, got encoder.0.weight twice");
}

TEST(OptimizerOwnership, ACheckpointOfAnotherKindIsAnError) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder.path() / "checkpoint.safetensors";
  for (int saved = 0; saved <= static_cast<int>(OptimizerKind::adamw); ++saved)
    for (int loaded = 0; loaded <= static_cast<int>(OptimizerKind::adamw); ++loaded) {
      const auto from = static_cast<OptimizerKind>(saved), to = static_cast<OptimizerKind>(loaded);
      OptimizedModel a(from), b(to);
      a.trainer.run_epoch();
      save_checkpoint(file, a.model.parameters(), a.optimizer, 1);
      const std::vector<float> before = b.parameters();
      const auto load = [&] { load_checkpoint(file, b.model.parameters(), b.optimizer); };
      if (from == to) {
        load();
        EXPECT_EQ(b.parameters(), a.parameters());
      } else {
        EXPECT_EQ(error_of(load), "[load] " + file.string() + ": expected the state of optimiser " +
                                      std::string(name(to)) + ", got that of " + std::string(name(from)));
        EXPECT_EQ(b.parameters(), before);
        EXPECT_EQ(b.optimizer.steps(), 0u);
      }
    }
}

TEST(OptimizerOwnership, ModelsCreatedFromTheSameOptionsShareNothing) {
  VaeOptions options = small_model();
  const std::shared_ptr<Prior> priors[] = {gaussian_mixture_prior(3), vamp_prior(3), standard_normal_prior()};
  const std::shared_ptr<Likelihood> likelihoods[] = {shared_gaussian_likelihood(),
                                                     fixed_gaussian_likelihood(0.5), bernoulli_likelihood()};
  for (const auto& prior : priors)
    for (const auto& likelihood : likelihoods) {
      options.prior = prior;
      options.likelihood = likelihood;
      SCOPED_TRACE(prior->name() + ", " + likelihood->name());
      Vae first(options, Device::cpu()), second(options, Device::cpu());
      Vae third(first.options(), Device::cpu());
      Optimizer a(first.parameters(), {}), b(second.parameters(), {}), c(third.parameters(), {});
      const auto all = [](Vae& model) {
        std::vector<std::vector<float>> values;
        for (const Parameter& p : model.parameters()) values.push_back(p.variable.value().to_vector());
        return values;
      };
      const auto before = all(second);
      EXPECT_EQ(all(first), before);
      EXPECT_EQ(all(third), before);
      Trainer(first, a, byte_images(10, Device::cpu()), {}, {.batch_size = 5}).run_epoch();
      const auto after = all(first);
      for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NE(after[i], before[i]) << i;
      EXPECT_EQ(all(second), before);
      EXPECT_EQ(all(third), before);
    }
}

// ---- options with the optimiser's name ----

TEST(OptimizerOptionsByName, MatchTheDefaultsOfTheKind) {
  const auto same = [](const OptimizerOptions& a, const OptimizerOptions& b) {
    return a.kind == b.kind && a.learning_rate == b.learning_rate && a.beta1 == b.beta1 &&
           a.beta2 == b.beta2 && a.epsilon == b.epsilon && a.l2 == b.l2 && a.l2_biases == b.l2_biases &&
           a.clip_norm == b.clip_norm;
  };
  const auto usual = [](OptimizerKind kind) { return OptimizerOptions::defaults(kind); };
  EXPECT_TRUE(same(SGDOptions{}, usual(OptimizerKind::sgd)));
  EXPECT_TRUE(same(RMSpropOptions{}, usual(OptimizerKind::rmsprop)));
  EXPECT_TRUE(same(AdagradOptions{}, usual(OptimizerKind::adagrad)));
  EXPECT_TRUE(same(AdamOptions{}, usual(OptimizerKind::adam)));
  EXPECT_TRUE(same(AdamWOptions{}, usual(OptimizerKind::adamw)));
  EXPECT_TRUE(same(RMSpropOptions{.epsilon = 1e-10, .tensorflow1 = true}, usual(OptimizerKind::rmsprop_tf1)));

  EXPECT_TRUE(
      same(SGDOptions{0.5, 0.9, 0.1, true, 3}, {OptimizerKind::sgd, 0.5, 0.9, 0.999, 1e-8, 0.1, true, 3}));
  EXPECT_TRUE(same(RMSpropOptions{0.5, 0.8, 1e-3, false, 0.1, true, 3},
                   {OptimizerKind::rmsprop, 0.5, 0.9, 0.8, 1e-3, 0.1, true, 3}));
  EXPECT_TRUE(same(AdagradOptions{0.5, 1e-3, 0.1, true, 3},
                   {OptimizerKind::adagrad, 0.5, 0.9, 0.999, 1e-3, 0.1, true, 3}));
  EXPECT_TRUE(same(AdamOptions{0.5, 0.8, 0.7, 1e-3, 0.1, true, 3},
                   {OptimizerKind::adam, 0.5, 0.8, 0.7, 1e-3, 0.1, true, 3}));
  EXPECT_TRUE(same(AdamWOptions{0.5, 0.8, 0.7, 1e-3, 0.1, true, 3},
                   {OptimizerKind::adamw, 0.5, 0.8, 0.7, 1e-3, 0.1, true, 3}));
}

TEST(OptimizerOptionsByName, CreateTheOptimiserOfTheKind) {
  const Variable weight(Tensor::full({1}, 8), true);
  const std::vector<Parameter> parameters = {{"w", weight, false}};
  const auto kind = [&](Optimizer optimizer) { return optimizer.options().kind; };
  EXPECT_EQ(kind(Adam(parameters, {.learning_rate = 2e-3})), OptimizerKind::adam);
  EXPECT_EQ(kind(AdamW(parameters, {.weight_decay = 0.1})), OptimizerKind::adamw);
  EXPECT_EQ(kind(SGD(parameters, {.momentum = 0.9})), OptimizerKind::sgd);
  EXPECT_EQ(kind(RMSprop(parameters, {.rho = 0.99})), OptimizerKind::rmsprop);
  EXPECT_EQ(kind(Adagrad(parameters)), OptimizerKind::adagrad);
  // The result is 8 - 0.5 * 0.1 * 8, minus Adam's first step, whose size is the learning rate.
  AdamW adamw(parameters, {.learning_rate = 0.5, .weight_decay = 0.1});
  adamw.zero_grad();
  affine(weight, 2, 0).backward();
  adamw.step();
  EXPECT_NEAR(weight.value().item(), 8 - 0.4 - 0.5, 5e-6);
}

}  // namespace
}  // namespace gpuvae
