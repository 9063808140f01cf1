// Runs of a sweep that are finished, as their folders describe them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/run/session.h"

namespace gpuvae::apps {

struct FinishedRun {
  std::string name;  // of its folder in the sweep's folder
  RunConfig config;
  TrainingData data;
  std::vector<EpochResult> epochs;
  int best_epoch = 0;  // the epoch whose weights the model has, if that is not the last one; else 0

  // The losses of the model.
  const EpochResult& of_model() const {
    return best_epoch > 0 ? epochs.at(static_cast<std::size_t>(best_epoch - 1)) : epochs.back();
  }
};

// Reads the run in a folder. Returns nothing if the folder holds no finished run of the program, or if a file
// of it is damaged: the model must have as many epochs as config.toml, and metrics.csv must have them all.
std::optional<FinishedRun> read_finished_run(const std::filesystem::path& folder, const Program& program);

// Reads all finished runs whose folders in the sweep's folder have the names of its runs (run_name), sorted
// by name.
std::vector<FinishedRun> finished_runs(const std::filesystem::path& sweep, const Program& program);

// The value of a setting, as config.toml has it; an empty text for an unknown key.
std::string value_of(const RunConfig& config, const std::string& key);

}  // namespace gpuvae::apps
