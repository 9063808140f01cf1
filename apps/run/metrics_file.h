// metrics.csv, with one row per epoch, and steps.csv, with one row per --log-every training steps.
#pragma once

#include <optional>

#include "apps/cli/run_config.h"
#include "apps/run/progress.h"
#include "src/io/csv.h"

namespace gpuvae::apps {

class MetricsFile {
 public:
  MetricsFile(const std::filesystem::path& path, bool pixel_mean, const std::vector<EpochResult>& before);
  void append(const EpochResult& r);

 private:
  io::CsvWriter csv_;
};
// Reads the epochs of a metrics.csv. Throws Error if the file is missing or damaged.
std::vector<EpochResult> read_metrics(const std::filesystem::path& path);

// Writes steps.csv: mean losses (nats per image) over the steps since the previous row.
class StepLog {
 public:
  // Keeps the rows of the first `epochs_done` epochs of an existing file.
  StepLog(const std::filesystem::path& path, const RunConfig& config, int epochs_done);
  void update(int epoch, std::int64_t images, const Losses& so_far);

 private:
  std::optional<io::CsvWriter> csv_;
  std::int64_t epoch_images_ = 0;
  double beta_;
  int epoch_ = 0;
  Losses sums_;
};

EpochLine epoch_line(const EpochResult& r, bool validated, double beta);

}  // namespace gpuvae::apps
