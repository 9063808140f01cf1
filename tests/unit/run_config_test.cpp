#include "apps/common/run_config.h"

#include <gtest/gtest.h>

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

TEST(CommandLine, MistakesAreErrors) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"--no-such-flag"},
                                                    {"--preset", "nothing"},
                                                    {"--batch-size", "0"},
                                                    {"--batch-size", "x"},
                                                    {"--epochs", "-1"},
                                                    {"--latent", "0"},
                                                    {"--activation", "swish"},
                                                    {"--hidden", "0"},
                                                    {"--learning-rate", "0"},
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
