// Tests configurations as text: config.toml written by hand, and the settings of a model file.
#include "apps/cli/config_file.h"

#include <gtest/gtest.h>

#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;
using test::TemporaryFolder;

Texts read(const std::string& text) {
  const TemporaryFolder folder;
  io::write_file(folder / "c.toml", text);
  return read_config_texts((folder / "c.toml").string(), "program");
}

// Returns the error for a config.toml with this text, beginning at the line number.
std::string mistake(const std::string& text) {
  const std::string message = error_of([&] { read(text); });
  const std::string before = "c.toml is not a configuration of program: line ";
  const std::size_t at = message.find(before);
  EXPECT_EQ(message.find("[config] "), 0u) << message;
  EXPECT_EQ(message.find("INI"), std::string::npos) << message;
  return at == std::string::npos ? message : message.substr(at + before.size());
}

TEST(ConfigText, ValuesOfEveryKind) {
  const Texts texts = read(
      "# a comment\n\nepochs = 7\r\n  beta=0.5   # of the KL term\nstandardize = true\nhidden = [512, 256]\n"
      "decoder-hidden=\"256,512\"\npreset = keras-mnist\nlatent=010\nout = 'C:\\x'\nlabel-column = \"\"\n"
      "l2=+0.25\nlog-variance-low = -7");
  EXPECT_EQ(texts, (Texts{{"--epochs", "7"},
                          {"--beta", "0.5"},
                          {"--standardize", "true"},
                          {"--hidden", "512,256"},
                          {"--decoder-hidden", "256,512"},
                          {"--preset", "keras-mnist"},
                          {"--latent", "010"},
                          {"--out", "C:\\x"},
                          {"--label-column", ""},
                          {"--l2", "+0.25"},
                          {"--log-variance-low", "-7"}}));
  RunConfig c;
  assign_texts(texts, model_settings(c));
  EXPECT_EQ(c.model.latent, 10);
  EXPECT_EQ(c.model.encoder_widths, (std::vector<std::int64_t>{512, 256}));
}

TEST(ConfigText, AHashInsideQuotesIsPartOfTheValue) {
  EXPECT_EQ(read("data = \"a #1.csv\"  # the first\n").at("--data"), "a #1.csv");
  EXPECT_EQ(read("data = 'a #1.csv'#the first\n").at("--data"), "a #1.csv");
  EXPECT_EQ(read("data = a #1.csv\n").at("--data"), "a");
}

TEST(ConfigText, EveryTextIsReadAsItWasWritten) {
  for (const char* path :
       {"a#b", "a \"b\" 'c'", "back\\slash", "tab\there", "ü [1] = 2", " blank ends ", "a,b", "true"}) {
    RunConfig c;
    c.out = path;
    c.data.path = path;
    const Texts texts = read(to_toml(c, "program"));
    EXPECT_EQ(texts.at("--out"), path);
    EXPECT_EQ(texts.at("--data"), path);
  }
}

TEST(ConfigText, MistakesNameFileAndLine) {
  EXPECT_EQ(mistake("epochs = 3\nspeed = 3\n"), "2: speed: expected the name of a setting");
  EXPECT_EQ(mistake("epochs = many\n"), "1: epochs: expected a whole number, got many");
  EXPECT_EQ(mistake("latent = 0x10\n"), "1: latent: expected a whole number, got 0x10");
  EXPECT_EQ(mistake("latent = 1e1\n"), "1: latent: expected a whole number, got 1e1");
  EXPECT_EQ(mistake("latent = 99999999999999999999\n"),
            "1: latent: expected a whole number, got 99999999999999999999");
  EXPECT_EQ(mistake("seed = -1\n"), "1: seed: expected a whole number of 0 or more, got -1");
  EXPECT_EQ(mistake("seed = +-1\n"), "1: seed: expected a whole number of 0 or more, got +-1");
  EXPECT_EQ(mistake("beta = nan\n"), "1: beta: expected 0 or more, got nan");
  EXPECT_EQ(mistake("standardize = yes\n"), "1: standardize: expected true or false, got yes");
  EXPECT_EQ(mistake("epochs = 3\n\nepochs = 4\n"), "3: epochs is there twice");
  EXPECT_EQ(mistake("[Run]\n"), "1: expected key = value, got a section");
  EXPECT_EQ(mistake("epochs 3\n"), "1: expected key = value, got epochs 3");
  EXPECT_EQ(mistake("epochs =\n"), "1: expected a value, got nothing");
  EXPECT_EQ(mistake("epochs = # 3\n"), "1: expected a value, got nothing");
  EXPECT_EQ(mistake("out = \"a\n"), "1: expected \" at the end of the value, got the end of the line");
  EXPECT_EQ(mistake("out = \"a\" b\n"), "1: expected the end of the line after the value, got b");
  EXPECT_EQ(mistake("out = \"\\q\"\n"), "1: expected \\\", \\\\, \\t, \\n or \\r in \"...\"");
  EXPECT_EQ(mistake("hidden = [1, 2\n"), "1: expected ] at the end of the list, got the end of the line");
  EXPECT_EQ(mistake("checkpoint-every = 0s\n"),
            "1: checkpoint-every: expected a time above 0 such as 30s, 5min or 2h, or epochs such as "
            "10epochs, got 0s");
  EXPECT_NE(error_of([] { read_config_texts("no/such.toml", "program"); }).find("no/such.toml"),
            std::string::npos);
}

TEST(CheckpointInterval, HasSecondsOrEpochs) {
  EXPECT_EQ(parse_checkpoint_interval("30s")->seconds, 30);
  EXPECT_EQ(parse_checkpoint_interval("0.5s")->seconds, 0.5);
  EXPECT_EQ(parse_checkpoint_interval("5min")->seconds, 300);
  EXPECT_EQ(parse_checkpoint_interval("2h")->seconds, 7200);
  EXPECT_EQ(parse_checkpoint_interval("1epoch")->epochs, 1);
  EXPECT_EQ(parse_checkpoint_interval("10epochs")->epochs, 10);
  for (const char* text :
       {"", "s", "30", "0s", "-1s", "nans", "infs", "1.5epochs", "0epochs", "30 s", "30sec", "1e9s"})
    EXPECT_FALSE(parse_checkpoint_interval(text)) << text;
}

TEST(SettingsJson, HoldsWhatDescribesTheModel) {
  RunConfig c;
  c.seed = 18446744073709551615u;
  c.out = "a folder";
  c.device = "cuda";
  c.training.beta = 0.30000000000000004;
  c.model.encoder_widths = {9, 8};
  c.training.data.shuffle = false;
  const Texts texts = texts_of_settings_json(settings_json(c), "m");
  EXPECT_EQ(texts.at("--seed"), "18446744073709551615");
  EXPECT_EQ(texts.at("--beta"), "0.30000000000000004");
  EXPECT_EQ(texts.at("--hidden"), "9,8");
  EXPECT_EQ(texts.at("--decoder-hidden"), "");
  EXPECT_EQ(texts.at("--no-shuffle"), "true");
  for (const char* elsewhere :
       {"--out", "--device", "--executor", "--data-dir", "--log-every", "--checkpoint-every"})
    EXPECT_FALSE(texts.contains(elsewhere)) << elsewhere;
  RunConfig again;
  for (const SettingGroup& group : settings(again)) assign_texts(texts, group.settings);
  EXPECT_FALSE(training_difference(c, again));
}

TEST(SettingsJson, OfAnotherVersionIsRefused) {
  EXPECT_EQ(error_of([] { texts_of_settings_json(R"({"speed": 3})", "m"); }),
            "[load] m: expected settings of this version, got speed: expected the name of a setting");
  EXPECT_EQ(error_of([] { texts_of_settings_json(R"({"latent": "many"})", "m"); }),
            "[load] m: expected settings of this version, got latent: expected a whole number, got many");
  EXPECT_NE(error_of([] { texts_of_settings_json("{", "m"); }).find("[load] m: expected settings as JSON"),
            std::string::npos);
  EXPECT_NE(error_of([] { texts_of_settings_json(R"({"latent": [1.5]})", "m"); }).find("[load] m: "),
            std::string::npos);
}

}  // namespace
}  // namespace gpuvae::apps
