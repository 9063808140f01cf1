// Tests the columns of metrics.csv that --on-nan adds, and files without them.
#include "apps/run/metrics_file.h"

#include <gtest/gtest.h>

#include <sstream>

#include "src/io/file.h"
#include "tests/temporary_folder.h"

namespace gpuvae::apps {
namespace {

std::vector<EpochResult> two_epochs(std::uint64_t skipped, int rewinds) {
  std::vector<EpochResult> epochs(2);
  for (int i = 0; i < 2; ++i) {
    epochs[i].epoch = i + 1;
    epochs[i].train = {100.5 + i, 90.25, 10.25};
    epochs[i].validation = {101.5, 91, 10.5};
    epochs[i].train_seconds = 1.5;
    epochs[i].validation_seconds = 0.25;
  }
  epochs[1].skipped = skipped;
  epochs[1].rewinds = rewinds;
  return epochs;
}

// Writes a file and returns its lines without the comments.
std::vector<std::string> lines_of(const std::filesystem::path& path, OnNan on_nan,
                                  const std::vector<EpochResult>& epochs) {
  TrainOptions options;
  options.on_nan = on_nan;
  MetricsFile(path, options, {epochs[0]}).append(epochs[1]);
  std::istringstream in(io::read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    if (line[0] != '#') lines.push_back(line);
  return lines;
}

const std::string kHeader =
    "epoch,train_loss,train_reconstruction,train_kl,val_loss,val_reconstruction,val_kl,train_seconds,val_"
    "seconds";

TEST(MetricsFile, HasFurtherColumnsOnlyWithOnNan) {
  const test::TemporaryFolder folder;
  const auto file = folder / "metrics.csv";
  EXPECT_EQ(lines_of(file, OnNan::stop, two_epochs(0, 0)),
            (std::vector<std::string>{kHeader, "1,100.5,90.25,10.25,101.5,91,10.5,1.5,0.25",
                                      "2,101.5,90.25,10.25,101.5,91,10.5,1.5,0.25"}));
  EXPECT_EQ(
      lines_of(file, OnNan::skip, two_epochs(7, 0)),
      (std::vector<std::string>{kHeader + ",skipped_steps", "1,100.5,90.25,10.25,101.5,91,10.5,1.5,0.25,0",
                                "2,101.5,90.25,10.25,101.5,91,10.5,1.5,0.25,7"}));
  EXPECT_EQ(lines_of(file, OnNan::rewind, two_epochs(0, 2)),
            (std::vector<std::string>{kHeader + ",rewinds", "1,100.5,90.25,10.25,101.5,91,10.5,1.5,0.25,0",
                                      "2,101.5,90.25,10.25,101.5,91,10.5,1.5,0.25,2"}));
}

// A run that continues with another value of --on-nan keeps the numbers of its earlier epochs.
TEST(MetricsFile, KeepsTheCountsOfEarlierEpochs) {
  const test::TemporaryFolder folder;
  const auto file = folder / "metrics.csv";
  lines_of(file, OnNan::skip, two_epochs(7, 0));
  std::vector<EpochResult> read = read_metrics(file);
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].skipped, 0u);
  EXPECT_EQ(read[1].skipped, 7u);
  TrainOptions options;
  options.on_nan = OnNan::rewind;
  { const MetricsFile again(file, options, read); }
  EXPECT_NE(io::read_file(file).find(kHeader + ",skipped_steps,rewinds\n"), std::string::npos);
  read = read_metrics(file);
  EXPECT_EQ(read[1].skipped, 7u);
  EXPECT_EQ(read[1].rewinds, 0);
  EXPECT_EQ(read[1].train.loss, 101.5);
  EXPECT_EQ(read[1].validation_seconds, 0.25);
}

TEST(MetricsFile, RefusesRowsOfAnotherLength) {
  const test::TemporaryFolder folder;
  const auto file = folder / "metrics.csv";
  io::write_file(file, kHeader + ",skipped_steps\n1,2,3,4,5,6,7,8,9\n");
  EXPECT_EQ(test::error_of([&] { read_metrics(file); }),
            "[read] " + file.string() +
                ": expected 10 numbers per row, the first an epoch, got \"1,2,3,4,5,6,7,8,9\"");
}

}  // namespace
}  // namespace gpuvae::apps
