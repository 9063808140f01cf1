// What a model file says of itself in its metadata: how the model was made, and what its numbers mean. With
// it, the file alone is enough to encode, decode and sample.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "apps/cli/run_config.h"

namespace gpuvae::apps {

// The data that a model was trained on.
struct DataFacts {
  DataDescription description;
  std::string source;  // where the data came from
  std::int64_t train_count = 0, validation_count = 0;
  bool bytes = false;       // u8 examples rather than floats
  bool labelled = false;    // whether the training set has labels
  std::string fingerprint;  // of the training set, 16 hexadecimal digits
};
DataFacts facts_of(const Dataset& train, const Dataset& validation, const Split& split);

// The metadata of a model file and of a checkpoint.
std::map<std::string, std::string> metadata_of(const RunConfig& config, const DataFacts& data,
                                               const std::string& program);

// A run as one of its files describes it.
struct RunDescription {
  std::map<std::string, std::string> settings;  // by flag
  DataFacts data;
};
// Returns nothing for a file that carries no description: of a version before 2, or rewritten by a program
// that dropped the metadata. Throws Error for a newer version, or a description that is damaged or of another
// program.
std::optional<RunDescription> read_description(const std::filesystem::path& path, const std::string& program);

// The number of finished epochs that the metadata of a model file name, or -1.
int epochs_of(const std::map<std::string, std::string>& metadata);

}  // namespace gpuvae::apps
