// The description of a model file: what is damaged is refused with the file and the reason.
#include "apps/run/model_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/cli/config_file.h"
#include "apps/run/metrics_file.h"
#include "src/io/safetensors.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;
using test::TemporaryFolder;
using Json = nlohmann::ordered_json;

Json sound_data() {
  return Json::parse(R"({"source": "t.csv", "training_examples": 9, "validation_examples": 1,
      "fingerprint": "0123456789abcdef", "dtype": "f32", "labelled": false, "height": 1, "width": 2,
      "values": "standardized", "value_low": -1.5, "value_high": 8, "values_scaled": false,
      "column_names": ["a", "b"], "label_column": "", "class_names": [], "mean": [1, 2], "stddev": [0, 0.5]})");
}

void write_described_model(const std::filesystem::path& path, const std::string& data) {
  io::write_safetensors(path, {{},
                               {{"format_version", "2"},
                                {"program", "vae"},
                                {kSettingsKey, settings_json(RunConfig())},
                                {"data", data}}});
}

TEST(ModelFile, ReadsItsDescription) {
  const TemporaryFolder folder;
  write_described_model(folder / "m", sound_data().dump());
  const auto run = read_description(folder / "m", "vae");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->data.train_count, 9);
  EXPECT_EQ(run->data.description.standardization.stddev, (std::vector<double>{0, 0.5}));
  EXPECT_EQ(run->data.description.values.kind, ValueKind::standardized);
}

// A description decides how much memory a model needs, so it is compared with the size of the file first.
TEST(ModelFile, AModelThatTheFileCannotHoldIsNotMade) {
  const TemporaryFolder folder;
  write_described_model(folder / "m", sound_data().dump());
  VaeOptions options{.features = 2, .encoder_widths = {100'000'000}, .latent = 1};
  const std::string said =
      error_of([&] { static_cast<void>(load_model(options, Device::cpu(), folder / "m")); });
  EXPECT_EQ(said.find("[load] " + (folder / "m").string() +
                      ": expected a file of a model with 900000004 parameters"),
            0u)
      << said;
  options.encoder_widths = {3};
  const Vae model(options, Device::cpu());
  save_parameters(folder / "p", model.parameters());
  EXPECT_EQ(load_model(options, Device::cpu(), folder / "p").output().weight.value().to_vector(),
            model.output().weight.value().to_vector());
  options.latent = 0;
  const std::string refused =
      error_of([&] { static_cast<void>(load_model(options, Device::cpu(), folder / "p")); });
  EXPECT_EQ(refused.find("[load] " + (folder / "p").string() + ": expected the description of a model"), 0u)
      << refused;
}

TEST(ModelFile, ADamagedDescriptionNamesFileAndReason) {
  const std::pair<Json, std::string> cases[] = {
      {{{"stddev", {-1, 0.5}}}, "expected standard deviations of 0 (a constant column) or more, got -1"},
      {{{"stddev", {0.5}}}, "expected the moments of 2 columns, got 1"},
      {{{"stddev", Json::array()}}, "expected as many means as standard deviations, got 2 and 0"},
      {{{"stddev", {nullptr, 1}}}, "expected a description of the data as JSON"},
      {{{"values", "pixels"}}, "expected a kind of values, such as bytes or any, got pixels"},
      {{{"values", 3}}, "expected a description of the data as JSON"},
      {{{"value_low", 9}}, "expected a range of values whose lower limit comes first, got 9 to 8"},
      {{{"values_scaled", true}, {"value_low", 8}}, "expected a range of values"},
      {{{"values_scaled", true}, {"values", "bytes"}}, "expected a range of values"},
      {{{"height", 0}}, "expected a whole number of 1 or more as height, got 0"},
      {{{"width", 1.5}}, "expected a whole number of 1 or more as width, got 1.5"},
      {{{"width", 3000000000}}, "expected a whole number of 1 or more as width, got 3000000000"},
      {{{"width", 18446744073709551615u}}, "as width, got 18446744073709551615"},
      {{{"training_examples", -1}}, "expected a whole number of 1 or more as training_examples, got -1"},
      {{{"column_names", {"a"}}}, "expected the names of 2 columns, got 1"},
      {{{"class_labels", {0}}}, "expected labels from 0 to -1, got 0"},
      {{{"condition_classes", 3}, {"class_labels", {0, 3}}}, "expected labels from 0 to 2, got 0, 3"},
      {{{"fingerprint", "?"}}, "expected a fingerprint of 16 hexadecimal digits, got ?"}};
  const TemporaryFolder folder;
  for (const auto& [changes, reason] : cases) {
    Json data = sound_data();
    data.update(changes);
    write_described_model(folder / "m", data.dump());
    const std::string said = error_of([&] { static_cast<void>(read_description(folder / "m", "vae")); });
    EXPECT_EQ(said.find("[load] " + (folder / "m").string() + ": "), 0u) << said;
    EXPECT_NE(said.find(reason), std::string::npos) << said;
  }
  const Json sound = sound_data();
  for (const auto& [key, value] : sound.items()) {
    Json data = sound;
    data.erase(key);
    write_described_model(folder / "m", data.dump());
    const std::string said = error_of([&] { static_cast<void>(read_description(folder / "m", "vae")); });
    EXPECT_NE(said.find((folder / "m").string() + ": expected a description"), std::string::npos) << said;
  }
}

TEST(MetricsFile, RowsKeepAllTheirDigits) {
  EpochResult r;
  r.epoch = 1;
  r.train = {1.0 / 3, 2.0 / 7, -1e-9};
  r.validation = {1e9 / 7, 0.1, 5};
  r.train_seconds = 0.25;
  const std::vector<EpochResult> read = rows_of_text(rows_text({r, r}), "checkpoint");
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].train.loss, r.train.loss);
  EXPECT_EQ(read[1].train.kl, r.train.kl);
  EXPECT_EQ(read[1].validation.loss, r.validation.loss);
  EXPECT_EQ(read[1].train_seconds, 0.25);
  EXPECT_TRUE(rows_of_text("", "x").empty());
  EXPECT_NE(error_of([] { rows_of_text("1,2,3\n", "x.csv"); }).find("x.csv: expected 9 numbers per row"),
            std::string::npos);
}

}  // namespace
}  // namespace gpuvae::apps
