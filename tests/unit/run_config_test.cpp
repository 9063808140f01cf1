#include "apps/cli/run_config.h"

#include <gtest/gtest.h>

#include "gpuvae/error.h"
#include "src/io/file.h"
#include "tests/unit/temporary_folder.h"

namespace gpuvae::apps {
namespace {

std::vector<Preset> presets() {
  Preset a{"default", "first", {}}, b{"other", "second", {}};
  b.config.hidden = {64, 32}, b.config.epochs = 7, b.config.no_shuffle = true;
  b.config.optimizer = OptimizerOptions::defaults(OptimizerKind::rmsprop);
  return {a, b};
}

CommandLine parse(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "program");
  std::vector<char*> argv;
  for (std::string& a : arguments) argv.push_back(a.data());
  argv.push_back(nullptr);
  return parse_command_line(static_cast<int>(arguments.size()), argv.data(), "program", "A program.",
                            presets());
}

TEST(CommandLine, PresetsAreStartingPointsAndFlagsOverrideThem) {
  const RunConfig c = parse({"--preset", "other", "--epochs", "2", "--hidden", "8,9,10"}).config;
  EXPECT_EQ(c.epochs, 2);
  EXPECT_EQ(c.hidden, (std::vector<std::int64_t>{8, 9, 10}));
  EXPECT_TRUE(c.no_shuffle);
  EXPECT_EQ(c.optimizer.kind, OptimizerKind::rmsprop);
  EXPECT_EQ(c.out, "runs/program-other");
}

TEST(CommandLine, AnOptimizerBringsItsUsualSettings) {
  const RunConfig c = parse({"--optimizer", "rmsprop_tf1", "--beta2", "0.8"}).config;
  EXPECT_EQ(c.optimizer.epsilon, 1e-10);
  EXPECT_EQ(c.optimizer.beta2, 0.8);
}

TEST(CommandLine, TheExecutorIsNoPartOfWhatIsTrained) {
  const RunConfig plain = parse({}).config, eager = parse({"--executor", "eager"}).config;
  EXPECT_EQ(plain.training().executor, Executor::automatic);
  EXPECT_EQ(eager.training().executor, Executor::eager);
  EXPECT_TRUE(same_training(plain, eager));
}

TEST(CommandLine, MistakesAreErrors) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--no-such-flag"},
                                                    {"--preset", "nothing"},
                                                    {"--batch-size", "0"},
                                                    {"--batch-size", "x"},
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

TEST(CommandLine, HelpNamesFlagsAndPresets) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(parse({"--help"}).exit_code, 0);
  const std::string help = testing::internal::GetCapturedStdout();
  for (const char* word : {"--batch-size", "--preset", "second", "relu|leaky_relu", "Optimiser"})
    EXPECT_NE(help.find(word), std::string::npos) << word;
}

TEST(ConfigFile, GivesTheSameRunBack) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  const RunConfig before =
      parse({"--preset", "other", "--seed", "123456789012345678", "--beta", "0.30000000000000004", "--hidden",
             "5", "--decoder-hidden", "6,7", "--binarize", "dynamic", "--activation", "tanh",
             "--frozen-noise", "--out", "a folder/x", "--optimizer", "adamw"})
          .config;
  io::write_file(path, to_toml(before, "program"));
  const RunConfig after = parse({"--config", path.string()}).config;
  EXPECT_EQ(to_toml(after, "program"), to_toml(before, "program"));
  EXPECT_EQ(after.seed, 123456789012345678u);
  EXPECT_EQ(after.beta, 0.30000000000000004);
  EXPECT_EQ(after.decoder_hidden, (std::vector<std::int64_t>{6, 7}));
  EXPECT_EQ(after.activation, Activation::tanh);
  EXPECT_EQ(after.out, "a folder/x");
  EXPECT_TRUE(after.frozen_noise && after.no_shuffle);
  EXPECT_EQ(after.optimizer.l2, 0.01);
  EXPECT_EQ(parse({"--config", path.string(), "--epochs", "1"}).config.epochs, 1);
}

// Every setting away from its default, so that one that is not written, or under another's name, shows.
const std::vector<std::string> kEverything = {"--preset",
                                              "other",
                                              "--seed",
                                              "3",
                                              "--device",
                                              "cpu",
                                              "--out",
                                              "x",
                                              "--epochs",
                                              "9",
                                              "--log-every",
                                              "4",
                                              "--data-dir",
                                              "d",
                                              "--data",
                                              "a b.csv",
                                              "--label-column",
                                              "class",
                                              "--standardize",
                                              "--validation-fraction",
                                              "0.25",
                                              "--builtin-data",
                                              "--train-images",
                                              "11",
                                              "--validation-images",
                                              "12",
                                              "--validation-set",
                                              "rest",
                                              "--batch-size",
                                              "13",
                                              "--drop-last",
                                              "--binarize",
                                              "fixed",
                                              "--threshold",
                                              "0.25",
                                              "--latent",
                                              "5",
                                              "--posterior-scale",
                                              "softplus",
                                              "--likelihood",
                                              "gaussian-fixed",
                                              "--gaussian-mean",
                                              "identity",
                                              "--sigma",
                                              "0.3",
                                              "--log-variance-low",
                                              "-7",
                                              "--log-variance-high",
                                              "8",
                                              "--prior",
                                              "vamp",
                                              "--prior-components",
                                              "17",
                                              "--init",
                                              "normal",
                                              "--init-std",
                                              "0.02",
                                              "--bias-std",
                                              "0.03",
                                              "--noise-std",
                                              "0.5",
                                              "--pixel-mean",
                                              "--batch-sum",
                                              "--beta",
                                              "4",
                                              "--warmup-epochs",
                                              "2.5",
                                              "--free-bits",
                                              "0.125",
                                              "--l2",
                                              "0.01",
                                              "--l2-biases",
                                              "--schedule",
                                              "step",
                                              "--lr-warmup",
                                              "1.5",
                                              "--lr-decay-epochs",
                                              "3.5",
                                              "--lr-decay-rate",
                                              "0.75",
                                              "--clip-norm",
                                              "6",
                                              "--encode",
                                              "sample",
                                              "--manifold",
                                              "quantile:5:0.01:0.99:left-up,data:3",
                                              "--samples",
                                              "18",
                                              "--reconstructions",
                                              "19",
                                              "--examples",
                                              "20",
                                              "--latent-names",
                                              "pose,humour",
                                              "--sliders",
                                              "-15:15:3:0.01"};

TEST(ConfigFile, HoldsEverySetting) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  io::write_file(path, to_toml(parse(kEverything).config, "program"));
  const RunConfig c = read_config(path.string(), "program", presets());
  EXPECT_EQ(to_toml(c, "program"), io::read_file(path));
  EXPECT_EQ(c.preset + c.device + c.out + c.data_dir + c.data + c.label_column, "othercpuxda b.csvclass");
  EXPECT_EQ(c.seed, 3u);
  EXPECT_EQ(c.epochs, 9);
  EXPECT_EQ(c.log_every, 4);
  EXPECT_TRUE(c.standardize && c.builtin_data && c.drop_last && c.pixel_mean && c.batch_sum);
  EXPECT_EQ(c.validation_fraction, 0.25);
  EXPECT_EQ(c.train_images, 11);
  EXPECT_EQ(c.validation_images, 12);
  EXPECT_EQ(c.validation_set, "rest");
  EXPECT_EQ(c.batch_size, 13);
  EXPECT_EQ(c.binarize, Binarize::fixed);
  EXPECT_EQ(c.threshold, 0.25);
  EXPECT_EQ(c.latent, 5);
  EXPECT_EQ(c.posterior_scale, PosteriorScale::softplus);
  EXPECT_EQ(c.likelihood + " " + c.gaussian_mean + " " + c.prior, "gaussian-fixed identity vamp");
  EXPECT_EQ(c.sigma, 0.3);
  EXPECT_EQ(c.log_variance_low, -7);
  EXPECT_EQ(c.log_variance_high, 8);
  EXPECT_EQ(c.prior_components, 17);
  EXPECT_EQ(c.init, WeightInit::normal);
  EXPECT_EQ(c.init_std, 0.02);
  EXPECT_EQ(c.bias_std, 0.03);
  EXPECT_EQ(c.noise_std, 0.5);
  EXPECT_EQ(c.beta, 4);
  EXPECT_EQ(c.warmup_epochs, 2.5);
  EXPECT_EQ(c.free_bits, 0.125);
  EXPECT_EQ(c.optimizer.l2, 0.01);
  EXPECT_EQ(c.optimizer.clip_norm, 6);
  EXPECT_TRUE(c.optimizer.l2_biases);
  EXPECT_EQ(c.schedule, "step");
  EXPECT_EQ(c.lr_warmup, 1.5);
  EXPECT_EQ(c.lr_decay_epochs, 3.5);
  EXPECT_EQ(c.lr_decay_rate, 0.75);
  EXPECT_EQ(c.encode, "sample");
  EXPECT_EQ(c.manifold, "quantile:5:0.01:0.99:left-up,data:3");
  EXPECT_EQ(c.samples, 18);
  EXPECT_EQ(c.reconstructions, 19);
  EXPECT_EQ(c.examples, 20);
  EXPECT_EQ(c.latent_names, "pose,humour");
  EXPECT_EQ(c.sliders, "-15:15:3:0.01");
}

TEST(ConfigFile, OfAnotherProgramIsAnErrorThatSaysWhy) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  io::write_file(path, "speed = 3\n");
  testing::internal::CaptureStderr();
  try {
    read_config(path.string(), "program", presets());
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("config.toml is not a configuration of program: "), std::string::npos) << message;
    EXPECT_NE(message.find("speed"), std::string::npos) << message;
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(SameTraining, IsDecidedByWhatDecidesTheWeights) {
  const RunConfig before = parse({"--hidden", "8"}).config;
  for (const std::vector<std::string>& looks : {std::vector<std::string>{"--epochs", "9"},
                                                {"--manifold", "none"},
                                                {"--out", "x"},
                                                {"--encode", "sample"},
                                                {"--sliders", "-1:1:0.5"},
                                                {"--log-every", "5"},
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
                                                  {"--free-bits", "1"}}) {
    std::vector<std::string> arguments = {"--hidden", "8"};
    arguments.insert(arguments.end(), weights.begin(), weights.end());
    EXPECT_FALSE(same_training(before, parse(arguments).config)) << weights[0];
  }
}

TEST(SameTraining, OfACosineNeedsTheSameNumberOfEpochs) {
  for (const char* schedule : {"constant", "step", "cosine"}) {
    const RunConfig a = parse({"--schedule", schedule, "--epochs", "4"}).config;
    EXPECT_EQ(same_training(a, parse({"--schedule", schedule, "--epochs", "5"}).config),
              schedule != std::string("cosine"));
    EXPECT_TRUE(same_training(a, parse({"--schedule", schedule, "--epochs", "4"}).config));
  }
}

// With ten steps an epoch.
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
  // A warm-up longer than the run is a warm-up all along.
  EXPECT_EQ(schedule({"--schedule", "cosine", "--epochs", "1", "--lr-warmup", "4"})(19), 0.5);
}

TEST(SameTraining, TheFirstDifferenceIsNamed) {
  const auto between = [](const std::vector<std::string>& a, const std::vector<std::string>& b) {
    const auto [left, right] = first_difference(parse(a).config, parse(b).config);
    return left + " " + right;
  };
  EXPECT_EQ(between({"--hidden", "8,4"}, {"--latent", "3", "--hidden", "8"}), "hidden=\"8,4\" hidden=8");
  EXPECT_EQ(between({"--epochs", "3"}, {"--epochs", "4"}), "epochs=3 epochs=4");
  EXPECT_EQ(between({}, {"--preset", "other"}), "preset=\"default\" preset=\"other\"");
  EXPECT_EQ(between({"--out", "a"}, {"--out", "b", "--samples", "3"}), " ");
}

TEST(ConfigFile, UnknownKeysAndNonsenseAreErrors) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "config.toml";
  for (const char* text : {"speed = 3\n", "epochs = many\n", "preset = \"nothing\"\n"}) {
    io::write_file(path, text);
    testing::internal::CaptureStderr();
    EXPECT_EQ(parse({"--config", path.string()}).exit_code, 2) << text;
    testing::internal::GetCapturedStderr();
  }
}

}  // namespace
}  // namespace gpuvae::apps
