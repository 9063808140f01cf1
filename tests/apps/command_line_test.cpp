// Tests command lines: presets, flags and mistakes, the options that they yield, and which settings change
// the training.
#include "apps/cli/command_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/run_config.h"
#include "apps/cli/settings.h"
#include "tests/apps/two_presets.h"

namespace gpuvae::apps {
namespace {

using test::parse;

TEST(CommandLine, PresetsAreStartingPointsAndFlagsOverrideThem) {
  const RunConfig c = parse({"--preset", "other", "--epochs", "2", "--hidden", "8,9,10"}).config;
  EXPECT_EQ(c.epochs, 2);
  EXPECT_EQ(c.model.encoder_widths, (std::vector<std::int64_t>{8, 9, 10}));
  EXPECT_FALSE(c.training.data.shuffle);
  EXPECT_EQ(c.optimizer.kind, OptimizerKind::rmsprop);
  EXPECT_EQ(c.out, "runs/program-other");
}

TEST(CommandLine, AnOptimizerBringsItsUsualSettings) {
  const RunConfig c = parse({"--optimizer", "rmsprop_tf1", "--beta2", "0.8"}).config;
  EXPECT_EQ(c.optimizer.epsilon, 1e-10);
  EXPECT_EQ(c.optimizer.beta2, 0.8);
}

TEST(CommandLine, TheExecutorDoesNotChangeTheTraining) {
  const RunConfig plain = parse({}).config, eager = parse({"--executor", "eager"}).config;
  EXPECT_EQ(plain.training.executor, Executor::automatic);
  EXPECT_EQ(eager.training.executor, Executor::eager);
  EXPECT_TRUE(same_training(plain, eager));
}

TEST(CommandLine, InvalidArgumentsAreErrors) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--no-such-flag"},
                                                    {"--preset", "nothing"},
                                                    {"--batch-size", "0"},
                                                    {"--batch-size", "x"},
                                                    {"--batch-size", "2.5"},
                                                    {"--seed", "-1"},
                                                    {"--seed", "+-1"},
                                                    {"--seed", "18446744073709551616"},
                                                    {"--latent", "0x10"},
                                                    {"--latent", "1e1"},
                                                    {"--checkpoint-every", "often"},
                                                    {"--standardize=maybe"},
                                                    {"--beta", "nan"},
                                                    {"eval", "--set", "all"},
                                                    {"--epochs", "-1"},
                                                    {"--latent", "0"},
                                                    {"--activation", "swish"},
                                                    {"--executor", "magic"},
                                                    {"--hidden", "0"},
                                                    {"--learning-rate", "0"},
                                                    {"--schedule", "sine"},
                                                    {"--lr-warmup", "-1"},
                                                    {"--lr-decay-epochs", "0"},
                                                    {"--lr-decay-rate", "0"},
                                                    {"--seed"},
                                                    {"--config", "/no/such/file"},
                                                    {"stray"}}) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(parse(arguments).exit_code, 2) << arguments[0];
    const std::string message = testing::internal::GetCapturedStderr();
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << message;
    EXPECT_NE(message.find("program: "), std::string::npos);
  }
}

// The flag and the reason are in the message, which is one line.
TEST(CommandLine, MistakesThatWouldBeIgnoredAreErrors) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"--hidden", "8,"}, "--hidden: expected widths of 1 or more such as 512,256, got 8,"},
      {{"--hidden", "8,,4"}, "--hidden: expected widths"},
      {{"--hidden", ","}, "--hidden: expected widths"},
      {{"--manifold", "quantile:4,"}, "--manifold: expected quantile, linear or data"},
      {{"--manifold", "quantile:4:"}, "--manifold: expected "},
      {{"--sliders", "1:2:0.5:"}, "--sliders: expected a number"},
      {{"--latent-names", "a,"}, "--latent-names: expected a name for every latent dimension, got a,"},
      {{"--out", ""}, "--out: expected a path, got nothing"},
      {{"--out="}, "--out: "},
      {{"--data", ""}, "--data: expected a path, got nothing"},
      {{"--data-dir", ""}, "--data-dir: expected a path, got nothing"},
      {{"encode", "--input", ""}, "--input: expected a path, got nothing"},
      {{"encode", "--output", ""}, "--output: expected a path, got nothing"},
      {{"--epochs", "2", "--seed", "1", "--epochs", "2"},
       "--epochs: expected this flag once, got it several"},
      {{"--epochs=2", "--epochs", "3"}, "--epochs: expected this flag once"},
      {{"--retrain", "--retrain"}, "--retrain: expected this flag once"},
      {{"--latent-names", "pose"},
       "--latent-names: expected 2 names for the latent dimensions, got 1 in pose"},
      {{"--latent-names", "a,b,c"}, "--latent-names: expected 2 names for the latent dimensions, got 3"},
      {{"--latent-names", "a,b", "--latent", "1"}, "expected 1 name for the latent dimensions, got 2"},
      {{"--beta1", "1"}, "--beta1: expected 0 or more and below 1, got 1"},
      {{"--beta2", "1"}, "--beta2: expected 0 or more and below 1, got 1"},
      {{"--seed", "1\n2\r3"}, "--seed: expected a whole number of 0 or more, got 1?2?3"}};
  for (const auto& [arguments, reason] : cases) {
    testing::internal::CaptureStderr();
    const CommandLine line = parse(arguments);
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(line.exit_code, 2) << reason;
    EXPECT_NE(said.find(reason), std::string::npos) << said;
    EXPECT_EQ(said.find('\n'), said.size() - 1) << said;
  }
  EXPECT_EQ(parse({"--latent-names", "a,b,c", "--latent", "3"}).config.pictures.latent_names, "a,b,c");
  EXPECT_EQ(parse({"--beta1", "0.999999"}).config.optimizer.beta1, 0.999999);
}

TEST(CommandLine, NumbersAreDecimal) {
  EXPECT_EQ(parse({"--latent", "010"}).config.model.latent, 10);
  EXPECT_EQ(parse({"--seed", "0017"}).config.seed, 17u);
  EXPECT_EQ(parse({"--hidden", "016,08"}).config.model.encoder_widths, (std::vector<std::int64_t>{16, 8}));
}

TEST(CommandLine, KeepsItsTextForReports) {
  EXPECT_EQ(parse({"--out", "a b", "--latent-names", "it's,x", "--seed", "1"}).command.text,
            "program --out 'a b' --latent-names 'it'\\''s,x' --seed 1");
}

TEST(CommandLine, HelpNamesFlagsAndPresets) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  const std::string help = testing::internal::GetCapturedStdout();
  for (const char* word : {"--batch-size", "--preset", "second", "relu|leaky_relu", "Optimiser"})
    EXPECT_NE(help.find(word), std::string::npos) << word;
}

TEST(CommandLine, SettingsReachTheModelAndTheTraining) {
  const RunConfig c = parse({"--seed", "5", "--log-every", "7", "--schedule", "cosine", "--prior", "mixture",
                             "--likelihood", "gaussian-shared"})
                          .config;
  const VaeOptions model = c.vae_options(30);
  EXPECT_EQ(model.features, 30);
  EXPECT_EQ(model.initializer.seed, 5u);
  EXPECT_FALSE(model.prior->is_standard_normal());
  EXPECT_EQ(model.likelihood->name(), shared_gaussian_likelihood()->name());
  const TrainOptions training = c.train_options(1000);
  EXPECT_EQ(training.data.seed, 5u);
  EXPECT_EQ(training.report_steps, 7);
  EXPECT_EQ(training.report_seconds, 0);
  EXPECT_NEAR(training.schedule(15), 0.5, 1e-15);  // the middle of three epochs of ten steps
}

TEST(CommandLine, CommandsHaveTheirOwnFlags) {
  const CommandLine line = parse({"eval", "--set", "train", "--images", "7", "--importance-samples", "9",
                                  "--output", "x.json", "--retrain", "--out", "no-such-folder"});
  EXPECT_EQ(line.command.name, "eval");
  EXPECT_EQ(line.command.set, "train");
  EXPECT_EQ(line.command.images, 7);
  EXPECT_EQ(line.command.importance_samples, 9);
  EXPECT_EQ(line.command.output, "x.json");
  EXPECT_TRUE(line.command.retrain);
  EXPECT_EQ(line.config.out, "no-such-folder");
}

// Each epoch has ten steps.
TEST(CommandLine, SchedulesCountInEpochs) {
  const auto schedule = [](const std::vector<std::string>& arguments) {
    return parse(arguments).config.learning_rate_schedule(10);
  };
  EXPECT_FALSE(schedule({}));
  const LearningRateSchedule warmup = schedule({"--lr-warmup", "0.5"});
  EXPECT_EQ(warmup(0), 0.2);
  EXPECT_EQ(warmup(4), 1);
  EXPECT_EQ(warmup(50), 1);
  const LearningRateSchedule steps = schedule(
      {"--schedule", "step", "--lr-warmup", "1", "--lr-decay-epochs", "2", "--lr-decay-rate", "0.5"});
  EXPECT_EQ(steps(4), 0.5);
  EXPECT_EQ(steps(19), 1);
  EXPECT_EQ(steps(20), 0.5);
  EXPECT_EQ(steps(40), 0.25);
  const LearningRateSchedule cosine = schedule({"--schedule", "cosine", "--epochs", "5", "--lr-warmup", "1"});
  EXPECT_EQ(cosine(1), 0.2);
  EXPECT_EQ(cosine(10), 1);
  EXPECT_NEAR(cosine(30), 0.5, 1e-15);
  EXPECT_NEAR(cosine(50), 0, 1e-15);
  // If the warm-up is longer than the run, the whole run is a warm-up.
  EXPECT_EQ(schedule({"--schedule", "cosine", "--epochs", "1", "--lr-warmup", "4"})(19), 0.5);
}

TEST(SameTraining, ComparesOnlySettingsThatAffectTheWeights) {
  const RunConfig before = parse({"--hidden", "8"}).config;
  for (const std::vector<std::string>& looks : {std::vector<std::string>{"--epochs", "9"},
                                                {"--manifold", "none"},
                                                {"--out", "x"},
                                                {"--encode", "sample"},
                                                {"--sliders", "-1:1:0.5"},
                                                {"--log-every", "5"},
                                                {"--checkpoint-every", "5s"},
                                                {"--device", "cpu"},
                                                {"--samples", "1"}}) {
    std::vector<std::string> arguments = {"--hidden", "8"};
    arguments.insert(arguments.end(), looks.begin(), looks.end());
    EXPECT_TRUE(same_training(before, parse(arguments).config)) << looks[0];
  }
  for (const std::vector<std::string>& weights : {std::vector<std::string>{"--seed", "1"},
                                                  {"--hidden", "9"},
                                                  {"--beta", "2"},
                                                  {"--data", "x.npy"},
                                                  {"--builtin-data"},
                                                  {"--train-images", "5"},
                                                  {"--prior", "vamp"},
                                                  {"--schedule", "cosine"},
                                                  {"--lr-warmup", "1"},
                                                  {"--objective-samples", "5"},
                                                  {"--free-bits", "1"}}) {
    std::vector<std::string> arguments = {"--hidden", "8"};
    arguments.insert(arguments.end(), weights.begin(), weights.end());
    EXPECT_FALSE(same_training(before, parse(arguments).config)) << weights[0];
  }
}

TEST(SameTraining, RequiresTheSameEpochsForACosineSchedule) {
  for (const char* schedule : {"constant", "step", "cosine"}) {
    const RunConfig a = parse({"--schedule", schedule, "--epochs", "4"}).config;
    EXPECT_EQ(same_training(a, parse({"--schedule", schedule, "--epochs", "5"}).config),
              schedule != std::string("cosine"));
    EXPECT_TRUE(same_training(a, parse({"--schedule", schedule, "--epochs", "4"}).config));
  }
}

TEST(SameTraining, NamesTheFirstDifference) {
  const auto between = [](const std::vector<std::string>& a, const std::vector<std::string>& b) {
    const std::optional<Difference> d = first_difference(parse(a).config, parse(b).config);
    return d ? d->flag + " " + d->a + " " + d->b : "";
  };
  EXPECT_EQ(between({"--hidden", "8,4"}, {"--latent", "3", "--hidden", "8"}), "--hidden 8,4 8");
  EXPECT_EQ(between({"--epochs", "3"}, {"--epochs", "4"}), "--epochs 3 4");
  EXPECT_EQ(between({}, {"--preset", "other"}), "--preset default other");
  EXPECT_EQ(between({"--out", "a"}, {"--out", "b", "--samples", "3"}), "");
}

}  // namespace
}  // namespace gpuvae::apps
