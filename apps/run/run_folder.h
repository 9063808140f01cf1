// A run folder: its files, the lock of the process that writes to it, and what becomes of an older run.
#pragma once

#include <filesystem>
#include <string>

namespace gpuvae::apps {

inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kEarlierCheckpointFile = "checkpoint-previous.safetensors";  // the one before
inline constexpr const char* kConfigFile = "config.toml";
inline constexpr const char* kMetricsFile = "metrics.csv";
inline constexpr const char* kStepsFile = "steps.csv";
inline constexpr const char* kPreviousFolder = "previous";

// The exclusive use of a run folder by this process. The operating system releases it when the process ends,
// however it ends. The destructor removes the lock's file, and the folder if the constructor created it and
// it is still empty.
class FolderLock {
 public:
  // Creates the folder if it is missing. Throws Error that names the lock's file if another process has the
  // folder.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  std::filesystem::path folder_, file_;
  bool created_;
  int descriptor_ = -1;
};

// Whether the folder has a file that only the programs write: a marked config.toml, a model or a checkpoint.
bool holds_run(const std::filesystem::path& folder);
// Throws Error if the folder has files of others under the names of a run's files, which a run would
// overwrite.
void check_no_foreign_files(const std::filesystem::path& folder, const std::string& operation);
// Removes the temporary files that a killed process left.
void remove_partial_files(const std::filesystem::path& folder);
// Moves all files of the run in the folder to its folder previous/, and says so. Of a run that is there
// already, nothing is kept. Files of others stay where they are.
void move_to_previous(const std::filesystem::path& folder);

}  // namespace gpuvae::apps
