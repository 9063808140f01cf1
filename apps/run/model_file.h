// What a model file says about itself in its metadata: how the model was made, and what its numbers mean.
// With these metadata, the file alone is enough to encode, decode and sample.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "apps/cli/run_config.h"
#include "src/train/model_file.h"

namespace gpuvae::apps {

// Returns what a model file says about the data of a run.
TrainingData facts_of(const Dataset& train, const Dataset& validation, const Split& split);

// The metadata of a model file and of a checkpoint.
std::map<std::string, std::string> metadata_of(const RunConfig& config, const TrainingData& data,
                                               const std::string& program);

// A run as one of its files describes it.
struct RunDescription {
  std::map<std::string, std::string> settings;  // by flag
  TrainingData data;
};
// Returns nothing for a file without a description: version 1 wrote none, and other programs may drop the
// metadata. Throws Error if a newer version or another of the programs wrote the file, or if the description
// is damaged.
std::optional<RunDescription> read_description(const std::filesystem::path& path, const std::string& program);

// The metadata key of a checkpoint with the rows of metrics.csv (see rows_text).
inline constexpr const char* kMetricsKey = "metrics";

// @{
// The metadata keys of a model that is not the one of the last epoch, or whose run --patience ended.
inline constexpr const char* kBestEpochKey = "best_epoch";
inline constexpr const char* kStoppedKey = "stopped";
// @}
// Whether the metadata are those of a run that has done `epochs` epochs, or that --patience ended before.
bool is_finished(const std::map<std::string, std::string>& metadata, int epochs);
// The epoch whose weights the model has if that is not the last one (--patience), or else 0.
int best_epoch_of(const std::map<std::string, std::string>& metadata);

// The metadata key of a model and a checkpoint that several processes trained (see processes_of).
inline constexpr const char* kProcessesKey = "processes";

// Returns the number of processes that trained, from the metadata, or the numbers in their order if it
// changed: "3,1". Throws Error if the metadata have another text.
std::string processes_of(const std::map<std::string, std::string>& metadata);

}  // namespace gpuvae::apps
