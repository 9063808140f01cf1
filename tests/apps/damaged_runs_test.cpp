// Damaged files of a run folder: the description in a model file, metrics.csv, and settings as JSON.
#include <gtest/gtest.h>

#include <cmath>

#include "apps/cli/config_file.h"
#include "apps/run/metrics_file.h"
#include "apps/run/model_file.h"
#include "src/io/file.h"
#include "src/io/safetensors.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

using test::error_of;
using test::TemporaryFolder;

const std::string kData =
    R"({"source":"x.csv","training_examples":9,"validation_examples":1,"fingerprint":"0123456789abcdef","dtype":"f32",)"
    R"("labelled":true,"height":1,"width":2,"values":"any","value_low":-1.5,"value_high":2.5,)"
    R"("values_scaled":false,"column_names":["a","b"],"label_column":"c","class_names":[],"mean":[0,1],)"
    R"("stddev":[1,2]})";

// Describes a run with `part` of its data replaced by `by`.
std::optional<RunDescription> described(const std::string& part, const std::string& by,
                                        const std::string& settings = R"({"latent":3})") {
  std::string data = kData;
  if (!part.empty()) data.replace(data.find(part), part.size(), by);
  const TemporaryFolder folder;
  io::TensorFile file;
  file.metadata = {{"program", "vae"}, {"format_version", "2"}, {"settings", settings}, {"data", data}};
  io::write_safetensors(folder / "m", file);
  return read_description(folder / "m", "vae");
}

void expect_refused(const std::string& part, const std::string& by, const std::string& reason) {
  const std::string message = error_of([&] { static_cast<void>(described(part, by)); });
  EXPECT_TRUE(message.starts_with("[load] ")) << message;
  EXPECT_NE(message.find("/m: " + reason), std::string::npos) << message << "\n  lacks: " << reason;
}

TEST(DamagedDescription, AWholeOneIsRead) {
  const auto run = described("", "");
  ASSERT_TRUE(run);
  EXPECT_EQ(run->settings.at("--latent"), "3");
  EXPECT_EQ(run->data.train_count, 9);
  EXPECT_EQ(run->data.description.width, 2);
  EXPECT_EQ(run->data.description.values.low, -1.5);
  EXPECT_EQ(run->data.description.standardization.stddev, (std::vector<double>{1, 2}));
}

TEST(DamagedDescription, NestedListsAreRefusedWithoutRecursion) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  expect_refused(R"("width":2)", R"("width":)" + deep,
                 "expected a description of the data with at most 8 levels, got more");
  expect_refused("[1,2]", deep, "expected a description of the data with at most 8 levels, got more");
}

TEST(DamagedDescription, LabelsAreBytes) {
  std::string names = R"("0")";
  for (int i = 1; i <= 256; ++i) names += ",\"" + std::to_string(i) + "\"";
  expect_refused(R"("class_names":[])", R"("class_names":[)" + names + "]",
                 "expected at most 256 classes, got 257");
}

TEST(DamagedDescription, SettingsAreTextsNumbersAndListsOfThem) {
  const auto refused = [](const std::string& settings, const std::string& reason) {
    const std::string message = error_of([&] { static_cast<void>(described("", "", settings)); });
    EXPECT_NE(message.find("/m: " + reason), std::string::npos) << message << "\n  lacks: " << reason;
  };
  refused("[3]", "expected settings as a JSON object, got array");
  const std::string kinds = "expected a text, a number, true, false or a list of whole numbers as setting ";
  refused(R"({"hidden":[[8]]})", kinds + "hidden, got array");
  refused(R"({"hidden":{"a":8}})", kinds + "hidden, got object");
  refused(R"({"hidden":null})", kinds + "hidden, got null");
  refused(R"({"hidden":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}", kinds + "hidden");
  refused(R"({"no\nname":1})",
          "expected settings of this version, got no?name: expected the name of a setting");
}

TEST(DamagedMetrics, RowsHaveNineNumbersAndAnEpoch) {
  const auto read = [](const std::string& row) {
    const TemporaryFolder folder;
    io::write_file(folder / "metrics.csv", "epoch,...\n" + row + "\n");
    return read_metrics(folder / "metrics.csv");
  };
  const std::vector<EpochResult> epochs = read("2,1.5,nan,inf,4,5,6,7,8\r");
  ASSERT_EQ(epochs.size(), 1u);
  EXPECT_EQ(epochs[0].epoch, 2);
  EXPECT_EQ(epochs[0].train.loss, 1.5);
  EXPECT_TRUE(std::isnan(epochs[0].train.reconstruction));
  EXPECT_EQ(epochs[0].validation_seconds, 8);
  const std::string numbers = ",1,2,3,4,5,6,7,8";
  for (const char* row :
       {"1;1,2,3,4,5,6,7,8", "1,1,2,3,4,5,6,7,8,", "1,1,2,3,4,5,6,7,8,9", "1,,1,2,3,4,5,6,7"}) {
    const std::string message = error_of([&] { read(row); });
    EXPECT_NE(message.find("expected 9 numbers per row, the first an epoch, got \"" + std::string(row)),
              std::string::npos)
        << message;
  }
  for (const char* epoch : {"-1", "0", "1.5", "1e300", "nan"}) {
    const std::string message = error_of([&] { read(epoch + numbers); });
    EXPECT_NE(message.find("the first an epoch, got "), std::string::npos) << message;
  }
}

TEST(DamagedMetrics, SkippedStepsAndRewindsAreCounts) {
  const auto read = [](const std::string& counts) {
    const TemporaryFolder folder;
    io::write_file(folder / "metrics.csv",
                   "epoch,b,c,d,e,f,g,h,i,skipped_steps,rewinds\n1,1,2,3,4,5,6,7,8," + counts + "\n");
    return read_metrics(folder / "metrics.csv").at(0);
  };
  EXPECT_EQ(read("3000000000,2").skipped, 3'000'000'000);
  EXPECT_EQ(read("7,2").rewinds, 2);
  for (const char* counts : {"-4,0", "1e300,0", "0.5,0", "nan,0", "0,-1", "0,3e9", "0,inf", "0,0.5"}) {
    const std::string message = error_of([&] { read(counts); });
    EXPECT_NE(message.find("expected whole numbers of skipped steps and rewinds, got \"1,1,2"),
              std::string::npos)
        << counts << ": " << message;
  }
}

// A warm-up that is longer than any run keeps the factor near 0.
TEST(Schedules, LongDurationsDoNotOverflow) {
  RunConfig config;
  config.schedule.warmup_epochs = 1e300;
  const auto factor = config.learning_rate_schedule(1000);
  EXPECT_DOUBLE_EQ(factor(0), 1e-18);
  EXPECT_DOUBLE_EQ(factor(999), 1e-15);
}

}  // namespace
}  // namespace gpuvae::apps
