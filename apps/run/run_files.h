// The names of the files that the programs write to a run folder, and the marks by which they recognise them.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gpuvae::apps {

inline constexpr const char* kModelFile = "model.safetensors";
inline constexpr const char* kCheckpointFile = "checkpoint.safetensors";
inline constexpr const char* kEarlierCheckpointFile = "checkpoint-previous.safetensors";  // last but one
inline constexpr const char* kBestFile = "best.safetensors";  // the model of the best epoch (--save-best)
inline constexpr const char* kConfigFile = "config.toml";
inline constexpr const char* kMetricsFile = "metrics.csv";
inline constexpr const char* kStepsFile = "steps.csv";

// Whether the path exists. A path that cannot be looked up counts as missing.
bool is_there(const std::filesystem::path& path);

// The position of a run's file in the order in which a run moves; -1 for other names.
std::ptrdiff_t rank_of(std::string_view name);

// Whether the file's first bytes show that one of the programs wrote it, as far as its name is that of a
// picture, a page, a table or an evaluation of a run. An empty or missing file counts as written by a run,
// and so does a file of any other name, because its content is checked where it is read.
bool is_own_file(const std::filesystem::path& file);

// Whether the folder's config.toml was written by a version whose pictures had no marks.
bool is_of_older_version(const std::filesystem::path& folder);

// Throws Error if `file` exists in a run folder but no run wrote it, so that writing would destroy it.
// Folders of older versions are exempt.
void check_own_file(const std::filesystem::path& file, const std::string& operation);

// The line of config.toml with the fingerprint of the training set, and its value in a file; an empty text if
// the file has no such line.
std::string fingerprint_line(const std::string& fingerprint);
std::string fingerprint_in(const std::filesystem::path& config);

}  // namespace gpuvae::apps
