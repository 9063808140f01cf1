// metrics.csv, with one row per epoch, and steps.csv, with one row per --log-every training steps.
#pragma once

#include <optional>

#include "apps/cli/run_config.h"
#include "apps/run/progress.h"
#include "src/io/csv.h"

namespace gpuvae::apps {

// Neither class writes a file before start() if it is constructed as `deferred`, so that the files of an
// older run stay until the new run has finished an epoch.
class MetricsFile {
 public:
  // With OnNan::skip, or if an earlier epoch skipped steps, the file has a further column skipped_steps: the
  // skipped steps of the epoch. With OnNan::rewind, or after a rewind, the further column rewinds is that of
  // EpochResult. If `features` is above 0, the losses are also given in bits per dimension.
  MetricsFile(const std::filesystem::path& path, const TrainOptions& options,
              const std::vector<EpochResult>& before, bool deferred = false, std::int64_t features = 0);
  void start() { csv_.start(); }
  void append(const EpochResult& r);
  // Writes the file again and waits until it is on the disk.
  void sync();

 private:
  bool skipped_, rewinds_;  // whether the file has these columns
  std::int64_t features_;   // of the columns with bits per dimension; 0: no such columns
  io::CsvWriter csv_;
};
// The rows of metrics.csv with all digits, as a checkpoint keeps them.
std::string rows_text(const std::vector<EpochResult>& epochs);
// Reads rows of metrics.csv. `where` names their file in errors. Throws Error for a damaged row.
std::vector<EpochResult> rows_of_text(const std::string& text, const std::string& where);
// Reads the epochs of a metrics.csv. Throws Error if the file is missing or damaged.
std::vector<EpochResult> read_metrics(const std::filesystem::path& path);

// Writes steps.csv: mean losses (nats per image) over the steps since the previous row.
class StepLog {
 public:
  // What the next row depends on: the number of images and the mean losses of the current epoch at the time
  // of the last row.
  struct Position {
    int epoch = 0;
    std::int64_t images = 0;
    Losses so_far = {};
  };
  // Keeps the rows of an existing file up to the position.
  StepLog(const std::filesystem::path& path, const RunConfig& config, const Position& position,
          bool deferred = false);
  void start() { csv_->start(); }
  void update(int epoch, std::int64_t images, const Losses& so_far);
  const Position& position() const { return last_; }

 private:
  std::optional<io::CsvWriter> csv_;
  double beta_;
  bool weighted_;  // whether the loss is not reconstruction + beta KL
  Position last_;
};

EpochLine epoch_line(const EpochResult& r, bool validated, const TrainOptions& options);

}  // namespace gpuvae::apps
