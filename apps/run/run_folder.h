// A run folder: its files, the lock of the process that writes to it, and what becomes of an older run.
#pragma once

#include <filesystem>
#include <string>

#include "apps/run/run_files.h"

namespace gpuvae::apps {

inline constexpr const char* kPreviousFolder = "previous";

// The exclusive use of a run folder by this process. The operating system releases the lock when the process
// ends, however it ends. The destructor removes the lock file, and also the folder if the constructor created
// it and it is still empty.
class FolderLock {
 public:
  // Creates the folder if it is missing. Throws Error that names the lock file if another process uses the
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

// The table of a sweep in its folder, and how it begins.
inline constexpr const char *kSweepTableFile = "sweep.csv", *kSweepMark = "# sweep of ";
// Whether the folder is that of a sweep.
bool holds_sweep(const std::filesystem::path& folder);
// Throws Error if it does.
void check_no_sweep(const std::filesystem::path& folder, const std::string& operation);
// Whether the folder has a file that only the programs write: a marked config.toml, a model or a checkpoint.
bool holds_run(const std::filesystem::path& folder);
// Throws Error if the folder is that of a sweep, if config.toml is not one that the programs wrote, if the
// folder holds no run but has files with the names of a run's files, or if it holds a run beside which such a
// file came from elsewhere (see check_own_file). A run would overwrite these files.
void check_no_foreign_files(const std::filesystem::path& folder, const std::string& operation);
// Removes the temporary files that a killed process left.
void remove_partial_files(const std::filesystem::path& folder);
// Moves all files of the folder's run to its sub-folder previous/, and prints a note. A run that is already
// in previous/ is removed. Files that no run wrote stay where they are; Error is thrown if one of them has
// the name of a run's file in previous/.
void move_to_previous(const std::filesystem::path& folder);

}  // namespace gpuvae::apps
