// metrics.csv, an epoch a row, and steps.csv, a row every so many steps.
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
// The epochs of such a file. Throws Error where it is not one.
std::vector<EpochResult> read_metrics(const std::filesystem::path& path);

// Losses of the steps since the row before: means an image.
class StepLog {
 public:
  // Keeps the rows of the epochs that are done.
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
